"""The map of test images: near points are images that the network takes for alike."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import streamlit as st

from dashboard import data_plots
from dashboard.frame import empty, notice, part
from dashboard.language import mark, tr
from dashboard.look import label_name
from dashboard.projection import Method, project
from dashboard.sources import pictures_api
from dashboard.sources.evaluation_api import ReleaseEvaluation

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
}


@st.fragment
def draw(evaluation: ReleaseEvaluation) -> None:
    """Draw the map; a click draws it anew without the rest of the page."""
    with part():
        _draw(evaluation)


def _draw(evaluation: ReleaseEvaluation) -> None:
    predictions = evaluation.predictions
    left, right = st.columns([2, 3])
    method = left.segmented_control(
        tr("Shown by"),
        get_args(Method),
        default="pca2",
        format_func=lambda name: tr(METHODS[name]),
        key="data_method",
        required=True,
    )
    column = right.segmented_control(
        tr("Coloured by"),
        ["label", "decided", *(name for name in ("source", "view") if name in predictions.frame)],
        default="label",
        format_func=lambda name: tr(COLOURED_BY[name]),
        key="data_coloured_by",
        required=True,
    )
    n_images = len(predictions.frame)
    with st.spinner(tr("Laying out the images. The first time takes some seconds.")):
        projection = project(evaluation.run_id, n_images, method or "pca2")
    if projection is None:
        empty(tr("The evaluation stored no embeddings, or too few to draw a map."))
        return
    frame = predictions.frame.iloc[projection.rows]
    if column in ("label", "decided"):
        classes = predictions.truth if column == "label" else predictions.decided
        groups = np.array(predictions.labels)[classes[projection.rows]]
    else:
        groups = frame[column].to_numpy(str)
    plot = data_plots.points(projection, groups, frame["path"].to_numpy(str))
    event = st.plotly_chart(
        plot,
        width="stretch",
        key=f"data_map_{evaluation.release}_{method}_{column}",
        on_select="rerun",
        selection_mode="points",
        config={"displaylogo": False, "scrollZoom": True},
    )
    _explain(method or "pca2", len(projection.rows), n_images)
    name = st.text_input(
        tr("Find an image by a part of its name"),
        key="data_find",
        help=tr("Does what a click on a point does."),
    )
    row = _found(evaluation, name) if name.strip() else clicked(event["selection"]["points"])
    if row is not None:
        _image(evaluation, row)
    elif name.strip():
        st.caption(tr("No image is called so."))
    elif method != "pca3":
        st.caption(tr("Click a point to see which image it is."))


def clicked(points: Sequence[dict[str, Any]]) -> int | None:
    """Return the row of the point that was clicked, as Streamlit tells of it; None without one."""
    if not points:
        return None
    told = points[0].get("customdata")
    row = told[0] if isinstance(told, list) and told else told
    return int(row) if isinstance(row, int | float) else None


def _found(evaluation: ReleaseEvaluation, name: str) -> int | None:
    """Return the first image whose path holds a text."""
    matches = evaluation.predictions.frame["path"].str.contains(name.strip(), case=False, regex=False)
    return int(matches.to_numpy().argmax()) if matches.any() else None


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
        sentences.append(tr("In 3D a click is not noticed: find the image by its name."))
    st.caption(" ".join(sentences))


def _image(evaluation: ReleaseEvaluation, row: int) -> None:
    """Show one image with its answer."""
    predictions = evaluation.predictions
    image = predictions.frame.iloc[row]
    left, right = st.columns([1, 2])
    with left, part():
        radiograph = pictures_api.picture(image["path"], image["source"])
        if radiograph is None:
            empty(tr("The image is not on this machine. HILUM_DATA names the folder of its data set."))
        else:
            st.image(radiograph, width="stretch", caption=image["path"])
    with right:
        truth, decided = predictions.truth[row], predictions.decided[row]
        st.markdown(f"**`{image['path']}`**")
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
