"""Folds and repeats: how much the numbers of one recipe differ among its trainings."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.estimates import counted, spread_told
from dashboard.evaluation import study_plots
from dashboard.evaluation.measures import measure_name
from dashboard.evaluation.stored_warnings import show_warnings
from dashboard.frame import empty, part
from dashboard.language import tr
from dashboard.look import show
from dashboard.sources import studies_api
from dashboard.sources.evaluation_api import ReleaseEvaluation

if TYPE_CHECKING:
    from training.tracking import CompleteRun


@st.fragment
def draw(chosen: ReleaseEvaluation) -> None:
    """Draw a study, that of the chosen network's recipe first where there is one."""
    with part():
        _draw(chosen)


def _draw(chosen: ReleaseEvaluation) -> None:
    found = studies_api.studies()
    if not found:
        empty(tr("No recipe was trained in folds or repeats yet. `hilum crossval` does it."))
        return
    run = st.selectbox(
        tr("Study"),
        found,
        index=_default(found, chosen),
        format_func=run_words,
        key=f"evaluation_study_{chosen.model}_{chosen.recipe}",
    )
    study = studies_api.study(run.run_id)
    show_warnings(study.warnings)
    is_several = len(study.networks) > 1
    names = {
        name: _measure_name(name, study)
        for name in study.pooled
        if name in study.over_networks and not (name == "accuracy_2_class" and len(study.labels) == 2)
    }
    if is_several:
        name = st.selectbox(
            tr("Measure"),
            list(names),
            index=list(names).index("auroc") if "auroc" in names else 0,
            format_func=lambda one: names[one],
            key=f"evaluation_study_measure_{run.run_id}",
        )
        show(study_plots.by_network(study, name, names[name]), "evaluation_networks")
    rows = []
    for name, words in names.items():
        row: dict[str, object] = {
            tr("measure"): words,
            tr("all together, 95 % interval"): counted(study.pooled[name]),
        }
        if is_several:
            spread = study.over_networks[name]
            row[tr("mean ± sd of the networks")] = spread_told(spread.mean, spread.sd)
            row[tr("networks")] = spread.n
        rows.append(row)
    st.dataframe(rows, hide_index=True, width="stretch")
    told = [
        tr(
            "{n} images of {patients} patients, each tested by a network that never saw the patient.",
            n=study.n_images,
            patients=study.n_patients,
        )
    ]
    if is_several:
        told.append(
            tr(
                "The deviation says how much fold and seed matter; the networks share training images, so "
                "it is no standard error. The interval says what other patients might give."
            )
        )
    else:
        told.append(tr("One network was trained: folds or repeats would show how much the numbers differ."))
    st.caption(" ".join(told))


def _measure_name(name: str, study: studies_api.StudyResult) -> str:
    """Return a measure's name; of three classes and more an AUROC is the mean of theirs."""
    return measure_name("macro_auroc" if name == "auroc" and len(study.labels) > 2 else name)


def run_words(run: "CompleteRun") -> str:
    """Return what a run is called, and when it began."""
    return f"{run.name}, {datetime.fromtimestamp(run.started_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _default(found: "tuple[CompleteRun, ...]", chosen: ReleaseEvaluation) -> int:
    """Return the place of the newest study of the chosen network's recipe; else of the newest one."""
    own = [
        place
        for place, run in enumerate(found)
        if run.tags.get("hilum.recipe") == chosen.recipe and run.params.get("model") == chosen.model
    ]
    return own[0] if own else 0
