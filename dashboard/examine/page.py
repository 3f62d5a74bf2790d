"""Examine: what do the networks see in this picture? For somebody who reads radiographs, not networks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import about
from dashboard.commands import MAX_UPLOAD_MIB
from dashboard.examine.answer import draw_answer, escaped
from dashboard.examine.examination import Examination, as_csv
from dashboard.examine.examining import examine, examine_all
from dashboard.examine.examples import EXAMPLES, example
from dashboard.examine.measured import measured_words
from dashboard.examine.report_page import as_html
from dashboard.frame import empty, notice
from dashboard.language import tr
from dashboard.uploads import MAX_FILES, MAX_WAITING_MIB, forget

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MAX_HISTORY, MAX_HISTORY_BYTES = 100, 32 * 2**20
"""Most examinations that a session remembers, and most memory for them; the oldest are forgotten."""

_HISTORY, _SHOWN, _TOO_MANY, _STOPPED, _ROUND = (
    f"examine_{name}" for name in ("history", "shown", "too_many", "stopped", "round")
)

_TILE_PX = 132

UPLOADER_WORDS = """<style>
[data-testid=stFileUploaderDropzoneInstructions] {{ display: none }}
[data-testid=stFileUploaderDropzone] button p {{ font-size: 0; white-space: nowrap }}
[data-testid=stFileUploaderDropzone] [data-testid=stMarkdownContainer]::after {{ content: "{words}" }}
[data-testid=stFileUploaderDropzone] [data-testid=stMarkdownContainer] {{ display: flex }}
</style>"""
"""Puts the reader's language in the place of Streamlit's own English words."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("Examine chest radiographs"))
    st.write(
        tr(
            "Drop pictures of frontal chest radiographs here. Two networks look at each: the first asks "
            "whether it is such a picture, the second what it resembles. Nothing is stored: what you send "
            "stays in this page's memory until you close it."
        )
    )
    notice()
    history: list[Examination] = st.session_state.setdefault(_HISTORY, [])
    _take_uploads(history)
    _take_examples(history)
    if not history:
        empty(tr("No picture yet. Send one above, or try an example."))
        return
    shown = _shown(history)
    with st.container(border=True):
        if len(history) > 1:
            _steps(history, shown)
        about_release = draw_answer(shown)
    downloads = _gallery(history, shown)
    # Last, for the evaluation is another source than the answer, and may take seconds.
    releases = {one.screening.release for one in history if one.screening is not None}
    measured = {release: measured_words(release) for release in sorted(releases)}
    if about_release is not None and shown.screening is not None:
        with about_release:
            st.caption(measured[shown.screening.release])
            st.page_link(st.Page(about.draw, title=tr("About"), url_path="about"), icon=":material/info:")
    with downloads:
        _downloads(history, list(measured.values()))


def _take_uploads(history: list[Examination]) -> None:
    """Examine what was dropped; each file is forgotten with its answer, and so is handed out once."""
    st.html(UPLOADER_WORDS.format(words=tr("Choose files")))
    files = st.file_uploader(
        tr("Pictures: JPEG, PNG, TIFF, BMP, WebP or DICOM"),
        accept_multiple_files=True,
        key=f"examine_files_{st.session_state.setdefault(_ROUND, 0)}",
    )
    st.caption(
        tr(
            "At most {most} pictures and {total} MB at a time. A file of more than {size} MB is refused: "
            "save it as JPEG or PNG and send that.",
            most=MAX_FILES,
            total=MAX_WAITING_MIB,
            size=MAX_UPLOAD_MIB,
        )
    )
    waiting = [file for file in files if not file.closed]
    most = 0 if st.session_state.pop(_STOPPED, False) else MAX_FILES
    for file in waiting[most:]:
        forget(file)
    if waiting[:most]:
        st.session_state[_TOO_MANY] = len(waiting) if len(waiting) > most else 0
        _examine(history, waiting[:most])
    if st.session_state.get(_TOO_MANY):
        st.warning(
            tr(
                "{count} pictures at once are too many: the first {most} were examined. "
                "Send the others again.",
                count=st.session_state[_TOO_MANY],
                most=MAX_FILES,
            )
        )


