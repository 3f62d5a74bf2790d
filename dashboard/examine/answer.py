"""One examination on the page: the answer in words, then the picture beside the bars."""

import string

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.examine.bars import bar
from dashboard.examine.examination import Examination
from dashboard.examine.viewer import show_radiograph
from dashboard.frame import notice
from dashboard.language import tr
from dashboard.look import LABEL_COLOURS, NEUTRAL, label_name
from hilum.contract import LABELS


def draw_answer(examination: Examination) -> DeltaGenerator | None:
    """Draw an examination; return where to say how the release was measured, None where none answered."""
    st.markdown(f"#### {escaped(examination.file)}")
    if examination.screening is None:
        st.error(examination.words, icon=":material/broken_image:")
        if examination.error is not None:
            st.caption(tr("For whoever operates it: {detail}", detail=examination.error.sentence))
        return None
    st.markdown(examination.words)
    picture, numbers = st.columns([2, 1])
    with picture:
        _evidence(examination)
    with numbers:
        _bars(examination)
        notice()
        st.caption(tr("Answered by release {release}.", release=examination.screening.release))
        return st.container()


def escaped(text: str) -> str:
    """Return a file's name with nothing in it that Markdown would act on."""
    return "".join(f"\\{character}" if character in string.punctuation else character for character in text)


@st.fragment  # another finding draws this part anew, not the whole page
def _evidence(examination: Examination) -> None:
    """Draw the radiograph, with where the evidence lies over it or beside it."""
    screening, radiograph = examination.screening, examination.radiograph
    assert screening is not None
    assert radiograph is not None
    if screening.activation_map is None or screening.finding is None:
        show_radiograph(radiograph, None, alt="", key=f"examine_viewer_{examination.key}")
        return
    label = st.segmented_control(
        tr("Show evidence for"),
        LABELS,
        default=screening.finding,
        format_func=label_name,
        required=True,
        key=f"examine_label_{examination.key}",
    )
    show_radiograph(
        radiograph,
        screening.activation_map[LABELS.index(label)],
        alt=tr(
            "The picture; the colours show where the evidence for {finding} lies", finding=label_name(label)
        ),
        key=f"examine_viewer_{examination.key}",
    )


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
