"""What a reader of an answer is told of how the release was measured."""

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.errors import SourceLyingError
from dashboard.examine.measured import measured_words
from dashboard.sources import evaluation_api
from hilum.contract import FINDINGS


def rate(value: float | None, lower: float | None, upper: float | None) -> dict[str, Any]:
    return {"value": value, "lower": lower, "upper": upper, "n": 50, "method": "wilson"}


def evaluated(monkeypatch: pytest.MonkeyPatch, **of_a_finding: dict[str, Any]) -> None:
    """Store an evaluation whose findings all have these measures."""
    result = {
        "n_images": 198,
        "n_patients": 132,
        "whole": {"per_class": dict.fromkeys(FINDINGS, of_a_finding)},
    }
    monkeypatch.setattr(evaluation_api, "evaluation", lambda _: SimpleNamespace(result=result))


def test_rates_become_counts_of_a_hundred_pictures_with_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(monkeypatch, sensitivity=rate(0.859, 0.76, 0.922), specificity=rate(0.898, 0.833, 0.939))
    words = measured_words(3)
    assert words.startswith("Release 3 was tested on 198 pictures of 132 patients it had not learned from.")
    assert (
        "Of 100 pictures with COVID-19 it reported 86 (76 to 92); "
        "of 100 without, it reported 10 by mistake (6 to 17)."
    ) in words
    assert "Of 100 pictures with lung opacity" in words


def test_a_rate_that_is_not_defined_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(monkeypatch, sensitivity=rate(None, None, None), specificity=rate(0.9, 0.8, 0.95))
    assert "Of 100" not in measured_words(3)


def test_no_evaluation_and_one_that_cannot_be_read_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_api, "evaluation", lambda _: None)
    assert measured_words(3) == "Release 3 was not evaluated."

    def lie(_: int) -> None:
        raise SourceLyingError("MLflow", "http://127.0.0.1:1", "no JSON")

    monkeypatch.setattr(evaluation_api, "evaluation", lie)
    assert measured_words(3) == "How release 3 was evaluated cannot be read at the moment."
