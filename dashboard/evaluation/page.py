"""Evaluation: how good a network is, on whom, and whether another one is better."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from dashboard.estimates import counted
from dashboard.evaluation import groups, papers, plots, studies, study_plots, thresholds, versus, worst_cases
from dashboard.evaluation.measures import OF_A_CLASS, OVERALL, measure_name
from dashboard.evaluation.stored_warnings import show_warnings
from dashboard.frame import empty, notice, part
from dashboard.language import mark, tr
from dashboard.look import label_name, show
from dashboard.sources import evaluation_api, registry_api, releases_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.contract import CLASSIFIER, FILTER

NETWORKS = {
    CLASSIFIER: mark("Classifier: what the picture resembles"),
    FILTER: mark("Filter: is it a frontal film?"),
}

TOP_LABEL = "top_label"
"""`training.evaluate.evaluation.TOP_LABEL`: how sure the network is of its most probable class."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a reader can choose: a release, or what a training run left."""

    release: int | None
    run_id: str = ""
    words: str = ""
    """What the run is called."""

    def __str__(self) -> str:
        return self.words if self.release is None else tr("release {n}", n=self.release)


def draw() -> None:
    """Draw the page."""
    st.title(tr("How good is it, and on whom?"))
    with part():
        model = st.segmented_control(
            tr("Network"),
            list(NETWORKS),
            default=CLASSIFIER,
            format_func=lambda name: tr(NETWORKS[name]),
            key="evaluation_network",
            required=True,
        )
        model = model or CLASSIFIER
        chosen = _choose(model)
        if not chosen:
            empty(tr("There is no release yet. `hilum release create` makes one."))
            return
        found = [_evaluation(subject, model) for subject in chosen]
        if found[0] is not None:
            _page([one for one in found if one is not None])


