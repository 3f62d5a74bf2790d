import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from hilum.errors import UsageError
from training.evaluate.source_probe import FOLDS, MIN_PATIENTS, probe_source

Texts = NDArray[np.str_]


def images(n_patients: int = 120, *, seed: int = 0) -> tuple[NDArray[Any], Texts, Texts]:
    """Noise embeddings (N, 12), two images a patient, of three sources that the patients are dealt to."""
    random = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), 2)
    sources = np.array(["north", "south", "west"])[patients % 3]
    return random.normal(size=(len(patients), 12)), sources, patients.astype(str)


def shifted(embeddings: NDArray[Any], names: Texts, by: float) -> NDArray[Any]:
    """Move the images of each name along an axis of its own."""
    moved = embeddings.copy()
    for axis, name in enumerate(np.unique(names)):
        moved[names == name, axis] += by
    return moved


def test_a_source_in_the_embedding_should_be_found() -> None:
    noise, sources, patients = images()
    probe = probe_source(shifted(noise, sources, 4), sources, patients, seed=0)
    assert probe.chance == pytest.approx(1 / 3)
    assert probe.balanced_accuracy.value is not None
    assert probe.balanced_accuracy.value > 0.95
    assert probe.balanced_accuracy.n == 240
    assert set(probe.recall) == {"north", "south", "west"}
    assert probe.is_high
    assert "gives the source away" in probe.verdict()
    assert "chance 33%" in probe.verdict()


def test_noise_should_give_chance() -> None:
    probes = [probe_source(*images(seed=seed), seed=0) for seed in range(8)]
    values = [probe.balanced_accuracy.value or 0 for probe in probes]
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.05)
    assert not any(probe.is_high for probe in probes)
    assert "does not give the source away" in probes[0].verdict()


def test_recognising_patients_should_not_count_as_recognising_sources() -> None:
    """All images of a patient have one embedding: a probe that saw one in training would name the other."""
    noise, sources, patients = images(n_patients=60, seed=1)
    per_patient = noise[::2].repeat(2, axis=0)
    wide = np.concatenate(
        [per_patient, np.random.default_rng(2).normal(size=(60, 90)).repeat(2, axis=0)], axis=1
    )
    found = probe_source(wide, sources, patients, seed=0).balanced_accuracy
    assert found.value == pytest.approx(1 / 3, abs=0.15)


def test_the_numbers_should_be_those_of_scikit_learn_fold_by_fold() -> None:
    noise, sources, patients = images(seed=3)
    features = shifted(noise, sources, 1)
    guessed = np.empty_like(sources)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=7)
    for train, test in folds.split(features, sources, patients):
        scaler = StandardScaler().fit(features[train])
        model = LogisticRegression(C=0.001, class_weight="balanced", max_iter=1000)
        model.fit(scaler.transform(features[train]), sources[train])
        guessed[test] = model.predict(scaler.transform(features[test]))
    probe = probe_source(features, sources, patients, seed=7)
    assert probe.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(sources, guessed), abs=0.01)
    for name, recall in zip(probe.recall, recall_score(sources, guessed, average=None), strict=True):
        assert probe.recall[name].value == pytest.approx(recall, abs=0.02)


def test_a_label_that_goes_with_the_source_should_not_be_taken_for_it() -> None:
    """The embedding holds the label alone; the source follows from it, but not within one class."""
    random = np.random.default_rng(4)
    noise, sources, patients = images(n_patients=240, seed=4)
    usual = np.where(sources == "north", "covid19", "no_finding")
    labels = np.where(random.random(len(usual)) < 0.08, "no_finding", usual)
    two = sources != "west"
    features = shifted(noise, labels, 5)
    probe = probe_source(features[two], sources[two], patients[two], seed=0, labels=labels[two])
    assert probe.is_high
    assert not any(inner.is_high for inner in probe.within_class.values())
    assert "the label may explain it" in probe.verdict()


def test_a_source_within_one_class_should_be_the_gravest_verdict() -> None:
    noise, sources, patients = images(n_patients=180, seed=5)
    labels = np.array(["covid19", "no_finding"])[patients.astype(int) % 2]
    probe = probe_source(shifted(noise, sources, 4), sources, patients, seed=0, labels=labels)
    assert set(probe.within_class) == {"covid19", "no_finding"}
    assert all(inner.is_high for inner in probe.within_class.values())
    assert "even among images of one class" in probe.verdict()
    assert "among covid19" in probe.verdict()


def test_sources_of_few_patients_should_be_left_out_and_named() -> None:
    noise, sources, patients = images()
    few = np.where(np.isin(patients, ["0", "3", "6"]), "tiny", sources)
    probe = probe_source(noise, few, patients, seed=0)
    assert probe.left_out == {"tiny": 3}
    assert "tiny" not in probe.recall
    assert probe.balanced_accuracy.n == 234


def test_one_source_should_leave_it_open() -> None:
    noise, sources, patients = images()
    probe = probe_source(noise, np.where(sources == "west", "tiny", "north")[: len(noise)], patients, seed=0)
    alone = probe_source(noise, np.full(len(noise), "north"), patients, seed=0, labels=sources)
    assert probe.chance == 0.5
    assert (alone.chance, alone.balanced_accuracy.value, alone.is_high) == (None, None, False)
    assert f"fewer than two sources have {MIN_PATIENTS} patients" in alone.verdict()


def test_it_should_depend_on_the_seed_only_and_fit_into_json() -> None:
    noise, sources, patients = images(n_patients=60)
    first, second = (probe_source(noise, sources, patients, seed=1, labels=sources) for _ in range(2))
    assert first == second
    record = json.loads(json.dumps(first.as_dict()))
    assert record["verdict"] == first.verdict()
    assert record["within_class"]["north"]["chance"] is None


def test_what_cannot_be_probed_should_be_refused() -> None:
    noise, sources, patients = images()
    with pytest.raises(UsageError, match=r"got \(240, 12\), 10, 240"):
        probe_source(noise, sources[:10], patients, seed=0)
    noise[3, 2] = np.nan
    with pytest.raises(UsageError, match="NaN or infinity"):
        probe_source(noise, sources, patients, seed=0)
