"""The map of test images: near points are images that the network takes for alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.data import plots as data_plots
from dashboard.data.counts import groups_of
from dashboard.data.projection import Method, project
from dashboard.frame import empty, notice, part
from dashboard.language import mark, tr
from dashboard.look import label_name
from dashboard.sources import data_sets_api, pictures_api
from dashboard.sources.evaluation_api import ReleaseEvaluation

if TYPE_CHECKING:
    import pandas as pd

METHODS: dict[Method, str] = {
    "pca2": mark("PCA, 2D"),
    "pca3": mark("PCA, 3D"),
    "tsne": mark("t-SNE"),
}

COLOURED_BY = {
    "label": mark("true class"),
    "decided": mark("decided class"),
    "source": mark("source"),
    "view": mark("view"),
    "sex": mark("sex"),
    "age": mark("age (years)"),
    "time": mark("study date"),
}


@st.fragment
def draw(evaluation: ReleaseEvaluation) -> None:
    """Draw the map; a click draws it anew without the rest of the page."""
    with part():
        _draw(evaluation)


def _draw(evaluation: ReleaseEvaluation) -> None:
    predictions = evaluation.predictions
    n_images = len(predictions.frame)
    known = _groups(evaluation.run_id, predictions.frame)
    left, right = st.columns([2, 3])
    method: Method | None = left.segmented_control(
        tr("Shown by"),
        get_args(Method),
        default="pca2",
        format_func=lambda name: tr(METHODS[name]),
        key="data_method",
        required=True,
        wrap=True,
    )
    column = right.segmented_control(
        tr("Coloured by"),
        [name for name in COLOURED_BY if name in ("label", "decided", "time") or name in known],
        default="label",
        format_func=lambda name: tr(COLOURED_BY[name]),
        key=f"data_coloured_by_{'_'.join(known)}",
        required=True,
        wrap=True,
    )
    method = method or "pca2"
    with st.spinner(tr("Laying out the images. The first time takes some seconds, t-SNE up to a minute.")):
        projection = project(evaluation.run_id, n_images, method)
    if projection is None:
        empty(tr("The evaluation stored no embeddings, or too few to draw a map."))
        return
    frame = predictions.frame.iloc[projection.rows]
    groups: NDArray[Any]
    if column in ("label", "decided"):
        classes = predictions.truth if column == "label" else predictions.decided
        groups = np.array(predictions.labels)[classes[projection.rows]]
    elif column == "time":
        groups = data_sets_api.study_dates(frame).to_numpy("datetime64[s]")
        if np.isnat(groups).all():
            empty(
                tr(
                    "Nobody says when these images were made. A column study_date in the metadata.csv of "
                    "their data set does; HILUM_DATA names the data set's folder."
                )
            )
    else:
        groups = known[column].to_numpy()[projection.rows].astype(str)
    map_, beside = st.columns([3, 2])
    with beside:
        row = _choose(evaluation, projection.rows)
        if row is not None:
            _image(evaluation, row)
    with map_:
        names = frame["path"].to_numpy(str)
        plot = data_plots.points(projection, groups, names)
        key = f"data_map_{evaluation.run_id}_{method}_{column}"
        if row is not None and _needs_ring(key):
            data_plots.ring(plot, projection, row, str(predictions.frame["path"].iloc[row]))
        st.plotly_chart(
            plot,
            width="stretch",
            key=key,
            on_select=lambda: _choose_clicked(evaluation, key),
            selection_mode="points",
            config={"displaylogo": False, "scrollZoom": True},
        )
        _explain(method, len(projection.rows), n_images)


@st.cache_resource(ttl=3600, max_entries=4, show_spinner=False)  # never changed, so not copied
def _groups(run_id: str, _frame: "pd.DataFrame") -> "dict[str, pd.Series[str]]":  # noqa: ARG001 - names the rest
    return groups_of(_frame)


def _image_key(evaluation: ReleaseEvaluation) -> str:
    """Return where the chosen image is remembered: its row among the predictions."""
    return f"data_image_{evaluation.run_id}"


def _choose_clicked(evaluation: ReleaseEvaluation, key: str) -> None:
    """Choose the image whose point was clicked; none after a double click beside the points."""
    st.session_state[_image_key(evaluation)] = clicked(st.session_state.get(key))


def _needs_ring(key: str) -> bool:
    """Tell whether the chosen image is to be marked on a map.

    After a click all other points fade. Then the map is left as it is, since a changed one would be drawn
    anew and lose its zoom. A map that was marked once stays so.
    """
    ringed: set[str] = st.session_state.setdefault("data_ringed", set())
    if clicked(st.session_state.get(key)) is None:
        ringed.add(key)
    return key in ringed


def clicked(event: Any) -> int | None:
    """Return the row of the point that was clicked, as Streamlit tells of it; None without one."""
    points: Sequence[dict[str, Any]] = event["selection"]["points"] if event else ()
    if not points:
        return None
    told = points[0].get("customdata")
    row = told[0] if isinstance(told, list) and told else told
    return int(row) if isinstance(row, int | float) else None


def _choose(evaluation: ReleaseEvaluation, rows: NDArray[np.int64]) -> int | None:
    """Let the reader choose one of the map's images by its name; a click on its point chooses it here."""
    predictions = evaluation.predictions
    paths = predictions.frame["path"].to_numpy(str)
    truth, decided = predictions.truth, predictions.decided
    wrong_first = rows[np.argsort((truth == decided)[rows], kind="stable")]
    names = [label_name(label) for label in predictions.labels]
    chosen: int | None = st.selectbox(
        tr("Image: click a point, or choose here"),
        wrong_first.tolist(),
        index=None,
        key=_image_key(evaluation),
        placeholder=tr("none chosen; type a part of its name"),
        format_func=lambda row: (
            f"{paths[row]} · {names[truth[row]]}"
            + ("" if truth[row] == decided[row] else f" → {names[decided[row]]}")
        ),
        help=tr("Those that were decided wrongly come first: name, true class → decided class."),
    )
    return chosen


