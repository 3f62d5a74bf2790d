"""The data at a glance: how many images of which class, from where, of whom, and what nobody says of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data import plots as data_plots
from dashboard.data.counts import COLUMNS, association, class_name, classes_of, count, groups_of
from dashboard.frame import part
from dashboard.language import tr
from dashboard.look import show
from dashboard.sources import data_sets_api
from dashboard.sources.evaluation_api import ReleaseEvaluation


@st.fragment
def draw(evaluation: ReleaseEvaluation | None) -> None:
    """Draw the test images of an evaluation, or a data set on this machine, as the reader chooses."""
    choices: list[str | None] = [] if evaluation is None else [None]
    choices += [str(folder) for folder in data_sets_api.folders()]
    if not choices:
        return
    with part(tr("The data at a glance")):
        chosen = choices[0]
        if len(choices) > 1:
            chosen = st.selectbox(
                tr("Images"),
                choices,
                key="data_set",
                format_func=lambda folder: (
                    tr("those that this release was tested on")
                    if folder is None
                    else tr("data set {name}, whole", name=Path(folder).name)
                ),
            )
        if chosen is not None:
            frame = data_sets_api.table(Path(chosen))
            _glance(frame, classes_of(frame))
        elif evaluation is not None:
            predictions = evaluation.predictions
            truth = np.array(predictions.labels)[predictions.truth]
            _glance(predictions.frame, pd.Series(truth, index=predictions.frame.index))


def _glance(frame: pd.DataFrame, classes: "pd.Series[str]") -> None:
    """Draw N images and the (N,) class of each."""
    from training.data.association import CONFOUNDED_FROM

    strength = association(frame, classes)
    with st.container(horizontal=True, gap="medium"):
        st.metric(tr("Images"), f"{len(frame):,}", width="content")
        st.metric(tr("Patients"), f"{frame['patient_id'].nunique():,}", width="content")
        st.metric(tr("Sources"), frame["source"].nunique(), width="content")
        st.metric(
            tr("Source and class go together"),
            "-" if strength is None else f"{strength:.2f}",
            help=tr("Cramér's V: 0 is not at all, 1 is that each source holds one class."),
            width="content",
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
    groups = groups_of(frame)
    column = st.segmented_control(
        tr("Classes by"),
        list(groups),
        default="source",
        format_func=lambda name: tr(COLUMNS[name]),
        key=f"data_column_{'_'.join(groups)}",
        required=True,
        wrap=True,
    )
    column = column or "source"
    counts = count(groups[column], classes, frame["patient_id"])
    show(data_plots.composition(counts.images, tr(COLUMNS[column])), "data_composition")
    silent = [tr(COLUMNS[name]) for name in ("view", "sex", "age") if name not in groups]
    if silent:
        st.caption(tr("Not stated, or the same for all of them: {columns}.", columns=", ".join(silent)))
    with st.expander(tr("As a table")):
        table = counts.images.rename(columns=class_name).rename_axis(tr(COLUMNS[column]))
        sums = {tr("images"): counts.images.sum(axis=1), tr("patients"): counts.patients}
        st.dataframe(table.assign(**sums), width="stretch")
