"""The examinations of a session as one page to keep or print: self-contained, in the reader's language."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from PIL import Image

from dashboard.examine.examination import Examination
from dashboard.examine.viewer import as_jpeg, data_address
from dashboard.frame import NOTICE
from dashboard.language import current_language, tr
from dashboard.look import label_name
from hilum.contract import LABELS
from hilum.overlay import draw_overlay


def as_html(examinations: Sequence[Examination], measured: Sequence[str] = ()) -> bytes:
    """Return the page: for each picture the answer in words, its numbers and where the evidence lies.

    Args:
        examinations: in the order of the page.
        measured: sentences on how the releases that answered were measured.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    page = _template().render(
        language=current_language(),
        title=tr("Examination of chest radiographs"),
        notice=tr(NOTICE),
        made=tr("Made on {time} UTC by Hilum.", time=now),
        measured=measured,
        cards=[_card(examination) for examination in examinations],
        heading_label=tr("resembles"),
        heading_probability=tr("probability"),
        heading_threshold=tr("reported from"),
    )
    return page.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report_page.html.j2")


def _card(examination: Examination) -> dict[str, object]:
    screening, point = examination.screening, examination.operating_point
    rows = []
    if screening is not None and screening.probabilities is not None and point is not None:
        rows = [
            (
                label_name(label),
                f"{screening.probabilities[label]:.2f}",
                f"{point.thresholds[label]:.2f}" if label in point.thresholds else "",
            )
            for label in LABELS
        ]
    return {
        "file": examination.file,
        "words": examination.plain_words,
        "release": ""
        if screening is None
        else tr("Answered by release {release}.", release=screening.release),
        "rows": rows,
        "picture": _picture(examination),
    }


def _picture(examination: Examination) -> str:
    """Return the radiograph as an address, coloured where the evidence lies; empty where there is none."""
    radiograph, screening = examination.radiograph, examination.screening
    if radiograph is None or screening is None:
        return ""
    if screening.activation_map is None or screening.finding is None:
        return data_address(as_jpeg(Image.fromarray(radiograph)))
    return data_address(
        as_jpeg(draw_overlay(radiograph, screening.activation_map[LABELS.index(screening.finding)]))
    )
