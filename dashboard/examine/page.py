"""Examine: what do the networks see in this picture? For somebody who reads radiographs, not networks."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import about
from dashboard.examine.answer import draw_answer, escaped
from dashboard.examine.drop_zone import drop_zone
from dashboard.examine.examination import Examination, as_csv
from dashboard.examine.examining import examine
from dashboard.examine.examples import EXAMPLES, example
from dashboard.examine.measured import measured_words
from dashboard.examine.reader import MAX_HISTORY, Reader, current_reader, forget_reader
from dashboard.examine.report_page import as_html
from dashboard.frame import empty, notice
from dashboard.language import current_language, speaking, tr

_TILE_PX = 132


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
    reader = current_reader()
    answered = drop_zone(reader)
    if answered:
        reader.arrange(answered)
    _take_examples(reader)
    history = reader.examinations
    if not history:
        empty(tr("No picture yet. Send one above, or try an example."))
        return
    shown = reader.shown(history)
    with st.container(border=True):
        if len(history) > 1:
            _steps(reader, history, shown)
        about_release = draw_answer(shown)
    downloads = _gallery(reader, history, shown)
    # Last, for the evaluation is another source than the answer, and may take seconds.
    releases = {one.screening.release for one in history if one.screening is not None}
    measured = {release: measured_words(release) for release in sorted(releases)}
    if about_release is not None and shown.screening is not None:
        with about_release:
            st.caption(measured[shown.screening.release])
            st.page_link(st.Page(about.draw, title=tr("About"), url_path="about"), icon=":material/info:")
    with downloads:
        _downloads(history, list(measured.values()))


def _take_examples(reader: Reader) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(tr("Or try a drawing:"), width="content")
        for name, label in EXAMPLES.items():
            if st.button(tr(label), key=f"examine_example_{name}"):
                examination = examine(tr(label), example(name))
                reader.remember(examination)
                reader.show(examination.key)


def _steps(reader: Reader, history: Sequence[Examination], shown: Examination) -> None:
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
                on_click=reader.show,
                args=(history[other].key if exists else "",),
            )
        st.markdown(tr("Picture {place} of {count}", place=place + 1, count=len(history)), width="content")


def _gallery(reader: Reader, history: Sequence[Examination], shown: Examination) -> DeltaGenerator:
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
                    on_click=reader.show,
                    args=(one.key,),
                )
                st.caption(one.short_words)
    return downloads


def _downloads(history: Sequence[Examination], measured: Sequence[str]) -> None:
    language = current_language()

    def table() -> bytes:
        with speaking(language):
            return as_csv(history)

    def report() -> bytes:
        with speaking(language):
            return as_html(history, measured)

    with st.container(horizontal=True):
        for label, make, file, kind, icon in (  # made when it is asked for, not whenever the page is drawn
            (tr("Table (CSV)"), table, "hilum.csv", "text/csv", "table"),
            (tr("Report (HTML)"), report, "hilum.html", "text/html", "description"),
        ):
            st.download_button(label, make, file, kind, icon=f":material/{icon}:", on_click="ignore")
        st.button(tr("Forget all"), icon=":material/delete:", key="examine_forget", on_click=forget_reader)
