"""Paired answers against the truth: matched by digest, judged as two networks on a test split are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hilum.contract import LABELS
from hilum.paired_answers import Pair, image_digest
from tests.support.paired_answers import pair
from training.errors import DataSetError
from training.evaluate.comparison import compare
from training.evaluate.predictions import Predictions
from training.promote.labelled_pairs import compare_with_labels, read_labels

KEY = b"a key for tests only"

ANSWERS = [
    ("covid19", "covid19", "covid19"),
    ("covid19", "no_finding", "covid19"),
    ("lung_opacity", "no_finding", "lung_opacity"),
    ("lung_opacity", "lung_opacity", "lung_opacity"),
    ("no_finding", "no_finding", "no_finding"),
    ("no_finding", "no_finding", "lung_opacity"),
    ("covid19", "rejected", "covid19"),
    ("no_finding", "no_finding", "rejected"),
    ("lung_opacity", "rejected", "rejected"),
]
"""Truth, champion's answer, challenger's answer."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Labels of nine files; three patients have two of them."""
    (tmp_path / "ward").mkdir()
    rows = []
    for number, (truth, _, _) in enumerate(ANSWERS):
        (tmp_path / "ward" / f"{number}.png").write_bytes(b"%d" % number)
        rows.append({"path": f"ward/{number}.png", "label": truth, "patient_id": f"p{number % 6}"})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "labels.csv"


def pairs() -> list[Pair]:
    return [
        pair(
            image_digest(KEY, b"%d" % number),
            champion,
            challenger,
            minute=number,
            sure=(0.6, 0.7 + number / 50),
        )
        for number, (_, champion, challenger) in enumerate(ANSWERS)
    ]


def test_both_are_judged_on_the_labelled_images(table: Path) -> None:
    found = compare_with_labels(pairs(), read_labels(table, KEY), n_bootstrap=100)
    assert found is not None
    assert found.n == 9
    assert (found.rejected_by_champion, found.rejected_by_challenger, found.rejected_by_both) == (1, 1, 1)
    # Right by the challenger only: 1, 2 and 6; by the champion only: 5 and 7.
    assert (found.only_champion_right, found.only_challenger_right) == (2, 3)
    assert found.difference == pytest.approx(1 / 9)


def test_the_classifiers_are_compared_as_two_networks_are(table: Path) -> None:
    kept = [number for number, row in enumerate(ANSWERS) if "rejected" not in row]
    truth = np.array([LABELS.index(ANSWERS[n][0]) for n in kept])
    frame = pd.DataFrame(
        {"path": kept, "source": "live", "patient_id": [f"p{n % 6}" for n in kept], "kind": "live"}
    )

    def predictions(side: int, sure: list[float]) -> Predictions:
        said = np.array([LABELS.index(ANSWERS[n][side]) for n in kept])
        rows = np.array(
            [[p if k == s else (1 - p) / 2 for k in range(3)] for s, p in zip(said, sure, strict=True)]
        )
        return Predictions(LABELS, truth, rows, said, frame)

    expected = compare(
        predictions(1, [0.6] * len(kept)), predictions(2, [0.7 + n / 50 for n in kept]), n_bootstrap=100
    )
    found = compare_with_labels(pairs(), read_labels(table, KEY), n_bootstrap=100)
    assert found is not None
    assert found.comparison is not None
    assert found.comparison.whole == expected.whole
    assert (found.comparison.n_images, found.comparison.n_patients) == (6, 6)


def test_a_second_submission_and_an_unlabelled_image_change_nothing(table: Path) -> None:
    labels = read_labels(table, KEY)
    more = [
        *pairs(),
        pair(pairs()[0].image, "covid19", "no_finding", minute=99),
        pair(77, "covid19", "no_finding"),
    ]
    assert compare_with_labels(more, labels, n_bootstrap=100) == compare_with_labels(
        pairs(), labels, n_bootstrap=100
    )


def test_where_all_are_rejected_no_classifier_is_compared(table: Path) -> None:
    rejected = [pair(found.image, "rejected", "rejected", minute=0) for found in pairs()]
    found = compare_with_labels(rejected, read_labels(table, KEY))
    assert found is not None
    assert found.comparison is None
    assert (found.rejected_by_both, found.difference) == (9, 0)


def test_labels_under_another_key_match_nothing(table: Path) -> None:
    assert compare_with_labels(pairs(), read_labels(table, b"the key of another ward")) is None


def test_a_data_sets_metadata_serves_as_labels(table: Path) -> None:
    frame = pd.read_csv(table).rename(columns={"label": "finding"})
    frame.loc[8, "finding"] = ""
    frame["source"] = "ward 7"
    frame.to_csv(table, index=False)
    labels = read_labels(table, KEY)
    assert len(labels) == 8
    assert {found.source for found in labels.values()} == {"ward 7"}


def test_labels_without_patients_count_each_image_as_one(table: Path) -> None:
    pd.read_csv(table).drop(columns="patient_id").to_csv(table, index=False)
    labels = read_labels(table, KEY)
    assert [found.patient_id for found in labels.values()] == list(labels)


def test_one_image_under_two_names_counts_once(table: Path) -> None:
    (table.parent / "ward" / "8.png").write_bytes(b"3")  # labelled lung_opacity, as 3.png is
    assert len(read_labels(table, KEY)) == 8
    (table.parent / "ward" / "8.png").write_bytes(b"0")  # 0.png is covid19
    with pytest.raises(
        DataSetError, match=r"two labels: ward/0.png is covid19, and ward/8.png, .* is lung_op"
    ):
        read_labels(table, KEY)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("file,truth\n", r"expected the columns path and label \(or finding\), found file, truth"),
        ("path,label\nward/0.png,pneumonia\n", r"labels ward/0.png as 'pneumonia'; expected no_finding, "),
        ("path,label\nward/none.png,covid19\n", r"names ward/none.png, which cannot be read: No such file"),
        ("", "cannot be read as a table of labels"),
    ],
)
def test_a_wrong_table_is_refused_by_a_sentence(table: Path, content: str, sentence: str) -> None:
    table.write_text(content)
    with pytest.raises(DataSetError, match=sentence):
        read_labels(table, KEY)
