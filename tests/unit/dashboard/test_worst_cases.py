"""The worst cases: which they are, their pictures, and the heat map where the server can be asked."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from clients.errors import TooLargeError
from clients.results import Screening
from dashboard.errors import SourceUnreachableError
from dashboard.evaluation.worst_cases import MOST, PER_ROW, ROTATED, worst
from dashboard.sources import triton_api
from hilum.contract import LABELS
from hilum.settings import settings
from tests.support.predictions import synthetic_predictions
from tests.support.stored_runs import StoredRuns
from training.data import sample_table

HELD = "evaluation_worst_answers"
"""Where a session keeps what it asked for."""


def screening(release: int, *, accepted: bool = True) -> Screening:
    return Screening(
        release=release,
        accepted=accepted,
        valid_probability=0.9,
        probabilities=dict.fromkeys(LABELS, 1 / 3) if accepted else None,
        finding=LABELS[1] if accepted else None,
        activation_map=np.ones((3, 8, 8), np.float32) if accepted else None,
    )


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Stand in for a server of release 1; what it was sent is returned."""
    sent: list[bytes] = []

    def screen(image: bytes) -> Screening:
        sent.append(image)
        return screening(1)

    monkeypatch.setattr(triton_api, "trouble", lambda: "")
    monkeypatch.setattr(triton_api, "screen", screen)
    return sent


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRuns:
    """Release 1, the champion, and 2; of the first one's images one is on this machine."""
    stored = StoredRuns(tmp_path / "mlflow", aliases={"champion": 1})
    stored.install(monkeypatch)
    stored.add_evaluation("run", synthetic_predictions())
    stored.add_evaluation("filter", synthetic_predictions(("non_valid", "valid")))
    stored.add_release(1, "run")
    stored.add_release(2, "run")
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    predictions = synthetic_predictions()
    with (data / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        columns = ("path", "source", "patient_id", "view", "finding", "filter_label", "kind", "split")
        writer.writerow(columns)
        for row in worst(predictions, 2):
            image = predictions.frame.iloc[row]
            writer.writerow(
                (image["path"], image["source"], image["patient_id"], "PA", "covid19", "valid", "cxr", "test")
            )
            Image.fromarray(np.full((300, 300), 90, np.uint8)).save(data / image["path"])
    monkeypatch.setenv("HILUM_DATA", str(data))
    settings.cache_clear()
    return stored


def page(release: int = 1, model: str = "xray_classifier") -> AppTest:
    def script(model: str) -> None:
        import streamlit as st

        from dashboard.evaluation import worst_cases
        from dashboard.sources import evaluation_api

        found = evaluation_api.evaluation(st.session_state["release"], model)
        assert found is not None
        worst_cases.draw(found)

    drawn = AppTest.from_function(script, args=(model,), default_timeout=60)
    drawn.session_state["release"] = release
    drawn.run()
    assert not drawn.exception
    return drawn


def said(drawn: AppTest) -> str:
    kinds = (drawn.markdown, drawn.info, drawn.warning, drawn.caption)
    return "\n".join(element.value for kind in kinds for element in kind)


def ask(drawn: AppTest) -> AppTest:
    drawn.button[0].click().run()
    assert not drawn.exception
    return drawn


def test_the_worst_are_wrong_and_in_order() -> None:
    predictions = synthetic_predictions()
    rows = worst(predictions, MOST)
    assert len(rows) == MOST
    given = predictions.probabilities[rows, predictions.truth[rows]]
    assert (predictions.decided[rows] != predictions.truth[rows]).all()
    assert (np.diff(given) >= 0).all()
    others = np.setdiff1d(np.flatnonzero(predictions.decided != predictions.truth), rows)
    assert predictions.probabilities[others, predictions.truth[others]].min() >= given[-1]


def test_a_network_that_was_never_wrong_has_none() -> None:
    predictions = synthetic_predictions()
    assert worst(replace(predictions, decided=predictions.truth), MOST) == []


@pytest.mark.usefixtures("stored")
def test_evidence_is_asked_for_one_picture_at_a_time(answering: list[bytes]) -> None:
    drawn = page()
    assert not answering
    assert [button.label for button in drawn.button] == [
        "Where was the evidence?"
    ] * 2  # the two that are here
    assert said(drawn).count("The image is not on this machine") == PER_ROW - 2
    drawn.session_state["evaluation_worst_others"] = True
    drawn.run()
    assert said(drawn).count("The image is not on this machine") == MOST - 2
    ask(drawn)
    assert len(answering) == 1
    assert len(drawn.button) == 1
    (held,) = drawn.session_state[HELD][1].values()
    assert held.release == 1


@pytest.mark.usefixtures("stored", "answering")
@pytest.mark.parametrize(
    ("release", "model", "sentence"),
    [
        (2, "xray_classifier", "which answers with another release: the pictures stand alone"),
        (1, "xray_filter", "The filter has no heat map"),
    ],
)
def test_another_release_and_the_filter_have_pictures_alone(release: int, model: str, sentence: str) -> None:
    drawn = page(release, model)
    assert sentence in said(drawn)
    assert not drawn.button


@pytest.mark.usefixtures("stored")
def test_a_server_that_is_down_is_said_and_leaves_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_api, "trouble", lambda: "ServerUnreachable")
    drawn = page()
    assert "The server does not answer (ServerUnreachable), so there are no heat maps now." in said(drawn)
    assert not drawn.button


@pytest.mark.usefixtures("stored", "answering")
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda: screening(7), "The server answers with release 7 now."),
        (lambda: screening(1, accepted=False), "The filter turned it away, so there is no heat map."),
        (TooLargeError(3), "The server refuses this file."),
        (SourceUnreachableError("Triton", "there", "Timeout"), "Triton at there does not answer (Timeout)"),
    ],
    ids=["another_release", "turned_away", "refused", "down"],
)
def test_what_the_server_says_instead_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Screening] | Exception, sentence: str
) -> None:
    def screen(_: bytes) -> Screening:
        if isinstance(answer, Exception):
            raise answer
        return answer()

    monkeypatch.setattr(triton_api, "screen", screen)
    assert sentence in said(ask(page()))


@pytest.mark.usefixtures("answering")
def test_what_was_asked_of_one_network_is_forgotten_with_another(stored: StoredRuns) -> None:
    stored.add_release(3, "other")
    stored.add_evaluation("other", synthetic_predictions())
    drawn = ask(page())
    assert list(drawn.session_state[HELD][1]) == worst(synthetic_predictions(), 1)
    drawn.session_state["release"] = 3
    stored.aliases["champion"] = 3
    st.cache_data.clear()
    drawn.run()
    assert len(drawn.button) == 2
    assert drawn.session_state[HELD] == ("other", {})


def test_a_turned_radiograph_is_called_as_the_samples_call_it() -> None:
    assert sample_table.ROTATED == ROTATED
