"""Evaluation: how good a release is, on whom, and whether another one is better."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from dashboard import plots
from dashboard.frame import empty, notice, part
from dashboard.language import mark, tr
from dashboard.look import label_name, show
from dashboard.sources import evaluation_api, releases_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.contract import FINDINGS, LABELS

MEASURES = {
    "auroc": mark("AUROC"),
    "sensitivity": mark("sensitivity"),
    "specificity": mark("specificity"),
    "precision": mark("precision"),
}


def draw() -> None:
    """Draw the page."""
    st.title(tr("How good is it, and on whom?"))
    with part():
        numbers = [release.number for release in releases_api.releases()]
        if not numbers:
            empty(tr("There is no release yet. `hilum release create` makes one."))
            return
        left, right = st.columns(2)
        first = left.selectbox(
            tr("Release"), numbers, key="evaluation_first", format_func=lambda n: tr("release {n}", n=n)
        )
        second = right.selectbox(
            tr("Compare with"),
            [None, *(number for number in numbers if number != first)],
            key="evaluation_second",
            format_func=lambda n: tr("none") if n is None else tr("release {n}", n=n),
        )
        found = {
            number: evaluation
            for number in (first, second)
            if number is not None and (evaluation := evaluation_api.evaluation(number)) is not None
        }
        if first not in found:
            empty(tr("This release's classifier was not evaluated. `hilum evaluate classifier` does it."))
            return
        _page(found, first)


def _page(found: Mapping[int, ReleaseEvaluation], first: int) -> None:
    """Draw what was measured of the first release, and of the second where its curves can be laid over."""
    chosen = found[first]
    for warning in chosen.result["warnings"]:
        st.warning(warning, icon=":material/warning:")
    st.caption(
        tr(
            "{n} test images of {patients} patients; recipe {recipe}. "
            "Intervals: 95 %, patients resampled or Wilson.",
            n=chosen.result["n_images"],
            patients=chosen.result["n_patients"],
            recipe=chosen.recipe,
        )
    )
    notice()
    _numbers(chosen.result["whole"])
    if len(found) == 2:
        with part(tr("The two on the same images")):
            _difference(*found.values())
    label = st.segmented_control(
        tr("Class"), LABELS, default="covid19", format_func=label_name, key="evaluation_label", required=True
    )
    label = label or LABELS[-1]
    said = {number: evaluation.predictions for number, evaluation in found.items()}
    left, right = st.columns(2)
    with left:
        st.subheader(tr("ROC curve"))
        show(plots.roc(said, label), "evaluation_roc")
        st.subheader(tr("Confusion"))
        show(plots.confusion(chosen.result["confusion"], chosen.result["labels"]), "evaluation_confusion")
    with right:
        st.subheader(tr("Precision and sensitivity"))
        show(plots.precision_recall(said, label), "evaluation_precision")
        st.subheader(tr("Are its probabilities true?"))
        show(plots.reliability(chosen.result["reliability"]["top_label"]), "evaluation_reliability")
    if label in FINDINGS:
        st.subheader(tr("Where to draw the line"))
        _threshold(chosen, label)
    st.subheader(tr("How sure it is, by group"))
    column = st.selectbox(
        tr("Group by"),
        ["label", *chosen.result["groups"]],
        key="evaluation_group",
        format_func=lambda name: tr("true class") if name == "label" else name,
    )
    show(
        plots.histogram(chosen.predictions, label, column, chosen.thresholds.get(label)),
        "evaluation_histogram",
    )
    st.subheader(tr("By source"))
    _sources(chosen.result["groups"].get("source", {}))
    with part(tr("How it learned")):
        records = evaluation_api.learning_curves(chosen.run_id)
        if records:
            show(plots.curves(records), "evaluation_curves")
        else:
            empty(tr("Its training stored no losses."))


def _numbers(whole: Mapping[str, Any]) -> None:
    st.dataframe(
        [
            {
                tr("class"): label_name(label),
                tr("images"): whole["counts"][label],
                **{tr(title): _estimate(whole["per_class"][label][key]) for key, title in MEASURES.items()},
            }
            for label in whole["per_class"]
        ],
        hide_index=True,
        width="stretch",
    )


def _difference(first: ReleaseEvaluation, second: ReleaseEvaluation) -> None:
    from hilum.errors import HilumError
    from training.evaluate.comparison import compare

    try:
        comparison = compare(first.predictions, second.predictions)
    except HilumError as error:  # other images: their numbers cannot be paired
        st.info(str(error), icon=":material/compare_arrows:")
        return
    st.markdown(f"**{comparison.verdict.sentence}**")
    st.dataframe(
        [
            {
                tr("measure"): " ".join(filter(None, (difference.metric, label_name(difference.label)))),
                tr("release {n}", n=first.release): difference.a,
                tr("release {n}", n=second.release): difference.b,
                tr("difference"): difference.value,
                tr("from"): difference.lower,
                tr("to"): difference.upper,
                "n": difference.n,
            }
            for difference in comparison.whole
        ],
        hide_index=True,
        width="stretch",
    )


def _threshold(chosen: ReleaseEvaluation, label: str) -> None:
    """Let the reader move the threshold and see what it means for 1,000 examinations."""
    from training.evaluate.alerts import alert_load
    from training.evaluate.thresholds import threshold_table

    index = chosen.predictions.labels.index(label)
    scores, positive = chosen.predictions.probabilities[:, index], chosen.predictions.truth == index
    left, right = st.columns(2)
    threshold = left.slider(
        tr("Report {label} from a probability of", label=label_name(label)),
        0.01,
        0.99,
        float(np.clip(chosen.thresholds[label], 0.01, 0.99)),
        0.01,
        key=f"evaluation_threshold_{label}",
    )
    percent = right.slider(
        tr("How common it is, % of examinations"), 0.5, 50.0, 5.0, 0.5, key=f"evaluation_prevalence_{label}"
    )
    (row,) = threshold_table(scores, positive, [threshold])
    load = alert_load(row, percent / 100)
    columns = st.columns(4)
    columns[0].metric(tr("Sensitivity"), _short(row.sensitivity.value))
    columns[1].metric(tr("Specificity"), _short(row.specificity.value))
    columns[2].metric(tr("Alerts per 1,000"), f"{load.alerts:.0f}")
    columns[3].metric(tr("Missed per 1,000"), f"{load.missed:.1f}")
    st.caption(
        tr(
            "Sensitivity {sensitivity}, specificity {specificity}, {lower:.0f} to {upper:.0f} alerts "
            "(95 % intervals). This release reports from {value:.2f}.",
            sensitivity=row.sensitivity,
            specificity=row.specificity,
            lower=load.alerts_lower,
            upper=load.alerts_upper,
            value=chosen.thresholds[label],
        )
    )
    with st.expander(tr("Table of thresholds")):
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


def _sources(sources: Mapping[str, Any]) -> None:
    if not sources:
        empty(tr("The test images name no source."))
        return
    st.dataframe(
        [
            {
                tr("source"): name,
                **{label_name(label): count for label, count in group["counts"].items()},
                **{
                    tr("AUROC of {label}", label=label_name(label)): _estimate(
                        group["per_class"][label]["auroc"]
                    )
                    for label in group["per_class"]
                },
            }
            for name, group in sources.items()
        ],
        hide_index=True,
        width="stretch",
    )


def _estimate(estimate: Mapping[str, Any]) -> str:
    """Return a value with its interval and n; a dash where it is not defined."""
    if estimate["value"] is None:
        return "-"
    bounds = "" if estimate["lower"] is None else f" ({estimate['lower']:.3f} - {estimate['upper']:.3f})"
    return f"{estimate['value']:.3f}{bounds}, n {estimate['n']}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
