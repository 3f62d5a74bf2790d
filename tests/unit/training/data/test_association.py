import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from training.data.association import SourceShortcut, source_label_association, source_shortcuts


def test_cramers_v_should_agree_with_the_chi_squared_statistic() -> None:
    sources = ["a"] * 30 + ["b"] * 25 + ["c"] * 10
    labels = ["x"] * 20 + ["y"] * 10 + ["x"] * 5 + ["y"] * 20 + ["x"] * 6 + ["y"] * 4
    table = [[20, 10], [5, 20], [6, 4]]
    chi_squared = chi2_contingency(table, correction=False).statistic
    assert source_label_association(sources, labels) == pytest.approx((chi_squared / 65) ** 0.5)


def test_cramers_v_should_reach_its_ends() -> None:
    assert source_label_association(["a", "a", "b", "b"], [0, 1, 0, 1]) == pytest.approx(0)
    assert source_label_association(["a", "a", "b", "c"], [0, 0, 1, 1]) == pytest.approx(1)
    assert source_label_association(["a", "a"], [0, 1]) is None
    assert source_label_association(["a", "b"], [1, 1]) is None


def rows(*groups: tuple[int, str, str, str, str]) -> pd.DataFrame:
    """A table of (number, source, finding, filter_label, split)."""
    columns = ["source", "finding", "filter_label", "split"]
    return pd.DataFrame([row for n, *row in groups for _ in range(n)], columns=columns)


def test_guesses_should_be_learnt_in_train_and_counted_elsewhere() -> None:
    frame = rows(
        (8, "nih", "no_finding", "valid", "train"),
        (2, "nih", "covid19", "valid", "train"),
        (5, "web", "covid19", "valid", "train"),
        (3, "nih", "no_finding", "valid", "val"),
        (1, "nih", "covid19", "valid", "test"),
        (4, "web", "covid19", "valid", "test"),
        (2, "new", "no_finding", "valid", "test"),
        (9, "nih", "", "valid", "test"),
    )
    classifier = next(s for s in source_shortcuts(frame) if s.network == "classifier")
    # nih -> no_finding (3 right, 1 wrong), web -> covid19 (4 right), new -> train's commonest, no_finding (2)
    assert (classifier.n_images, classifier.n_sources, classifier.n_guessed) == (25, 3, 10)
    assert classifier.guess_accuracy == pytest.approx(9 / 10)
    assert classifier.base_rate == pytest.approx(5 / 10)
    expected = chi2_contingency([[11, 3], [0, 9], [2, 0]], correction=False).statistic
    assert classifier.cramers_v == pytest.approx((expected / 25) ** 0.5)
    assert classifier.is_high
    assert "right for 90% of the 10 val and test images, always the commonest label for 50%" in str(
        classifier
    )


def test_each_network_should_be_measured_by_its_own_label() -> None:
    frame = rows(
        (10, "a", "covid19", "valid", "train"),
        (10, "b", "", "non_valid", "train"),
        (10, "a", "no_finding", "valid", "train"),
        (10, "b", "covid19", "valid", "train"),
        (10, "b", "no_finding", "valid", "train"),
    )
    by_network = {shortcut.network: shortcut for shortcut in source_shortcuts(frame)}
    assert by_network["classifier"].cramers_v == pytest.approx(0)
    assert not by_network["classifier"].is_high
    assert "does not give" in str(by_network["classifier"])
    assert by_network["filter"].n_images == 50
    expected = chi2_contingency([[20, 0], [20, 10]], correction=False).statistic
    assert by_network["filter"].cramers_v == pytest.approx((expected / 50) ** 0.5)
    assert by_network["filter"].guess_accuracy is None  # no val or test to count on


def test_rows_with_wrong_values_should_be_left_out() -> None:
    frame = rows((4, "a", "flu", "valid", "train"), (4, "b", "covid19", "maybe", "train"))
    (shortcut,) = source_shortcuts(frame)
    assert shortcut == SourceShortcut("filter", 4, 1, None, 0, None, None)
    assert "tells nothing" in str(shortcut)


def test_rows_should_be_paired_by_place_not_by_index() -> None:
    sources = pd.Series(["a", "a", "b", "b"], index=[9, 3, 5, 1])
    assert source_label_association(sources, [0, 0, 1, 1]) == pytest.approx(1)
