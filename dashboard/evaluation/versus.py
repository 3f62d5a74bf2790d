"""Two networks on the same images: which is better, or that these images cannot tell."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.evaluation import plots
from dashboard.evaluation.measures import measure_name
from dashboard.frame import part
from dashboard.language import tr
from dashboard.look import show
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.errors import HilumError

if TYPE_CHECKING:
    from training.evaluate.comparison import Comparison

MAX_AT_ONCE = 10_000
"""Images up to which the comparison is made without being asked for: more take seconds."""


@st.fragment
def draw(first: ReleaseEvaluation, second: ReleaseEvaluation) -> None:
    """Draw the differences of the second to the first."""
    with part():
        _draw(first, second)


def _draw(first: ReleaseEvaluation, second: ReleaseEvaluation) -> None:
    if first.run_id == second.run_id:
        st.info(tr("Both hold the same network: there is no difference to look for."))
        return
    is_large = first.result["n_images"] > MAX_AT_ONCE
    key = f"evaluation_compare_{first.run_id}_{second.run_id}"
    if is_large and not st.session_state.get(f"{key}_asked"):
        st.session_state[f"{key}_asked"] = st.button(
            tr("Compare them on {n} images (takes some seconds)", n=first.result["n_images"]), key=key
        )
        if not st.session_state[f"{key}_asked"]:
            return
    with st.spinner(tr("Comparing …")):
        comparison = _comparison(first.run_id, second.run_id, first, second)
    if comparison is None:
        st.info(
            tr("They were tested on other images or classes, so they cannot be compared image by image."),
            icon=":material/compare_arrows:",
        )
        return
    st.markdown(f"**{_sentence(comparison, first, second)}**")
    whole = comparison.whole
    names = [measure_name(f"{one.label}.{one.metric}" if one.label else one.metric) for one in whole]
    show(plots.differences(whole, names), "evaluation_differences")
    with st.expander(tr("As a table")):
        st.dataframe(
            [
                {
                    tr("measure"): name,
                    first.name: one.a,
                    second.name if second.name != first.name else f"{second.name} (2)": one.b,
                    tr("difference"): one.value,
                    tr("from"): one.lower,
                    tr("to"): one.upper,
                    "n": one.n,
                }
                for name, one in zip(names, whole, strict=True)
            ],
            hide_index=True,
            width="stretch",
        )
    st.caption(
        tr(
            "{n} images of {patients} patients. Intervals: 95 %, patients resampled {times} times. "
            "A single training has its own luck: what is compared is these two networks, not their recipes.",
            n=comparison.n_images,
            patients=comparison.n_patients,
            times=comparison.n_bootstrap,
        )
    )


@st.cache_resource(ttl=3600, max_entries=20, show_spinner=False)
def _comparison(
    first_run: str,  # noqa: ARG001 - names what is remembered
    second_run: str,  # noqa: ARG001
    _first: ReleaseEvaluation,
    _second: ReleaseEvaluation,
) -> "Comparison | None":
    """Return the comparison; None where the two were not tested on the same images."""
    from training.evaluate.comparison import compare

    try:
        return compare(_first.predictions, _second.predictions)
    except HilumError:
        return None


def _sentence(comparison: "Comparison", first: ReleaseEvaluation, second: ReleaseEvaluation) -> str:
    """Return the verdict on the one difference that was fixed beforehand, the headline."""
    verdict, headline = comparison.verdict, comparison.headline
    values = {"measure": measure_name(headline.metric), "difference": str(headline)}
    if verdict.preferred is not None:
        better = first if verdict.preferred == "a" else second
        return tr("{name} is better: {measure} differs by {difference}.", name=better.name, **values)
    if verdict.more_cases is not None:
        return tr(
            "These images cannot tell which is better: {measure} differs by {difference}. Roughly {more} "
            "more would, if the difference is as seen.",
            more=f"{verdict.more_cases:,}",
            **values,
        )
    return tr("These images cannot tell which is better: {measure} differs by {difference}.", **values)
