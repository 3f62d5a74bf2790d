"""A study's result as a table."""

from rich.console import Console

from tests.support.predictions import synthetic_predictions
from tests.support.studies import fold_parts
from training.study.measures import measure_names
from training.study.pooled import summarize
from training.study.tables import COLUMNS, summary_figures, summary_frame, summary_table


def test_each_number_has_a_row_with_both_uncertainties() -> None:
    summary = summarize(fold_parts(synthetic_predictions(), 3), n_bootstrap=100)
    frame = summary_frame(summary).set_index("metric")
    assert tuple(frame.columns) == COLUMNS[1:]
    assert tuple(frame.index) == measure_names(summary.evaluation.labels)
    row = frame.loc["covid19.sensitivity"]
    assert row["lower"] < row["value"] < row["upper"]
    assert (row["networks"], row["method"]) == (3, "wilson")
    assert row["sd"] > 0


def test_the_table_fits_a_terminal_and_repeats_the_warnings() -> None:
    predictions = synthetic_predictions(n_images=300)
    predictions.frame["source"] = [predictions.labels[k] for k in predictions.truth]
    summary = summarize(fold_parts(predictions, 3), n_bootstrap=100)
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(summary_table(summary, "a study"))
    text = capture.get()
    assert "…" not in text
    assert "source nearly gives the class away" in " ".join(text.split())
    assert f"over {3} networks" in text


def test_figures_are_those_of_the_pooled_evaluation() -> None:
    summary = summarize(fold_parts(synthetic_predictions(), 2), n_bootstrap=100)
    assert {"confusion_matrix", "roc"} <= set(summary_figures(summary))
