"""Evaluation: with nothing behind it, with one and two networks, and with what cannot be read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.estimates import counted
from dashboard.evaluation.page import TOP_LABEL
from dashboard.evaluation.score_plots import grouping
from dashboard.evaluation.stored_warnings import translated
from dashboard.sources import evaluation_api
from tests.support.paired_predictions import disturbed
from tests.support.predictions import CLASSES, synthetic_predictions
from tests.support.stored_runs import THRESHOLDS, StoredRuns
from training.evaluate.evaluation import TOP_LABEL as STORED_TOP_LABEL
from training.evaluate.evaluation import evaluate
from training.evaluate.predictions import Predictions


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRuns:
    stored = StoredRuns(tmp_path / "mlflow")
    stored.install(monkeypatch)
    return stored


@pytest.fixture
def evaluated(mlflow: StoredRuns) -> StoredRuns:
    """Releases 1, the champion, and 2, both evaluated on the same images."""
    predictions = synthetic_predictions()
    mlflow.add_evaluation("first", predictions)
    mlflow.add_evaluation("second", disturbed(predictions, spread=2.0))
    mlflow.add_evaluation("filter", synthetic_predictions(("non_valid", "valid")))
    mlflow.add_release(1, "first")
    mlflow.add_release(2, "second")
    mlflow.aliases["champion"] = 1
    mlflow.curves = {"train_loss": [0.9, 0.5], "val_loss": [1.0, 0.7], "val_auroc": [0.6, 0.8]}
    return mlflow


def page(language: str = "en") -> AppTest:
    drawn = AppTest.from_string("from dashboard.evaluation import page as evaluation\nevaluation.draw()")
    drawn.query_params["lang"] = language
    drawn.run(timeout=60)
    assert not drawn.exception
    return drawn


def compared(drawn: AppTest, second: int) -> AppTest:
    box = drawn.selectbox(key="evaluation_second_xray_classifier")
    box.select(f"release {second}").run(timeout=60)
    assert not drawn.exception
    return drawn


def said(drawn: AppTest) -> str:
    """Return all sentences of a page."""
    kinds = (drawn.markdown, drawn.info, drawn.warning, drawn.caption, drawn.subheader, drawn.title)
    return "\n".join(element.value for kind in kinds for element in kind)


@pytest.mark.usefixtures("mlflow")
def test_an_empty_registry_is_said() -> None:
    assert "There is no release yet" in page().info[0].value


def test_a_release_that_was_not_evaluated_is_said(mlflow: StoredRuns) -> None:
    mlflow.add_release(4, "nowhere")
    assert "release 4: not evaluated. `hilum evaluate classifier` does it." in page().info[0].value


def test_the_champion_is_shown_with_the_numbers_that_were_stored(evaluated: StoredRuns) -> None:
    drawn = page()
    chosen = drawn.selectbox(key="evaluation_first_xray_classifier").value
    assert str(chosen) == "release 1"
    table = drawn.dataframe[0].value.set_index("class")
    stored = json.loads((evaluated.folder / "first/evaluation/test/result.json").read_text())
    whole = stored["whole"]["per_class"]
    for metric, title in (("auroc", "AUROC"), ("sensitivity", "sensitivity"), ("precision", "precision")):
        assert table.loc["COVID-19", title] == counted(whole["covid19"][metric])
        assert table.loc["no finding", title] == counted(whole["no_finding"][metric])
    assert counted(stored["whole"]["overall"]["ece"]) in said(drawn)
    assert "120 test images of 60 patients; recipe toy/small." in said(drawn)
    # ROC, precision-recall, confusion, two of calibration, histograms, two of the training
    assert len(drawn.get("plotly_chart")) == 8


@pytest.mark.usefixtures("evaluated")
def test_the_table_by_group_has_the_stored_groups() -> None:
    drawn = page()
    table = drawn.dataframe[1].value.set_index("source")
    assert set(table.index) == {"north", "south", "one_class"}
    assert table.loc["one_class", "COVID-19: AUROC"] == "-"
    assert table.loc["one_class", "no finding"] == 0
    drawn.segmented_control(key="evaluation_table_xray_classifier").set_value("kind").run(timeout=60)
    assert set(drawn.dataframe[1].value["kind of picture"]) == {"ct", "frontal_cxr"}


@pytest.mark.usefixtures("evaluated")
def test_the_filter_has_an_evaluation_too() -> None:
    drawn = page()
    drawn.segmented_control(key="evaluation_network").set_value("xray_filter").run(timeout=60)
    assert not drawn.exception
    assert list(drawn.dataframe[0].value["class"]) == ["frontal chest radiograph"]
    assert {metric.label for metric in drawn.metric} >= {
        "Let through per 1,000",
        "Turned away wrongly per 1,000",
    }
    assert "release 1 reports from 0.50." in said(drawn)
    assert "The filter has no heat map" in said(drawn)


@pytest.mark.usefixtures("evaluated")
def test_two_releases_are_compared_on_the_same_images() -> None:
    text = said(compared(page(), 2))
    assert "release 1 is better: AUROC, mean of the classes differs by -0." in text
    assert "120 images of 60 patients. Intervals: 95 %, patients resampled 1000 times." in text


def test_releases_with_one_network_have_no_difference(evaluated: StoredRuns) -> None:
    evaluated.add_release(3, "first")
    assert "Both hold the same network" in said(compared(page(), 3))


def test_releases_tested_on_other_images_are_not_compared(evaluated: StoredRuns) -> None:
    evaluated.add_release(3, "third")
    evaluated.add_evaluation("third", synthetic_predictions(n_images=60))
    drawn = compared(page(), 3)
    assert "They were tested on other images" in said(drawn)
    assert len(drawn.get("plotly_chart")) == 9  # both confusions


def test_a_training_run_can_be_chosen_without_a_release(mlflow: StoredRuns) -> None:
    tags = {"hilum.recipe": "toy/large", "hilum.operating_point": json.dumps(THRESHOLDS)}
    mlflow.add_run("xray_classifier", "a1b2c3d4e5", "tuned", **tags)
    mlflow.add_evaluation("a1b2c3d4e5", synthetic_predictions())
    text = said(page())
    assert "recipe toy/large" in text
    assert "run a1b2c3d4 reports from 0.30." in text
    assert "Heat maps come from the server, which answers with another release" in text


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("torn", "result.json: "),
        ("nan", "NaN is no number"),
        ("other_version", "result.json: whole: Field required"),
        ("fewer_rows", "predictions.csv and result.json are of different images"),
        ("no_predictions", "cannot be read as a table of predictions"),
    ],
)
def test_an_evaluation_that_cannot_be_read_is_a_sentence(
    evaluated: StoredRuns, what: str, reason: str
) -> None:
    folder = evaluated.folder / "first/evaluation/test"
    result, predictions = folder / "result.json", folder / "predictions.csv"
    text = result.read_text()
    if what == "torn":
        result.write_text(text[: len(text) // 2])
    elif what == "nan":
        result.write_text(text.replace('"n_images": 120', '"n_images": NaN'))
    elif what == "other_version":
        result.write_text(text.replace('"whole"', '"total"'))
    elif what == "fewer_rows":
        predictions.write_text("".join(predictions.read_text().splitlines(keepends=True)[:50]))
    else:
        predictions.unlink()
    drawn = page()
    assert len(drawn.warning) == 1
    assert "MLflow at http://127.0.0.1" in drawn.warning[0].value
    assert reason in drawn.warning[0].value


def test_a_second_one_that_cannot_be_shown_leaves_the_first(evaluated: StoredRuns) -> None:
    (evaluated.folder / "second/evaluation/test/result.json").write_text("{")
    evaluated.add_release(3, "nowhere")
    text = said(compared(page(), 2))
    assert "result.json: " in text
    assert "120 test images of 60 patients" in text
    text = said(compared(page(), 3))
    assert "release 3: not evaluated" in text
    assert "120 test images of 60 patients" in text


def test_thresholds_that_are_no_numbers_are_a_sentence(mlflow: StoredRuns) -> None:
    mlflow.add_run("xray_classifier", "run", "tuned", **{"hilum.operating_point": "{"})
    mlflow.add_evaluation("run", synthetic_predictions())
    assert "thresholds: " in page().warning[0].value


@pytest.mark.usefixtures("evaluated")
def test_the_page_speaks_portuguese() -> None:
    drawn = page("pt")
    assert drawn.title[0].value == "Quão boa é, e em quem?"
    assert "classe" in drawn.dataframe[0].value.columns
    assert "Onde ela mais errou" in said(drawn)


def test_a_confounded_test_set_is_warned_of_first(mlflow: StoredRuns) -> None:
    predictions = synthetic_predictions()
    names = np.array(["home", "clinic", "hospital"])[predictions.truth]
    frame = predictions.frame.assign(
        source=names, patient_id=np.where(predictions.truth == 2, "one", predictions.frame["patient_id"])
    )
    mlflow.add_evaluation("run", replace(predictions, frame=frame))
    mlflow.add_release(1, "run")
    drawn = page()
    assert "The source nearly gives the class away (Cramér's V 1.00)" in drawn.warning[0].value
    assert "are of one patient" in drawn.warning[1].value


def test_every_warning_of_an_evaluation_is_known_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = synthetic_predictions(n_images=60)
    frame = predictions.frame.assign(
        source=[str(truth) for truth in predictions.truth],
        patient_id=np.where(predictions.truth == 1, "one", predictions.frame["patient_id"]),
    )
    without = replace(predictions, frame=frame).take(pd.Series(predictions.truth != 2))
    warnings = evaluate(without, n_bootstrap=100).warnings
    assert len(warnings) == 3
    monkeypatch.setattr("dashboard.language.current_language", lambda: "pt")
    assert sorted(translated(sentence).split()[0] for sentence in warnings) == ["A", "Nenhuma", "Todas"]


def test_ages_are_grouped_as_the_evaluation_groups_them(evaluated: StoredRuns) -> None:
    predictions = synthetic_predictions()
    frame = predictions.frame.assign(age=[str(20 + i % 60) for i in range(120)])
    evaluated.add_evaluation("ages", replace(predictions, frame=frame))
    evaluated.add_release(5, "ages")
    evaluation = evaluation_api.evaluation(5)
    assert evaluation is not None
    assert set(grouping(evaluation, "age")) == set(evaluation.result["groups"]["age"])


def test_the_top_label_is_called_as_the_evaluation_calls_it() -> None:
    assert TOP_LABEL == STORED_TOP_LABEL


def test_the_threshold_is_moved_to_a_case_worked_by_hand(mlflow: StoredRuns) -> None:
    # 98 of 100 of the class and 300 of 3,000 others are at 0.6: at a prevalence of 2 % that is
    # 19.6 + 98 alerts, and 0.4 missed, per 1,000.
    scores = np.r_[np.full(98, 0.6), np.full(2, 0.2), np.full(300, 0.6), np.full(2700, 0.2)]
    n_images = len(scores)
    frame = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(n_images)],
            "source": "one",
            "patient_id": [str(i) for i in range(n_images)],
            "kind": "frontal_cxr",
        }
    )
    rest = (1 - scores) / 2
    truth = np.r_[np.full(100, 2), np.zeros(2900, int), np.ones(100, int)]
    probabilities = np.stack([rest, rest, scores], axis=1)
    predictions = Predictions(CLASSES, truth, probabilities, probabilities.argmax(axis=1), frame)
    mlflow.add_evaluation("run", predictions)
    mlflow.add_release(1, "run")
    drawn = page()
    tables = len(drawn.dataframe)
    for folded in ("evaluation_threshold_table", "evaluation_deep_covid_tables"):
        drawn.session_state[folded] = True
    drawn.slider(key="evaluation_threshold_run_covid19").set_value(0.5)
    drawn.slider(key="evaluation_prevalence_covid19").set_value(2.0).run(timeout=60)
    assert {metric.label: metric.value for metric in drawn.metric} == {
        "Sensitivity": "0.980",
        "Specificity": "0.900",
        "Alerts per 1,000": "118",
        "Missed per 1,000": "0.4",
    }
    # Wilson: 0.930 to 0.994 and 0.889 to 0.910. So the alerts reach 117.6 - hypot(20 x 0.0500, 980 x 0.0102)
    # and 117.6 + hypot(20 x 0.0145, 980 x 0.0113).
    text = said(drawn)
    assert "0.930 to 0.994, n 100" in text
    assert "0.889 to 0.910, n 3000" in text
    assert "108 to 129, of which 98 for nothing" in text
    assert "0.1 to 1.4" in text
    ours = [one.value.set_index("threshold") for one in drawn.dataframe if "threshold" in one.value]
    assert len(drawn.dataframe) == tables + len(ours)
    of_thresholds, beside_paper = ours
    assert list(of_thresholds.loc[0.5, ["sensitivity", "specificity"]]) == [
        "0.980 (0.930-0.994)",
        "0.900 (0.889-0.910)",
    ]
    # At the paper's 0.1, 0.17 and 0.2 everything is reported.
    assert beside_paper["ours: sensitivity"].str[:5].tolist() == ["1.000"] * 3 + ["0.980"] * 2
    assert beside_paper["ours: specificity"].str[:5].tolist() == ["0.000"] * 3 + ["0.900"] * 2
