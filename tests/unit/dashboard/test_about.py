"""What this is: the same without a server, and the numbers of the evaluation where there is one."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.errors import SourceLyingError
from dashboard.sources import evaluation_api, registry_api, releases_api
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.contract import CLASSIFIER, FILTER, NOTICE
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.evaluation import evaluate


def page(language: str = "en") -> AppTest:
    drawn = AppTest.from_string("from dashboard import about\nabout.draw()")
    drawn.query_params["lang"] = language
    drawn.run(timeout=30)
    assert not drawn.exception
    return drawn


def aliases(monkeypatch: pytest.MonkeyPatch, **found: int) -> None:
    monkeypatch.setattr(registry_api, "promised", lambda: registry_api.Promised(aliases=found, at=0.0))


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> ReleaseEvaluation:
    found = {
        CLASSIFIER: evaluation(CLASSES, {"lung_opacity": 0.4, "covid19": 0.3}),
        FILTER: evaluation(("non_valid", "valid"), {"valid": 0.7}),
    }
    monkeypatch.setattr(evaluation_api, "evaluation", lambda _, model=CLASSIFIER: found[model])
    return found[CLASSIFIER]


def evaluation(labels: tuple[str, ...], thresholds: dict[str, float]) -> ReleaseEvaluation:
    predictions = synthetic_predictions(labels)
    return ReleaseEvaluation(
        release=3,
        run_id="run",
        recipe="toy",
        thresholds=thresholds,
        result={"data_digest": "ab" * 32, **evaluate(predictions, n_bootstrap=100).as_dict()},
        predictions=predictions,
    )


def test_without_any_server_it_says_what_it_is_its_limits_and_its_papers() -> None:
    drawn = page()
    text = "\n".join(element.value for element in drawn.markdown)
    assert sum(paper in text for paper in ("2009.01657", "2004.09363", "00865-4", "2007.05494", "4640")) == 5
    assert "without a qualified reader" in text
    assert any(NOTICE in caption.value for caption in drawn.caption)
    assert "MLflow at http://127.0.0.1" in drawn.warning[0].value


def test_the_numbers_are_those_of_the_evaluation(
    evaluated: ReleaseEvaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases(monkeypatch, champion=3)
    drawn = page()
    table = drawn.dataframe[0].value.set_index("class")
    auroc = evaluated.result["whole"]["per_class"]["covid19"]["auroc"]
    assert (
        table.loc["COVID-19", "AUROC"] == f"{auroc['value']:.3f} ({auroc['lower']:.3f}-{auroc['upper']:.3f})"
    )
    assert table.loc["COVID-19", "reported from"] == "0.30"
    assert table.loc["no finding", "reported from"] == "-"
    assert any("120 images of 60 patients" in element.value for element in drawn.markdown)
    assert any("Its filter was tested on 120 pictures" in element.value for element in drawn.markdown)
    assert list(drawn.dataframe[1].value["reported from"]) == ["0.70"]


@pytest.mark.usefixtures("evaluated")
def test_without_a_champion_the_newest_release_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    aliases(monkeypatch)
    monkeypatch.setattr(releases_api, "releases", lambda: (SimpleNamespace(number=3),))
    assert any("this is the newest one" in caption.value for caption in page().caption)


def test_no_release_and_no_evaluation_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    aliases(monkeypatch)
    monkeypatch.setattr(releases_api, "releases", tuple)
    assert "There is no release yet" in page().info[0].value
    aliases(monkeypatch, champion=3)
    monkeypatch.setattr(evaluation_api, "evaluation", lambda *_: None)
    assert "was not evaluated" in page().info[0].value


def test_a_filter_without_evaluation_is_said(
    evaluated: ReleaseEvaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases(monkeypatch, champion=3)
    monkeypatch.setattr(
        evaluation_api, "evaluation", lambda _, model=CLASSIFIER: None if model == FILTER else evaluated
    )
    assert "filter was not evaluated" in page().info[0].value


def test_an_evaluation_that_cannot_be_read_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(*_: object) -> None:
        raise SourceLyingError("MLflow", "http://127.0.0.1:1", "no JSON")

    aliases(monkeypatch, champion=3)
    monkeypatch.setattr(evaluation_api, "evaluation", lie)
    drawn = page()
    assert "cannot be read (no JSON)" in drawn.warning[0].value
    assert any("2009.01657" in element.value for element in drawn.markdown)


@pytest.mark.usefixtures("evaluated")
def test_it_speaks_portuguese(monkeypatch: pytest.MonkeyPatch) -> None:
    aliases(monkeypatch, champion=3)
    drawn = page("pt")
    assert drawn.title[0].value == "O que é isto?"
    assert "classe" in drawn.dataframe[0].value.columns