def _examine(history: list[Examination], files: "Sequence[UploadedFile]") -> None:
    """Examine files, and say how far it is; what is not done when the reader acts is done after that."""
    place = st.empty()
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, tr("Examining {count} picture(s) …", count=len(files)))
        st.button(tr("Stop"), key="examine_stop", on_click=_stop)
    for done, (file, examination) in enumerate(examine_all(files), 1):
        _remember(history, examination, show=done == 1)
        forget(file)
        bar.progress(done / len(files), tr("{done} of {count} pictures", done=done, count=len(files)))
    place.empty()


def _stop() -> None:
    st.session_state[_STOPPED] = True


def _take_examples(history: list[Examination]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(tr("Or try a drawing:"), width="content")
        for name, label in EXAMPLES.items():
            if st.button(tr(label), key=f"examine_example_{name}"):
                _remember(history, examine(tr(label), example(name)), show=True)


def _remember(history: list[Examination], examination: Examination, *, show: bool) -> None:
    """Keep an examination, within the bounds of a session."""
    history.append(examination)
    if show:
        st.session_state[_SHOWN] = examination.key
    while len(history) > MAX_HISTORY or (
        len(history) > 1 and sum(one.nbytes for one in history) > MAX_HISTORY_BYTES
    ):
        del history[0]


def _shown(history: Sequence[Examination]) -> Examination:
    """Return the examination that the reader chose, else the newest."""
    chosen = st.session_state.get(_SHOWN)
    return next((one for one in history if one.key == chosen), history[-1])


def _show(key: str) -> None:
    st.session_state[_SHOWN] = key


def _steps(history: Sequence[Examination], shown: Examination) -> None:
    """Draw what leads to the picture before and to the next one."""
    place = history.index(shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, step, key in ((tr("Previous"), -1, "P"), (tr("Next"), 1, "N")):
            other = place + step
            exists = 0 <= other < len(history)
            st.button(
                label,
                key=f"examine_step_{key}",
                shortcut=key,
                disabled=not exists,
                on_click=_show,
                args=(history[other].key if exists else "",),
            )
        st.markdown(tr("Picture {place} of {count}", place=place + 1, count=len(history)), width="content")


def _gallery(history: Sequence[Examination], shown: Examination) -> DeltaGenerator:
    """Draw this session's examinations as thumbnails; return where the downloads go."""
    st.subheader(tr("This session"))
    st.caption(tr("In memory only, the last {most} pictures. Choose one to see it above.", most=MAX_HISTORY))
    downloads = st.container()
    with st.container(horizontal=True):
        for one in history:
            with st.container(width=_TILE_PX, gap="xsmall"):
                if one.thumbnail:
                    st.image(one.thumbnail, width="stretch", alt=one.short_words)
                st.button(
                    escaped(one.file),
                    key=f"examine_show_{one.key}",
                    icon=":material/check:" if one is shown else None,
                    width="stretch",
                    on_click=_show,
                    args=(one.key,),
                )
                st.caption(one.short_words)
    return downloads


def _downloads(history: Sequence[Examination], measured: Sequence[str]) -> None:
    with st.container(horizontal=True):
        st.download_button(
            tr("Table (CSV)"),
            as_csv(history),
            "hilum.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        st.download_button(
            tr("Report (HTML)"),
            as_html(history, measured),
            "hilum.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
        )
        st.button(tr("Forget all"), icon=":material/delete:", key="examine_forget", on_click=_forget_all)


def _forget_all() -> None:
    """Forget this session's pictures, and what the uploader lists: only a new one lists nothing."""
    st.session_state[_HISTORY] = []
    st.session_state[_TOO_MANY] = 0
    st.session_state[_ROUND] += 1