def _choose(model: str) -> list[Subject]:
    """Return the one or two that the reader chose; none where there is nothing to choose from."""
    subjects = [Subject(release.number) for release in releases_api.releases()]
    for run in evaluation_api.runs(model):
        day = datetime.fromtimestamp(run.started_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        words = tr(
            "run {run}: {recipe}, {name}, {day}",
            run=run.run_id[:8],
            recipe=run.tags.get("hilum.recipe", "-"),
            name=run.name,
            day=day,
        )
        subjects.append(Subject(None, run.run_id, words))
    if not subjects:
        return []
    champion = Subject(registry_api.promised().aliases.get("champion"))
    left, right = st.columns(2)
    first = left.selectbox(
        tr("Release or training run"),
        subjects,
        index=subjects.index(champion) if champion in subjects else 0,
        key=f"evaluation_first_{model}",
        format_func=str,
    )
    second = right.selectbox(
        tr("Compare with"),
        [None, *(subject for subject in subjects if subject != first)],
        key=f"evaluation_second_{model}",
        format_func=lambda subject: tr("none") if subject is None else str(subject),
    )
    return [subject for subject in (first, second) if subject is not None]


def _evaluation(subject: Subject, model: str) -> ReleaseEvaluation | None:
    """Return what was measured of a network; None, and a sentence on the page, where it cannot be shown."""
    found: ReleaseEvaluation | None = None
    with part():
        if subject.release is None:
            found = evaluation_api.run_evaluation(subject.run_id, model)
        else:
            found = evaluation_api.evaluation(subject.release, model)
        if found is None:
            empty(
                tr(
                    "{name}: not evaluated. `hilum evaluate {network}` does it.",
                    name=str(subject),
                    network=model.removeprefix("xray_"),
                )
            )
    return found


def _page(found: Sequence[ReleaseEvaluation]) -> None:
    """Draw what was measured of one network, and of a second one beside it."""
    for one in found:
        _head(one)
    notice()
    if len(found) == 2:
        with part(tr("The two on the same images")):
            versus.draw(found[0], found[1])
    _confusions(found)
    _one_class(found)
    chosen = found[0]
    with part(tr("What it got most wrong")):
        worst_cases.draw(chosen)
    with part(tr("How it learned")):
        _learning(chosen)
    with part(tr("Folds and repeats")):
        studies.draw(chosen)
    with part(tr("Beside the papers' numbers")):
        papers.draw(chosen)


@st.fragment  # another class draws this part anew, not the whole page
def _one_class(found: Sequence[ReleaseEvaluation]) -> None:
    """Let the reader choose a class, and draw what was measured of it."""
    chosen = found[0]
    reported = list(chosen.result["whole"]["per_class"])
    label = reported[-1]
    if len(reported) > 1:
        label = (
            st.segmented_control(
                tr("Class"),
                reported,
                default=label,
                format_func=label_name,
                key=f"evaluation_label_{len(reported)}",
                required=True,
            )
            or label
        )
    # The second may know other classes: it is then left out of what is drawn of this one.
    same = [one for one in found if label in one.result["whole"]["per_class"]]
    with part(tr("By group of patients and images")):
        groups.table(chosen, label)
    _curves(same, label)
    with part(tr("Where to draw the line")):
        thresholds.draw(same, label)
    with part(tr("Are its probabilities true?")):
        _reliability(same, label)
    with part(tr("How sure it is, by group")):
        groups.scores(chosen, label)


def _head(one: ReleaseEvaluation) -> None:
    """Say what was tested, warn of what weakens the numbers, and give the numbers."""
    result = one.result
    st.subheader(one.name)
    show_warnings(result["warnings"])
    st.caption(
        tr(
            "{n} test images of {patients} patients; recipe {recipe}. "
            "Intervals: 95 %, patients resampled or Wilson.",
            n=result["n_images"],
            patients=result["n_patients"],
            recipe=one.recipe,
        )
    )
    whole = result["whole"]
    st.dataframe(
        [
            {
                tr("class"): label_name(label),
                tr("images"): whole["counts"][label],
                **{measure_name(key): counted(measures[key]) for key in OF_A_CLASS if key in measures},
            }
            for label, measures in whole["per_class"].items()
        ],
        hide_index=True,
        width="stretch",
    )
    st.caption(
        " · ".join(
            f"{measure_name(key)} {counted(whole['overall'][key])}"
            for key in OVERALL
            if key in whole["overall"]
        )
    )


def _curves(found: Sequence[ReleaseEvaluation], label: str) -> None:
    left, right = st.columns(2)
    with left:
        st.subheader(tr("ROC curve"))
        show(plots.roc(found, label), "evaluation_roc")
    with right:
        st.subheader(tr("Precision and sensitivity"))
        show(plots.precision_recall(found, label), "evaluation_precision")
    st.caption(tr("Bands: 95 %, patients resampled. The large marker is what was decided."))


def _confusions(found: Sequence[ReleaseEvaluation]) -> None:
    st.subheader(tr("Confusion"))
    for place, (column, one) in enumerate(zip(st.columns(2), found, strict=False)):
        with column:
            st.markdown(f"**{one.name}**")
            show(
                plots.confusion(one.result["confusion"], one.result["labels"]),
                f"evaluation_confusion_{place}",
            )


def _reliability(found: Sequence[ReleaseEvaluation], label: str) -> None:
    left, right = st.columns(2)
    sides = ((left, label, label_name(label)), (right, TOP_LABEL, tr("the most probable class")))
    for column, name, title in sides:
        with column:
            st.markdown(f"**{title}**")
            show(plots.reliability(found, name), f"evaluation_reliability_{name}")
    st.caption(
        tr("On the dotted line, 70 of 100 pictures with a probability of 70 % are right. Bars: 95 %, Wilson.")
    )


def _learning(chosen: ReleaseEvaluation) -> None:
    records = evaluation_api.learning_curves(chosen.run_id)
    if not records:
        empty(tr("Its training stored no losses."))
        return
    left, right = st.columns(2)
    with left:
        show(study_plots.losses(records), "evaluation_losses")
    with right:
        show(study_plots.validation(records), "evaluation_validation")
