"""Which images are shown, and their overlays for a report."""

from io import BytesIO

import pandas as pd
import pytest
from PIL import Image

from tests.support.evidence import bright_square_network
from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.examples import choose_examples, example_overlays


def many(patients_of_a: list[str], n_b: int = 2) -> SampleTable:
    frame = pd.DataFrame(
        {
            "path": [f"{n}.png" for n in range(len(patients_of_a) + n_b)],
            "label": ["a"] * len(patients_of_a) + ["b"] * n_b,
            "patient_id": patients_of_a + [f"b{n}" for n in range(n_b)],
        }
    )
    return SampleTable(frame, ("b", "a", "c"))


def test_examples_come_class_after_class_and_fewer_where_there_are_fewer() -> None:
    chosen = choose_examples(many([f"a{n}" for n in range(20)]), per_class=3)
    assert chosen.frame["label"].tolist() == ["b", "b", "a", "a", "a"]
    assert chosen.labels == ("b", "a", "c")
    assert chosen.frame["path"].is_unique


def test_patients_repeat_only_when_there_is_no_other() -> None:
    table = many(["one"] * 18 + ["two", "three"])
    for seed in range(10):
        chosen = choose_examples(table, per_class=3, seed=seed).frame
        assert set(chosen.loc[chosen["label"] == "a", "patient_id"]) == {"one", "two", "three"}
    assert choose_examples(table, per_class=5).frame["label"].value_counts()["a"] == 5


def test_the_seed_chooses() -> None:
    table = many([f"a{n}" for n in range(50)])
    first = choose_examples(table, 4, seed=1).frame["path"].tolist()
    assert choose_examples(table, 4, seed=1).frame["path"].tolist() == first
    assert choose_examples(table, 4, seed=2).frame["path"].tolist() != first


def test_overlays_for_a_report_say_what_was_decided(table: SampleTable, cache: RadiographCache) -> None:
    overlays = example_overlays(bright_square_network(), table, cache, per_class=2, size_px=200)
    assert len(overlays) == 4
    decided = {overlay.path: (overlay.label, overlay.decided) for overlay in overlays}
    assert decided["dark/0.png"] == ("dark", "bright")
    assert decided["dark/1.png"] == ("dark", "dark")
    for overlay in overlays:
        assert Image.open(BytesIO(overlay.png)).size == (200, 200)
        assert overlay.method == "cam"
        if overlay.path == "bright/0.png":
            assert overlay.border_share == pytest.approx(0, abs=1e-6)
            assert overlay.probability == pytest.approx(1, abs=1e-4)