def _explain(method: Method, shown: int, n_images: int) -> None:
    """Say what the axes mean, and that some images are left out where they are."""
    sentences = []
    if shown < n_images:
        sentences.append(tr("{shown} of the {n} images, drawn at random.", shown=shown, n=n_images))
    if method == "tsne":
        sentences.append(
            tr("t-SNE keeps neighbours together; distances between groups and their sizes mean nothing.")
        )
    else:
        sentences.append(
            tr(
                "The axes are the directions in which the network's embeddings differ most; "
                "the percentages are of their variance."
            )
        )
    if method == "pca3":
        sentences.append(tr("In 3D a click is not noticed: choose the image by its name."))
    st.caption(" ".join(sentences))


def _image(evaluation: ReleaseEvaluation, row: int) -> None:
    """Show one image with its answer."""
    predictions = evaluation.predictions
    image = predictions.frame.iloc[row]
    with part():
        radiograph = pictures_api.picture(image["path"], image["source"])
        if radiograph is None:
            empty(tr("The image is not on this machine. HILUM_DATA names the folder of its data set."))
        else:
            st.image(radiograph, width=256, caption=image["path"], alt=image["path"])
    truth, decided = predictions.truth[row], predictions.decided[row]
    st.markdown(
        tr(
            "Source {source}. True class: **{truth}**. Decided: **{decided}**, {verdict}.",
            source=f"`{image['source']}`",
            truth=label_name(predictions.labels[truth]),
            decided=label_name(predictions.labels[decided]),
            verdict=tr("rightly") if truth == decided else tr("wrongly"),
        )
    )
    for place, label in enumerate(predictions.labels):
        share = float(predictions.probabilities[row, place])
        st.progress(share, text=f"{label_name(label)}: {share:.0%}")
    notice()
