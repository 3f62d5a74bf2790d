"""Data and drift: what a release was tested on, how its images lie, and whether what arrives has changed."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard import data_plots
from dashboard.frame import empty, part
from dashboard.language import mark, tr
from dashboard.look import label_name, show
from dashboard.sources import evaluation_api, registry_api, releases_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from dashboard.views import drift, projector

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"source": mark("source"), "view": mark("view")}
"""What the test images can be told apart by, where they say it."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("What was it tested on, and has what arrives changed?"))
    chosen: int | None = None
    with part():
        numbers = [release.number for release in releases_api.releases()]
        if numbers:
            champion = registry_api.promised().aliases.get("champion")
            chosen = st.selectbox(
                tr("Release"),
                numbers,
                index=numbers.index(champion) if champion in numbers else 0,
                key="data_release",
                format_func=lambda n: tr("release {n}", n=n),
            )
        else:
            empty(tr("There is no release yet. `hilum release create` makes one."))
    if chosen is not None:
        with part():
            _tested(chosen)
    drift.draw(chosen)


def _tested(number: int) -> None:
    evaluation = evaluation_api.evaluation(number)
    if evaluation is None:
        empty(tr("This release's classifier was not evaluated. `hilum evaluate classifier` does it."))
        return
    st.subheader(tr("The test images at a glance"))
    _glance(evaluation)
    with part(tr("The test images as a map")):
        projector.draw(evaluation)


def _glance(evaluation: ReleaseEvaluation) -> None:
    """Show how many images and patients there are, of which class and from where."""
    from training.data.association import CONFOUNDED_FROM

    result, frame = evaluation.result, evaluation.predictions.frame
    columns = st.columns(4)
    columns[0].metric(tr("Images"), f"{result['n_images']:,}")
    columns[1].metric(tr("Patients"), f"{result['n_patients']:,}")
    columns[2].metric(tr("Sources"), frame["source"].nunique())
    strength = result["source_label_association"]
    columns[3].metric(
        tr("Source and class go together"),
        "-" if strength is None else f"{strength:.2f}",
        help=tr("Cramér's V: 0 is not at all, 1 is that each source holds one class."),
    )
    if strength is not None and strength >= CONFOUNDED_FROM:
        st.warning(
            tr(
                "The source nearly gives the class away (Cramér's V {strength:.2f}): a network that only "
                "recognised the source would score high too. Read the numbers of each source.",
                strength=strength,
            ),
            icon=":material/warning:",
        )
    known = [column for column in COLUMNS if column in frame]
    column = st.segmented_control(
        tr("Classes by"),
        known,
        default="source",
        format_func=lambda name: tr(COLUMNS[name]),
        key="data_column",
        required=True,
    )
    column = column or "source"
    counts = _counts(evaluation, column)
    show(data_plots.composition(counts, tr(COLUMNS[column])), "data_composition")
    patients = frame["patient_id"].groupby(frame[column]).nunique()
    with st.expander(tr("As a table")):
        st.dataframe(
            [
                {
                    tr(COLUMNS[column]): str(group),
                    tr("images"): int(row.sum()),
                    tr("patients"): int(patients[str(group)]),
                    **{label_name(label): int(row[label]) for label in counts.columns},
                }
                for group, row in counts.iterrows()
            ],
            hide_index=True,
            width="stretch",
        )


def _counts(evaluation: ReleaseEvaluation, column: str) -> "pd.DataFrame":
    """Return images by group (row) and true class (column), the largest group first."""
    import pandas as pd

    predictions = evaluation.predictions
    counts = pd.crosstab(
        predictions.frame[column].to_numpy(), np.array(predictions.labels)[predictions.truth]
    ).reindex(columns=list(predictions.labels), fill_value=0)
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False).index]
