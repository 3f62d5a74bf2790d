import numpy as np
import pytest
from rich.console import Console

from tests.support.paired_predictions import disturbed
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.comparison import Comparison, compare
from training.evaluate.comparison_tables import comparison_frame, comparison_table

FILTER_LABELS = ("non_valid", "valid")


def compared(labels: tuple[str, ...] = CLASSES, **renamed: str) -> Comparison:
    a = synthetic_predictions(labels)
    a.frame["source"] = a.frame["source"].replace(renamed)
    return compare(a, disturbed(a, spread=1.0), n_bootstrap=100)


def printed(comparison: Comparison) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(comparison_table(comparison))
    return capture.get()


def test_the_frame_holds_every_number_once() -> None:
    comparison = compared()
    frame = comparison_frame(comparison)
    assert len(frame) == 4 * 11
    assert not frame.duplicated(["scope", "group", "label", "metric"]).any()
    row = frame.query(
        "scope == 'source' and group == 'north' and label == 'covid19' and metric == 'sensitivity'"
    )
    expected = next(
        d for d in comparison.sources["north"] if (d.metric, d.label) == ("sensitivity", "covid19")
    )
    for field in ("a", "b", "value", "lower", "upper", "test_lower", "p_value", "p_adjusted", "only_a", "n"):
        assert row[field].item() == getattr(expected, field), field


def test_what_is_not_defined_is_nan_in_the_frame() -> None:
    undefined = comparison_frame(compared()).query("group == 'one_class' and metric == 'auroc'")
    assert len(undefined) == 3
    assert np.isnan(undefined["value"]).all()
    assert undefined["only_a"].isna().all()


@pytest.mark.parametrize("labels", [CLASSES, FILTER_LABELS])
def test_the_table_fits_eighty_columns_whole(labels: tuple[str, ...]) -> None:
    comparison = compared(labels)
    text = printed(comparison)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).startswith(comparison.verdict.sentence)
    for difference in comparison.whole:
        assert f"{difference.value:+.3f}" in text
        assert f"{difference.lower:+.3f} to {difference.upper:+.3f}" in text
        if difference.only_a is not None:
            assert f"{difference.only_a}/{difference.only_b}" in text
    assert "McNemar's tests take" in text, "the warnings are not shown"


def test_a_source_shows_its_headline_and_accuracy_and_is_no_markup() -> None:
    text = printed(compared(north="[red]", south="[/b]"))
    assert "source [red]" in text
    assert "source [/b]" in text
    for_source = text[text.index("source [/b]") : text.index("source [red]")]
    assert "macro AUROC" in for_source
    assert "accuracy" in for_source
    assert "sensitivity" not in for_source
