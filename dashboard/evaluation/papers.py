"""The papers' numbers beside ours: what `hilum paper` found when it repeated a paper's recipe."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.estimates import DASH, counted, spread_told, told
from dashboard.evaluation import plots, study_plots
from dashboard.evaluation.measures import measure_name
from dashboard.evaluation.stored_warnings import show_warnings
from dashboard.frame import empty, part
from dashboard.language import tr
from dashboard.look import label_name, show
from dashboard.sources import papers_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from dashboard.sources.papers_api import ConfusionTable, MetricsTable, Report, ThresholdsTable
from hilum.contract import CLASSIFIER, FILTER

if TYPE_CHECKING:
    from training.tracking import CompleteRun


@st.fragment
def draw(chosen: ReleaseEvaluation) -> None:
    """Draw a report, that of the paper whose recipe the chosen network follows first where there is one."""
    with part():
        _draw(chosen)


def _draw(chosen: ReleaseEvaluation) -> None:
    found = papers_api.reports()
    if not found:
        empty(tr("No paper was repeated yet. `hilum paper` trains by its recipe and compares."))
        return
    family = chosen.recipe.partition("/")[0]
    own = [place for place, run in enumerate(found) if _name(run) == family and chosen.model in _models(run)]
    run = st.selectbox(
        tr("Paper"),
        found,
        index=own[0] if own else 0,
        format_func=lambda one: f"{_name(one)}, {_day(one)}",
        key=f"evaluation_paper_{family}_{chosen.model}",
    )
    report = papers_api.report(run.run_id, _name(run))
    st.markdown(report.source)
    st.caption(
        tr(
            "Trained and tested on {data}, not on the paper's images: numbers of other images, of other "
            "weights or after fewer epochs cannot be expected to match.",
            data=report.data,
        )
    )
    st.code(report.command, language=None, wrap_lines=True)
    show_warnings(report.warnings)
    _networks(report)
    for place, table in enumerate(report.comparisons):
        st.markdown(f"**{table.table}: {table.title}**")
        if isinstance(table, MetricsTable):
            _metrics(table, place)
        elif isinstance(table, ConfusionTable):
            _confusion(table, place)
        else:
            _thresholds(table, place)


def _name(run: "CompleteRun") -> str:
    return run.tags.get("hilum.recipe", "")


def _models(run: "CompleteRun") -> set[str]:
    """Return which networks a report is of: its parameters name their studies."""
    studies = [name for name in run.params if name.startswith("study.")]
    return {FILTER if name.endswith("filter") else CLASSIFIER for name in studies}


def _day(run: "CompleteRun") -> str:
    return datetime.fromtimestamp(run.started_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _networks(report: Report) -> None:
    """Show how ours came about."""
    st.dataframe(
        [
            {
                tr("network"): one.variant or one.model.removeprefix("xray_"),
                tr("tested by"): one.protocol,
                tr("test images"): ", ".join(f"{n} {label_name(label)}" for label, n in one.images.items()),
                tr("patients"): one.n_patients,
                tr("networks"): one.n_networks,
                tr("epochs at most"): one.epochs,
                tr("weights at the start"): one.weights,
            }
            for one in report.networks
        ],
        hide_index=True,
        width="stretch",
    )


def _metrics(table: MetricsTable, place: int) -> None:
    names = [" ".join(filter(None, (one.variant, measure_name(one.metric)))) for one in table.numbers]
    show(study_plots.beside_paper(table.numbers, names), f"evaluation_paper_{place}")
    st.dataframe(
        [
            {
                tr("measure"): name,
                tr("paper"): counted(one.published)
                if one.published_sd is None
                else spread_told(one.published["value"], one.published_sd),
                tr("ours"): counted(one.ours),
                tr("ours, mean ± sd of the networks"): spread_told(one.spread.mean, one.spread.sd),
                tr("ours less the paper's"): DASH if one.difference is None else f"{one.difference:+.3f}",
            }
            for name, one in zip(names, table.numbers, strict=True)
        ],
        hide_index=True,
        width="stretch",
    )


def _confusion(table: ConfusionTable, place: int) -> None:
    sides = ((tr("paper"), table.published), (tr("ours"), table.ours))
    for column, (name, counts) in zip(st.columns(2), sides, strict=True):
        with column:
            st.caption(f"{name}, n = {sum(map(sum, counts)):,}")
            show(plots.confusion(counts, table.labels), f"evaluation_paper_{place}_{name}")


def _thresholds(table: ThresholdsTable, place: int) -> None:
    show(study_plots.beside_thresholds(table), f"evaluation_paper_{place}")
    st.dataframe(
        [
            {
                tr("threshold"): f"{point.threshold:g}",
                tr("paper: sensitivity"): told(point.published_sensitivity),
                tr("paper: specificity"): told(point.published_specificity),
                tr("ours: sensitivity"): told(point.sensitivity),
                tr("ours: specificity"): told(point.specificity),
                tr("ours: specificity at the paper's sensitivity"): told(point.specificity_there),
            }
            for point in table.points
        ],
        hide_index=True,
        width="stretch",
    )
    first = table.points[0]
    st.caption(
        tr(
            "Of {label}. Images: the paper's {n} and {m} others, ours {k} and {j}. "
            "In brackets 95 % intervals.",
            label=label_name(table.label),
            n=first.published_sensitivity["n"],
            m=first.published_specificity["n"],
            k=first.sensitivity["n"],
            j=first.specificity["n"],
        )
    )
