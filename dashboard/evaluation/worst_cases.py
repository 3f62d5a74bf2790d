"""What it got most wrong: the test images it was surest about and wrong, with where the evidence lay.

The pictures come from the data set on this machine, the evidence from the server, one picture at a time and
only when it is asked for. Both live in the reader's own session.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from clients.errors import RadiographRefusedError, TooLargeError
from clients.results import Screening
from dashboard.examine.answer import escaped
from dashboard.frame import empty, folded, notice, part
from dashboard.language import mark, tr
from dashboard.look import label_name
from dashboard.sources import pictures_api, registry_api, triton_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.contract import FILTER, LABELS
from hilum.overlay import draw_overlay

if TYPE_CHECKING:
    import pandas as pd

    from training.evaluate.predictions import Predictions

MOST = 12
"""Cases that are shown."""

PER_ROW = 3

ROTATED = "rotated_cxr"
"""`training.data.sample_table.ROTATED`: a radiograph that the filter was shown turned; a test compares."""

SIDES = {"decided": mark("what it decided"), "truth": mark("the true class")}
"""Whose evidence is coloured."""

_ANSWERS = "evaluation_worst_answers"


def worst(predictions: "Predictions", most: int) -> list[int]:
    """Return the rows of the images decided wrongly, the least probability of the true class first."""
    rows = np.flatnonzero(predictions.decided != predictions.truth)
    given = predictions.probabilities[rows, predictions.truth[rows]]
    return [int(row) for row in rows[np.argsort(given, kind="stable")][:most]]


@st.fragment
def draw(evaluation: ReleaseEvaluation) -> None:
    """Draw the cases; asking for the evidence of one draws them anew without the rest of the page."""
    with part():
        _draw(evaluation)


def _draw(evaluation: ReleaseEvaluation) -> None:
    predictions = evaluation.predictions
    rows = worst(predictions, MOST)
    if not rows:
        empty(tr("No test image was decided wrongly."))
        return
    wrong = int((predictions.decided != predictions.truth).sum())
    st.caption(
        tr(
            "{wrong} of {n} test images were decided wrongly; here are the {shown} with the least "
            "probability of the true class.",
            wrong=wrong,
            n=len(predictions.truth),
            shown=len(rows),
        )
    )
    trouble = _why_without_evidence(evaluation)
    side = "decided"
    if trouble:
        st.caption(trouble)
    else:
        side = (
            st.segmented_control(
                tr("Show the evidence for"),
                list(SIDES),
                default="decided",
                format_func=lambda name: tr(SIDES[name]),
                key="evaluation_worst_side",
                required=True,
            )
            or "decided"
        )
    can_ask = not trouble
    _in_a_row(evaluation, rows[:PER_ROW], side=side, can_ask=can_ask)
    if len(rows) > PER_ROW:
        others = folded(tr("The others"), "evaluation_worst_others")
        if others.open:
            with others:
                for start in range(PER_ROW, len(rows), PER_ROW):
                    _in_a_row(evaluation, rows[start : start + PER_ROW], side=side, can_ask=can_ask)
    notice()


def _why_without_evidence(evaluation: ReleaseEvaluation) -> str:
    """Return why no heat map can be had; empty where the server can be asked for one."""
    if evaluation.model == FILTER:
        return tr("The filter has no heat map: the pictures stand alone.")
    if evaluation.release is None or registry_api.promised().aliases.get("champion") != evaluation.release:
        return tr(
            "Heat maps come from the server, which answers with another release: the pictures stand alone."
        )
    down = triton_api.trouble()
    return (
        tr("The server does not answer ({reason}), so there are no heat maps now.", reason=down)
        if down
        else ""
    )


def _in_a_row(evaluation: ReleaseEvaluation, rows: Sequence[int], *, side: str, can_ask: bool) -> None:
    for column, row in zip(st.columns(PER_ROW), rows, strict=False):
        with column, st.container(border=True), part():
            _case(evaluation, row, side=side, can_ask=can_ask)


def _case(evaluation: ReleaseEvaluation, row: int, *, side: str, can_ask: bool) -> None:
    """Draw one image: picture, what was said of it, and the button that asks for the evidence."""
    predictions = evaluation.predictions
    image = predictions.frame.iloc[row]
    truth, decided = (predictions.labels[int(each[row])] for each in (predictions.truth, predictions.decided))
    content = pictures_api.content(image["path"], image["source"])
    picture = st.container()
    st.markdown(
        tr(
            "True class: **{truth}** ({given:.0%}). Decided: **{decided}** ({said:.0%}).",
            truth=label_name(truth),
            given=float(predictions.probabilities[row, predictions.truth[row]]),
            decided=label_name(decided),
            said=float(predictions.probabilities[row, predictions.decided[row]]),
        )
    )
    st.caption(f"{escaped(image['path'])} · {escaped(image['source'])}")
    if content is not None and can_ask and row not in _answers(evaluation):
        button = st.empty()
        if button.button(
            tr("Where was the evidence?"),
            key=f"evaluation_worst_{evaluation.run_id}_{row}",
            help=tr("Sends this test image to the server."),
        ) and _ask(evaluation, row, content):
            button.empty()
    with picture:  # drawn last: it shows what the button asked for
        if content is None:
            empty(tr("The image is not on this machine. HILUM_DATA names the folder of its data set."))
        else:
            screening = _answers(evaluation).get(row)
            _picture(image, screening, decided if side == "decided" else truth)


def _picture(image: "pd.Series[str]", screening: Screening | None, label: str) -> None:
    """Show the radiograph, under the evidence for one class where it was asked for."""
    radiograph = pictures_api.picture(image["path"], image["source"])
    assert radiograph is not None
    if screening is not None and screening.activation_map is not None:
        overlay = draw_overlay(radiograph, screening.activation_map[LABELS.index(label)])
        caption = tr("evidence for {label}", label=label_name(label))
        st.image(overlay, width="stretch", caption=caption, alt=f"{image['path']}: {caption}")
        return
    turned = image["kind"] == ROTATED
    caption = tr("upright here: the filter was shown it turned") if turned else tr("as the networks saw it")
    st.image(Image.fromarray(radiograph), width="stretch", caption=caption, alt=f"{image['path']}: {caption}")
    if screening is not None:
        st.caption(tr("The filter turned it away, so there is no heat map."))


def _ask(evaluation: ReleaseEvaluation, row: int, content: bytes) -> bool:
    """Ask the server about one image, and answer whether its answer is this release's."""
    try:
        screening = triton_api.screen(content)
    except (RadiographRefusedError, TooLargeError):
        st.caption(tr("The server refuses this file."))
        return False
    if screening.release != evaluation.release:
        st.caption(tr("The server answers with release {n} now.", n=screening.release))
        return False
    _answers(evaluation)[row] = screening
    return True


def _answers(evaluation: ReleaseEvaluation) -> dict[int, Screening]:
    """Return what this reader asked of one release, `MOST` answers at most; of one release at a time."""
    release, answers = st.session_state.get(_ANSWERS, (None, {}))
    if release != evaluation.run_id:
        answers = {}
        st.session_state[_ANSWERS] = (evaluation.run_id, answers)
    kept: dict[int, Screening] = answers
    return kept
