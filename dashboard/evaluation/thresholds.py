"""Where to draw the line: what a threshold means at a prevalence, and Deep-COVID's table beside ours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard.frame import empty, folded, part
from dashboard.language import tr
from dashboard.look import label_name
from dashboard.sources.evaluation_api import ReleaseEvaluation
from dashboard.sources.papers_api import deep_covid_tables
from hilum.contract import FILTER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluate.alerts import AlertLoad
    from training.evaluate.thresholds import ThresholdRow

LOWEST, HIGHEST = 0.01, 0.99

FINDINGS, FRONTAL_FILMS = 5.0, 90.0
"""How common a finding, and a frontal film among all that is sent, is taken to be at first, in percent."""

COVID19 = "covid19"


@st.fragment
def draw(found: Sequence[ReleaseEvaluation], label: str) -> None:
    """Let the reader move the threshold and see what it means for 1,000 examinations."""
    with part():
        _draw(found, label)


def _draw(found: Sequence[ReleaseEvaluation], label: str) -> None:
    chosen = found[0]
    scores, positive = _answers(chosen, label)
    if not positive.any() or positive.all():
        empty(tr("The test images do not hold both {label} and others.", label=label_name(label)))
        return
    own = chosen.thresholds.get(label)
    left, right = st.columns(2)
    threshold = left.slider(
        tr("Report {label} from a probability of", label=label_name(label)),
        LOWEST,
        HIGHEST,
        float(np.clip(0.5 if own is None else own, LOWEST, HIGHEST).round(2)),
        0.01,
        key=f"evaluation_threshold_{chosen.run_id}_{label}",
    )
    percent = right.slider(
        tr("How common it is, % of examinations"),
        0.5,
        99.0,
        FRONTAL_FILMS if chosen.model == FILTER else FINDINGS,
        0.5,
        key=f"evaluation_prevalence_{label}",
    )
    for one in found:
        _meaning(one, label, threshold, percent / 100, named=len(found) > 1)
    if own is None:
        st.caption(tr("No threshold decides here: the most probable class does."))
    else:
        told = [tr("{name} reports from {value:.2f}.", name=chosen.name, value=own)]
        if len(chosen.thresholds) > 1:
            told.append(
                tr(
                    "What it decides depends on its other threshold too, so the numbers of its decisions, "
                    "above, may differ."
                )
            )
        st.caption(" ".join(told))
    table = folded(tr("Table of thresholds"), "evaluation_threshold_table")
    if table.open:
        with table:
            _table(scores, positive)
    if label == COVID19:
        paper = folded(tr("Beside Deep-COVID's tables"), "evaluation_deep_covid_tables")
        if paper.open:
            with paper:
                _beside_deep_covid(scores, positive)


def _answers(evaluation: ReleaseEvaluation, label: str) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """Return (N,) probabilities of a class, and whether each image is of it."""
    predictions = evaluation.predictions
    index = predictions.labels.index(label)
    return predictions.probabilities[:, index], predictions.truth == index


def _meaning(
    evaluation: ReleaseEvaluation, label: str, threshold: float, prevalence: float, *, named: bool
) -> None:
    """Show what a threshold gives, each number over its 95 % interval."""
    from training.evaluate.alerts import alert_load
    from training.evaluate.thresholds import threshold_table

    scores, positive = _answers(evaluation, label)
    if not positive.any() or positive.all():
        return
    (row,) = threshold_table(scores, positive, [threshold])
    load = alert_load(row, prevalence)
    if named:
        st.markdown(f"**{evaluation.name}**")
    for column, (title, value, interval) in zip(
        st.columns(4), _numbers(row, load, is_filter=evaluation.model == FILTER), strict=True
    ):
        with column:
            st.metric(title, value)
            st.caption(interval)


def _numbers(row: "ThresholdRow", load: "AlertLoad", *, is_filter: bool) -> list[tuple[str, str, str]]:
    """Return title, value and interval of what is shown large."""
    rates = [
        (title, f"{rate.value:.3f}", tr("{lower:.3f} to {upper:.3f}, n {n}", **_bounds(rate)))
        for title, rate in ((tr("Sensitivity"), row.sensitivity), (tr("Specificity"), row.specificity))
    ]
    alerts = tr("Let through per 1,000") if is_filter else tr("Alerts per 1,000")
    missed = tr("Turned away wrongly per 1,000") if is_filter else tr("Missed per 1,000")
    return [
        *rates,
        (
            alerts,
            f"{load.alerts:.0f}",
            tr(
                "{lower:.0f} to {upper:.0f}, of which {false:.0f} for nothing",
                lower=load.alerts_lower,
                upper=load.alerts_upper,
                false=load.false_alerts,
            ),
        ),
        (
            missed,
            f"{load.missed:.1f}",
            tr("{lower:.1f} to {upper:.1f}", lower=load.missed_lower, upper=load.missed_upper),
        ),
    ]


def _bounds(rate: object) -> dict[str, object]:
    return {name: getattr(rate, name) for name in ("lower", "upper", "n")}


def _table(scores: "NDArray[np.float64]", positive: "NDArray[np.bool_]") -> None:
    from training.evaluate.thresholds import threshold_table

    st.dataframe(
        [
            {
                tr("threshold"): one.threshold,
                tr("sensitivity"): str(one.sensitivity),
                tr("specificity"): str(one.specificity),
                tr("reported"): one.reported,
            }
            for one in threshold_table(scores, positive)
        ],
        hide_index=True,
        width="stretch",
    )


def _beside_deep_covid(scores: "NDArray[np.float64]", positive: "NDArray[np.bool_]") -> None:
    """Show a table of Minaee et al. with what this network gives at the same thresholds and sensitivities."""
    from training.errors import DataSetError
    from training.evaluate.intervals import normal_estimate
    from training.evaluate.thresholds import Constraint, choose_threshold, threshold_table

    tables = deep_covid_tables()
    table = st.selectbox(
        tr("Table of the paper"),
        tables,
        format_func=lambda one: f"{one.table}: {one.title}",
        key="evaluation_deep_covid",
    )
    n_own = table.images[table.label]
    n_others = sum(table.images.values()) - n_own
    rows = []
    ours = threshold_table(scores, positive, [threshold for threshold, _, _ in table.points])
    for (threshold, sensitivity, specificity), there in zip(table.points, ours, strict=True):
        try:
            same = choose_threshold(scores, positive, Constraint("sensitivity", sensitivity))
            told = tr(
                "{specificity}, at {sensitivity:.3f}",
                specificity=same.specificity,
                sensitivity=same.sensitivity.value,
            )
        except DataSetError:  # images of the class at exactly 0: no threshold reaches it
            told = "-"
        rows.append(
            {
                tr("threshold"): f"{threshold:g}",
                tr("paper: sensitivity"): str(normal_estimate(round(sensitivity * n_own), n_own)),
                tr("paper: specificity"): str(normal_estimate(round(specificity * n_others), n_others)),
                tr("ours: sensitivity"): str(there.sensitivity),
                tr("ours: specificity"): str(there.specificity),
                tr("ours: specificity at the paper's sensitivity"): told,
            }
        )
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption(
        tr(
            "Minaee et al. 2020: {own} images of COVID-19 and {others} others, with the paper's intervals; "
            "ours: {n} and {m}, Wilson's. Other images and another network: the numbers need not agree. "
            "The last column's threshold is chosen on these images, as in the paper, which flatters.",
            own=n_own,
            others=n_others,
            n=int(positive.sum()),
            m=int((~positive).sum()),
        )
    )
