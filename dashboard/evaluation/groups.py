"""The numbers by group: source, view, sex and age where they are known."""

import streamlit as st

from dashboard.data.counts import COLUMNS, group_name
from dashboard.estimates import counted
from dashboard.evaluation.measures import measure_name
from dashboard.evaluation.score_plots import MAX_GROUPS, TRUE_CLASS, grouping, histograms
from dashboard.frame import empty
from dashboard.language import tr
from dashboard.look import label_name, show
from dashboard.sources.evaluation_api import ReleaseEvaluation

SHOWN = ("auroc", "sensitivity", "specificity")
"""What the table gives of each group."""


def scores(evaluation: ReleaseEvaluation, label: str) -> None:
    """Draw how one class's probability is spread in each group of a column."""
    predictions = evaluation.predictions
    column = _column(evaluation, [TRUE_CLASS, *evaluation.result["groups"]], "evaluation_group")
    groups = grouping(evaluation, column)
    names = {group: _group_name(group, column) for group in map(str, groups.unique())}
    show(
        histograms(
            predictions.probabilities[:, predictions.labels.index(label)],
            groups,
            label=label,
            names=names,
            threshold=evaluation.thresholds.get(label),
        ),
        "evaluation_histogram",
    )
    sentences = []
    if evaluation.thresholds.get(label) is not None:
        sentences.append(tr("The dashed line: {label} is reported from there on.", label=label_name(label)))
    if len(names) > MAX_GROUPS:
        sentences.append(tr("The {most} largest of {n} groups.", most=MAX_GROUPS, n=len(names)))
    if sentences:
        st.caption(" ".join(sentences))


def table(evaluation: ReleaseEvaluation, label: str) -> None:
    """Show images of each class, and the measures of one, a row for each group of a column."""
    groups = evaluation.result["groups"]
    if not groups:
        empty(tr("The test images name no source."))
        return
    column = _column(evaluation, list(groups), "evaluation_table")
    st.dataframe(
        [
            {
                _column_name(column): _group_name(name, column),
                **{label_name(each): count for each, count in group["counts"].items()},
                **{
                    measure_name(f"{label}.{measure}"): counted(group["per_class"][label][measure])
                    for measure in SHOWN
                },
            }
            for name, group in groups[column].items()
        ],
        hide_index=True,
        width="stretch",
    )
    st.caption(
        tr(
            "A dash: not defined, for the group holds no image to measure it on. "
            "Few images make wide intervals."
        )
    )


def _column(evaluation: ReleaseEvaluation, columns: list[str], key: str) -> str:
    chosen = st.segmented_control(
        tr("Group by"),
        columns,
        default=columns[0],
        key=f"{key}_{evaluation.model}",
        format_func=_column_name,
        required=True,
    )
    return chosen if chosen in columns else columns[0]


def _column_name(column: str) -> str:
    if column == TRUE_CLASS:
        return tr("true class")
    return tr(COLUMNS[column]) if column in COLUMNS else column


def _group_name(group: str, column: str) -> str:
    """Return a group in the reader's words."""
    if column == TRUE_CLASS:
        return label_name(group)
    return group_name(group)
