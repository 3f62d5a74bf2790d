"""Where pictures are dropped: each is sent straight to the server, and its answer stands there at once.

Streamlit's own uploader tells the page of a file when it has arrived; the page is run anew, asks, and is
drawn: several times as long as the answer itself takes. Here it is known before the page is drawn anew.
"""

from pathlib import Path

import streamlit as st

from dashboard.commands import MAX_UPLOAD_MIB
from dashboard.examine.examination import REFUSALS
from dashboard.examine.reader import Reader
from dashboard.examine.uploads import IN_FLIGHT, MAX_FILES, UPLOAD_PATH
from dashboard.language import tr
from hilum.decoding.refusals import TooManyBytesError

_FOLDER = Path(__file__).parent

_component = st.components.v2.component(
    "hilum_drop_zone",
    html=(_FOLDER / "drop_zone.html").read_text(),
    css=(_FOLDER / "drop_zone.css").read_text(),
    js=(_FOLDER / "drop_zone.js").read_text(),
)


def drop_zone(reader: Reader) -> list[str]:
    """Draw where pictures are dropped; return the keys of those answered just now, in the order of files."""
    result = _component(
        key="examine_drop_zone",
        data={
            # From where the page is: a proxy may put a path, with its slash, before it.
            "address": UPLOAD_PATH.removeprefix("/"),
            "reader": reader.token,
            "most": MAX_FILES,
            "most_bytes": MAX_UPLOAD_MIB * 2**20,
            "in_flight": IN_FLIGHT,
            "words": {
                "choose": tr("Choose files"),
                "hint": tr("or drop pictures here: JPEG, PNG, TIFF, BMP, WebP or DICOM"),
                "limits": tr(
                    "At most {most} pictures at a time. A file of more than {size} MB is refused: "
                    "save it as JPEG or PNG and send that.",
                    most=MAX_FILES,
                    size=MAX_UPLOAD_MIB,
                ),
                "answers": tr("What came of the pictures"),
                "sending": tr("Examining the pictures"),
                "progress": tr("{done} of {count} pictures"),
                "stop": tr("Stop"),
                "too_large": tr(REFUSALS[TooManyBytesError.reason]),
                "too_many": tr(
                    "{count} pictures at once are too many: the first {most} are examined. "
                    "Send the others again.",
                    count="{count}",
                    most=MAX_FILES,
                ),
                "not_sent": tr("Not examined. Send it again later."),
            },
        },
        on_answered_change=lambda: None,
    )
    return [str(key) for key in result.answered or ()]
