"""Examine: what do the networks see in this picture? For somebody who reads radiographs, not networks."""

from collections.abc import Sequence

import streamlit as st
from PIL import Image

from dashboard.bars import bar
from dashboard.examination import Examination, as_csv, examine
from dashboard.examples import EXAMPLES, example
from dashboard.frame import empty, notice
from dashboard.language import tr
from dashboard.look import LABEL_COLOURS, NEUTRAL, label_name
from dashboard.report_page import as_html
from hilum.contract import LABELS
from hilum.overlay import draw_overlay

MAX_FILES = 20
"""Pictures that are examined at a time; more are named and left."""

MAX_HISTORY = 60
"""Examinations that a session remembers; the oldest are forgotten."""

_HISTORY, _SENT, _ROUND = "examine_history", "examine_sent", "examine_round"

_SIDE_PX = 420


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
    _downloads(history)
    for examination in history:
        _card(examination)


def _take_uploads(history: list[Examination]) -> None:
    """Examine what was dropped, each file once."""
    files = st.file_uploader(
        tr("Pictures: JPEG, PNG, TIFF, BMP, WebP or DICOM"),
        accept_multiple_files=True,
        key=f"examine_files_{st.session_state.setdefault(_ROUND, 0)}",
    )
    sent: set[str] = st.session_state.setdefault(_SENT, set())
    waiting = [file for file in files or [] if file.file_id not in sent]
    if len(waiting) > MAX_FILES:
        st.warning(
            tr(
                "{count} pictures at once are too many: the first {most} were examined. "
                "Send the others again.",
                count=len(waiting),
                most=MAX_FILES,
            )
        )
    taken = waiting[:MAX_FILES]
    if taken:
        with st.spinner(tr("Examining {count} picture(s) …", count=len(taken))):
            for file in taken:
                _remember(history, examine(file.name, file.getvalue()))
    sent.update(file.file_id for file in waiting)


def _take_examples(history: list[Examination]) -> None:
    with st.container(horizontal=True):
        st.write(tr("Or try a drawing:"))
        for name, label in EXAMPLES.items():
            if st.button(tr(label), key=f"examine_example_{name}"):
                _remember(history, examine(tr(label), example(name)))


def _remember(history: list[Examination], examination: Examination) -> None:
    history.insert(0, examination)
    del history[MAX_HISTORY:]


def _downloads(history: Sequence[Examination]) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
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
            as_html(history),
            "hilum.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
        )
        if st.button(tr("Forget all"), icon=":material/delete:", key="examine_forget"):
            st.session_state[_HISTORY] = []
            st.session_state[_SENT] = set()
            st.session_state[_ROUND] += 1  # an uploader that forgets its files is a new one
            st.rerun()


def _card(examination: Examination) -> None:
    """Draw one examination: the answer first, then the picture beside the bars."""
    with st.container(border=True):
        st.markdown(f"##### {_escaped(examination.file)}")
        if examination.screening is None:
            st.error(examination.words, icon=":material/broken_image:")
            return
        st.markdown(examination.words)
        assert examination.radiograph is not None
        picture, numbers = st.columns([3, 2])
        with picture:
            _picture(examination)
        with numbers:
            _bars(examination)
            st.caption(tr("Answered by release {release}.", release=examination.screening.release))
            notice()


def _picture(examination: Examination) -> None:
    """Draw the radiograph, with where the evidence lies over it or beside it."""
    screening, radiograph = examination.screening, examination.radiograph
    assert screening is not None
    assert radiograph is not None
    plain = Image.fromarray(radiograph)
    if screening.activation_map is None or screening.finding is None:
        st.image(plain, width=_SIDE_PX, alt=tr("The picture as the networks saw it"))
        return
    choice, strength = st.columns(2)
    label = choice.selectbox(
        tr("Show evidence for"),
        LABELS,
        index=LABELS.index(screening.finding),
        format_func=label_name,
        key=f"examine_label_{examination.key}",
    )
    opacity = strength.slider(
        tr("Strength of the colours, %"), 0, 100, 60, key=f"examine_opacity_{examination.key}"
    )
    side_by_side = choice.toggle(tr("Side by side"), key=f"examine_side_{examination.key}")
    coloured = draw_overlay(radiograph, screening.activation_map[LABELS.index(label)])
    gray = plain.resize(coloured.size, Image.Resampling.BILINEAR).convert("RGB")
    blended = Image.blend(gray, coloured, opacity / 100)
    alt = tr("The picture; the colours show where the evidence for {finding} lies", finding=label_name(label))
    if side_by_side:
        left, right = st.columns(2)
        left.image(gray, alt=tr("The picture as the networks saw it"), width="stretch")
        right.image(blended, alt=alt, width="stretch")
    else:
        st.image(blended, width=_SIDE_PX, alt=alt)


def _bars(examination: Examination) -> None:
    """Draw a bar per label, with a line where the release starts to report it."""
    screening = examination.screening
    assert screening is not None
    rows: list[tuple[str, float, float | None, str]] = [
        (tr("frontal chest radiograph"), screening.valid_probability, None, NEUTRAL)
    ]
    if screening.probabilities is not None:
        assert examination.operating_point is not None
        thresholds = examination.operating_point.thresholds
        rows += [
            (label_name(label), screening.probabilities[label], thresholds.get(label), LABEL_COLOURS[label])
            for label in LABELS
        ]
    for name, share, threshold, colour in rows:
        st.html(bar(name, share, threshold=threshold, colour=colour))
    if screening.probabilities is not None:
        st.caption(tr("The upright line is where this release starts to report a finding."))


def _escaped(text: str) -> str:
    """Return a file's name with nothing in it that Markdown would act on."""
    return "".join(
        f"\\{character}" if not character.isalnum() and character != " " else character for character in text
    )
