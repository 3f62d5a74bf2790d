from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from hilum.contract import LABELS
from tests.support.gate_stored import stored_release
from tests.support.toy_record import network
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.sample_table import FILTER_LABELS, SampleTable
from training.promote.asking import FrontDoorAnswer
from training.promote.gate.answers import CLASSIFIER_ANSWERS, ServedAnswers
from training.promote.gate.cases import GateCases
from training.promote.gate.comparison import Side, compare, nothing_to_compare
from training.promote.gate.front_door import FrontDoor
from training.promote.gate.policy import LatencyRules, Policy
from training.promote.verdict import Check

N = 90
POLICY = Policy(name="test", latency=LatencyRules(rounds=5, requests=1, ratio=1000))


class Door:
    """Answers anything at once."""

    def ask(self, _image: bytes) -> FrontDoorAnswer:
        return FrontDoorAnswer(release=1, valid_probability=1, accepted=True, probabilities=(1, 0, 0))


@pytest.fixture
def cases(tmp_path: Path) -> GateCases:
    (tmp_path / "image").write_bytes(b"an image")
    frame = pd.DataFrame(
        {
            "path": "image",
            "kind": [f"case {index}" for index in range(N)],
            "source": "only",
            "patient_id": [str(index) for index in range(N)],
            "finding": [LABELS[index % 3] for index in range(N)],
            "label": "valid",
            "turns": 0,
        }
    )
    return GateCases(DataSet(tmp_path, frame), SampleTable(frame, FILTER_LABELS), RadiographCache(tmp_path))


def served(rejected: int = 0) -> ServedAnswers:
    """Return right answers to every case, but for the first ones, which the filter rejects."""
    accepted = np.arange(N) >= rejected
    probabilities = np.full((N, 3), 0.1)
    probabilities[np.arange(N), np.arange(N) % 3] = 0.8
    probabilities[~accepted] = np.nan
    decided = np.where(accepted, np.arange(N) % 3, CLASSIFIER_ANSWERS.index("rejected"))
    return ServedAnswers(np.where(accepted, 0.9, 0.1), accepted, probabilities, decided)


def side(answers: ServedAnswers, *, number: int, filter_sha: str = "aa", thresholds: float = 0.5) -> Side:
    stored = stored_release(
        number,
        filter=network(1).model_copy(update={"sha256": filter_sha}),
        classifier=network(2).model_copy(update={"sha256": "bb"}),
        thresholds={"lung_opacity": thresholds, "covid19": 0.5},
    )
    return Side(stored=stored, door=cast(FrontDoor, Door()), served=answers)


def compared(release: Side, cases: GateCases) -> dict[str, Check]:
    champion = side(served(), number=3)
    return {check.name: check for check in compare(release, champion, cases, POLICY)}


def test_networks_that_are_the_same_need_no_statistics(cases: GateCases) -> None:
    found = compared(side(served(), number=4), cases)
    assert list(found) == [
        "filter, no worse than release 3",
        "classifier, no worse than release 3",
        "latency",
    ]
    assert {check.outcome for check in found.values()} == {"passed"}
    assert "the same network (by SHA-256)" in found["filter, no worse than release 3"].sentence


def test_other_thresholds_are_other_decisions(cases: GateCases) -> None:
    found = compared(side(served(), number=4, thresholds=0.6), cases)
    assert found["filter, no worse than release 3"].outcome == "passed"
    assert found["covid19 sensitivity, no worse than release 3"].numbers["n"] == N / 3


def test_a_filter_that_rejects_costs_the_classifier_its_sensitivity(cases: GateCases) -> None:
    found = compared(side(served(rejected=60), number=4, filter_sha="cc"), cases)
    assert found["valid sensitivity, no worse than release 3"].outcome == "failed"
    covid = found["covid19 sensitivity, no worse than release 3"]
    assert (covid.outcome, covid.numbers["release"]) == ("failed", pytest.approx(1 / 3))
    assert found["covid19 specificity, no worse than release 3"].numbers["release"] == 1


def test_latency_needs_a_radiograph_that_both_accept(cases: GateCases) -> None:
    latency = compared(side(served(rejected=N), number=4, filter_sha="cc"), cases)["latency"]
    assert (latency.outcome, latency.numbers) == ("cannot_tell", {})
    assert (
        compared(side(served(rejected=60), number=4, filter_sha="cc"), cases)["latency"].outcome == "passed"
    )


def test_without_another_release_nothing_is_compared() -> None:
    assert nothing_to_compare(4, None).sentence == "Not compared: there is no champion yet."
    assert nothing_to_compare(4, 4).sentence == "Not compared: release 4 would meet itself."
