"""Folds and repeats, and the papers' numbers beside ours: as their commands store them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.estimates import counted
from dashboard.evaluation.stored_warnings import translated
from dashboard.sources import papers_api, studies_api
from hilum.contract import CLASSIFIER
from tests.support.predictions import synthetic_predictions
from tests.support.stored_runs import StoredRuns
from tests.support.studies import fold_parts, tiny_family
from training.commands import paper
from training.study import study as stored_study
from training.study.paper.compare import compare
from training.study.paper.plan import Network, networks_of
from training.study.pooled import Summary, summarize
from training.train.family import load_family


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRuns:
    stored = StoredRuns(tmp_path / "mlflow")
    stored.install(monkeypatch)
    stored.add_evaluation("run", synthetic_predictions())
    stored.add_release(1, "run")
    return stored


def as_stored(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as JSON gives it back."""
    stored: dict[str, Any] = json.loads(json.dumps(record))
    return stored


def add_study(mlflow: StoredRuns, folds: int = 4) -> dict[str, Any]:
    summary = summarize(fold_parts(synthetic_predictions(), folds), n_bootstrap=100)
    record = {"study": "key", "model": CLASSIFIER, "recipe": "toy/small", **summary.as_dict()}
    mlflow.add_run(
        studies_api.STUDIES,
        "study",
        f"toy/small classifier: {folds} folds",
        **{"hilum.study": "key", "hilum.recipe": "toy/small"},
    )
    mlflow.add_file("study", studies_api.FILE, record)
    return as_stored(record)


def view(name: str, language: str = "en") -> AppTest:
    def script(name: str) -> None:
        from importlib import import_module

        from dashboard.sources import evaluation_api

        import_module(f"dashboard.evaluation.{name}").draw(evaluation_api.evaluation(1))

    drawn = AppTest.from_function(script, args=(name,), default_timeout=60)
    drawn.query_params["lang"] = language
    drawn.run()
    assert not drawn.exception
    return drawn


def test_a_study_shows_each_fold_and_their_spread(mlflow: StoredRuns) -> None:
    record = add_study(mlflow)
    drawn = view("studies")
    table = drawn.dataframe[0].value.set_index("measure")
    pooled, spread = record["pooled"]["accuracy"], record["over_networks"]["accuracy"]
    assert table.loc["accuracy", "all together, 95 % interval"] == counted(pooled)
    assert table.loc["accuracy", "mean ± sd of the networks"] == f"{spread['mean']:.3f} ± {spread['sd']:.3f}"
    assert table.loc["accuracy", "networks"] == 4
    (chart,) = drawn.get("plotly_chart")
    points = json.loads(chart.proto.spec)["data"][0]
    assert points["y"] == [f"repeat 1, fold {fold}" for fold in (1, 2, 3, 4)]
    assert points["x"] == [one["auroc"] for one in record["networks"]]
    assert "no standard error" in drawn.caption[-1].value


def test_one_network_has_no_spread(mlflow: StoredRuns) -> None:
    add_study(mlflow, folds=1)
    drawn = view("studies")
    assert "mean ± sd of the networks" not in drawn.dataframe[0].value
    assert not drawn.get("plotly_chart")
    assert "One network was trained" in drawn.caption[-1].value


def test_no_study_and_no_paper_are_said(mlflow: StoredRuns) -> None:
    assert "`hilum crossval` does it" in view("studies").info[0].value
    assert "`hilum paper` trains by its recipe" in view("papers").info[0].value


@pytest.mark.parametrize(
    ("torn", "reason"),
    [
        (lambda text: text[:400], "study/result.json: "),
        (lambda text: text.replace('"n_images": 120', '"n_images": NaN'), "NaN is no number"),
        (lambda text: text.replace('"over_networks"', '"spread"'), "over_networks: Field required"),
    ],
    ids=["torn", "nan", "other_version"],
)
def test_a_study_that_cannot_be_read_is_a_sentence(
    mlflow: StoredRuns, torn: Callable[[str], str], reason: str
) -> None:
    add_study(mlflow)
    file = mlflow.folder / "study" / studies_api.FILE
    file.write_text(torn(file.read_text()))
    assert reason in view("studies").warning[0].value


@pytest.fixture
def report(mlflow: StoredRuns) -> dict[str, Any]:
    """The report of a paper that was never written, of every kind of table."""
    family = tiny_family()
    summary = summarize(fold_parts(synthetic_predictions(), 3), n_bootstrap=100)
    results: dict[Network, Summary] = {
        network: summary for table in family.published for network in networks_of(table)
    }
    comparisons = [compare(table, results) for table in family.published]
    record = {
        "name": "toy",
        "source": family.source,
        "command": "hilum paper toy --data DIR",
        "data": "drawn",
        "networks": [
            {
                "variant": "small",
                "model": CLASSIFIER,
                "protocol": "3 folds by patient",
                "decision": "argmax",
                "epochs": 2,
                "weights": "none",
                "images": {"no_finding": 40, "lung_opacity": 40, "covid19": 40},
                "n_patients": 60,
                "n_networks": 3,
            }
        ],
        "comparisons": [asdict(one) for one in comparisons if one is not None],
        "warnings": [
            "small: The source nearly gives the class away (Cramer's V 0.63): a network that only recognised "
            "the source would also score high. Read the rows per source before trusting the whole.",
            "The paper contradicts itself: Table 2 prints covid19.sensitivity 0.928 of small, the counts of "
            "Table 3 make 0.954.",
        ],
    }
    mlflow.add_run(papers_api.PAPERS, "report", "toy", **{"hilum.recipe": "toy"})
    mlflow.add_file("report", "paper/toy.json", record)
    return as_stored(record)


def test_every_table_of_a_paper_stands_beside_ours(report: dict[str, Any]) -> None:
    drawn = view("papers")
    kinds = [table["kind"] for table in report["comparisons"]]
    assert {"metrics", "confusion"} <= set(kinds)
    text = "\n".join(element.value for element in drawn.markdown)
    for table in report["comparisons"]:
        assert f"**{table['table']}: {table['title']}**" in text
    number = next(table for table in report["comparisons"] if table["kind"] == "metrics")["numbers"][0]
    table = next(frame.value for frame in drawn.dataframe if "ours less the paper's" in frame.value)
    assert table["ours"][0] == counted(number["ours"])
    assert table["ours less the paper's"][0] == f"{number['difference']:+.3f}"
    assert "Cramér's V 0.63" in drawn.warning[0].value
    assert "COVID-19: sensitivity" in drawn.warning[1].value


def test_a_report_that_cannot_be_read_is_a_sentence(mlflow: StoredRuns, report: dict[str, Any]) -> None:
    del report["comparisons"]
    (mlflow.folder / "report/paper/toy.json").write_text(json.dumps(report))
    assert "comparisons: Field required" in view("papers").warning[0].value


def test_an_unknown_warning_is_shown_as_it_is_stored() -> None:
    for sentence in ("Read this: Twice.", "something else"):
        assert translated(sentence) == sentence


def test_deep_covids_tables_are_those_of_the_recipe() -> None:
    published = [table for table in load_family("deepcovid").published if table.kind == "thresholds"]
    assert [table.model_dump() for table in papers_api.deep_covid_tables()] == [
        {key: value for key, value in table.model_dump().items() if key not in ("kind", "interval", "model")}
        for table in published
    ]


def test_names_are_those_of_the_commands() -> None:
    assert stored_study.EXPERIMENT == studies_api.STUDIES
    assert stored_study.STUDY_TAG == studies_api.STUDY_TAG
    assert paper.EXPERIMENT == papers_api.PAPERS
