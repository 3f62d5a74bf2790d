"""Data and drift: with nothing behind it, with all, and with sources that are old or broken."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from dashboard import queries
from dashboard.data.drift_signals import Drift, signal_name
from dashboard.errors import SourceLyingError, SourceUnreachableError
from dashboard.sources import (
    evaluation_api,
    pictures_api,
    prometheus_api,
    registry_api,
    releases_api,
)
from dashboard.sources.embeddings_api import Embeddings
from dashboard.sources.evaluation_api import ReleaseEvaluation
from hilum.reference import SIGNALS
from hilum.settings import settings
from tests.support.predictions import synthetic_predictions
from tests.support.prometheus_api import Behaviour, PrometheusApi, Samples
from training.data.metadata import COLUMNS


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> ReleaseEvaluation:
    """Stand in for MLflow: release 3 is the champion, and evaluated."""
    predictions = synthetic_predictions()
    n_images = len(predictions.frame)
    found = ReleaseEvaluation(
        release=3,
        run_id="run",
        recipe="toy",
        thresholds={"lung_opacity": 0.4, "covid19": 0.3},
        result={},
        predictions=predictions,
    )
    values = np.random.default_rng(1).normal(size=(n_images, 16)).astype(np.float32)
    monkeypatch.setattr(evaluation_api, "evaluation", lambda _: found)
    monkeypatch.setattr(
        "dashboard.data.projection.embeddings", lambda *_: Embeddings(rows=np.arange(n_images), values=values)
    )
    monkeypatch.setattr(releases_api, "releases", lambda: (SimpleNamespace(number=3),))
    monkeypatch.setattr(
        registry_api, "promised", lambda: registry_api.Promised(aliases={"champion": 3}, at=0.0)
    )
    return found


def measured(*, images: float = 400.0, distance: float = 0.31) -> dict[str, Samples]:
    """Return what a Prometheus answers about release 3, by expression."""
    labels: list[Mapping[str, str]] = [{"release": "3", "signal": signal} for signal in SIGNALS]
    shares = {"0.1": 0.2, "0.5": 0.6, "+Inf": 1.0}
    return {
        queries.SIGNAL_IMAGES.expression: [(one, images) for one in labels],
        queries.REFERENCE_IMAGES.expression: [(one, 500.0) for one in labels],
        queries.DRIFT.expression: [(one, distance) for one in labels],
        queries.DRIFT_BOUND.expression: [(one, 0.13) for one in labels],
        queries.SERVED_BUCKETS.expression: [
            ({**one, "le": le}, 400 * share) for one in labels for le, share in shares.items()
        ],
        queries.REFERENCE_SHARES.expression: [
            ({**one, "le": le}, share**2) for one in labels for le, share in shares.items()
        ],
        **{
            query.expression: [({}, value)]
            for query, value in zip(queries.drift_of("3", SIGNALS[0]), (distance, 0.13), strict=True)
        },
    }


def page(language: str = "en") -> AppTest:
    drawn = AppTest.from_string("from dashboard.data import page as data\ndata.draw()")
    drawn.query_params["lang"] = language
    drawn.run(timeout=30)
    assert not drawn.exception
    return drawn


def coloured_by(drawn: AppTest) -> ButtonGroup[str]:
    control: ButtonGroup[str] = next(one for one in drawn.segmented_control if one.label == "Coloured by")
    return control


def write_table(folder: Path, monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame) -> None:
    """Write a data set's table, without its images, and let the page know of it."""
    table = frame.reindex(columns=[*dict.fromkeys((*COLUMNS, *frame.columns))], fill_value="")
    table.to_csv(folder / "metadata.csv", index=False)
    monkeypatch.setenv("HILUM_DATA", str(folder))
    settings.cache_clear()


def said(drawn: AppTest) -> str:
    """Return all sentences of a page."""
    kinds = (drawn.markdown, drawn.info, drawn.warning, drawn.caption, drawn.subheader, drawn.title)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_with_no_source_at_all_the_page_says_which_do_not_answer() -> None:
    text = said(page())
    assert text.count("does not answer") == 3  # MLflow once, Prometheus for drift and for the challenger
    assert "MLflow at http://127.0.0.1" in text
    assert "Prometheus at http://127.0.0.1" in text


def test_an_empty_prometheus_is_not_one_that_fails(prometheus: PrometheusApi) -> None:
    text = said(page())
    assert "No image was served in the last six hours" in text
    assert "No challenger answered" in text
    assert "Prometheus at" not in text


@pytest.mark.usefixtures("evaluated")
def test_the_test_set_is_there_at_a_glance_without_prometheus() -> None:
    drawn = page()
    assert {metric.label: metric.value for metric in drawn.metric}["Patients"] == "60"
    assert len(drawn.dataframe[0].value) == 3  # sources
    assert drawn.dataframe[0].value["images"].sum() == 120
    assert len(drawn.get("plotly_chart")) == 2
    assert "Prometheus at" in said(drawn)


@pytest.mark.usefixtures("evaluated")
def test_an_image_is_chosen_by_its_name_and_told_with_its_answer() -> None:
    drawn = page()
    assert "True class" not in said(drawn)
    drawn.selectbox(key="data_image_run").set_value(17).run(timeout=30)
    assert not drawn.exception
    assert "True class" in said(drawn)
    assert "The image is not on this machine" in said(drawn)
    assert "chosen" in drawn.get("plotly_chart")[1].proto.spec


def test_wrongly_decided_images_are_offered_first(evaluated: ReleaseEvaluation) -> None:
    offered = page().selectbox(key="data_image_run").options
    predictions = evaluated.predictions
    n_wrong = int((predictions.truth != predictions.decided).sum())
    assert ["→" in name for name in offered] == [True] * n_wrong + [False] * (len(offered) - n_wrong)


@pytest.mark.usefixtures("evaluated")
@pytest.mark.parametrize("method", ["pca3", "tsne"])
@pytest.mark.parametrize("column", ["decided", "source", "time"])
def test_every_map_can_be_drawn(method: str, column: str) -> None:
    drawn = page()
    drawn.segmented_control(key="data_method").set_value(method)
    coloured_by(drawn).set_value(column).run(timeout=60)
    assert not drawn.exception
    assert len(drawn.get("plotly_chart")) == 2
    assert ("Nobody says when these images were made" in said(drawn)) == (column == "time")


def test_a_map_is_coloured_by_the_study_dates_that_are_known(
    evaluated: ReleaseEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = evaluated.predictions.frame
    dates = ["2020-03-01", "2020-04-30", "soon", *[""] * (len(frame) - 3)]
    write_table(tmp_path, monkeypatch, frame.assign(study_date=dates))
    drawn = page()
    coloured_by(drawn).set_value("time").run(timeout=30)
    assert not drawn.exception
    spec = drawn.get("plotly_chart")[1].proto.spec
    assert "2020-03-01" in spec
    assert "2020-04-30" in spec
    assert "not stated" in spec
    assert "Nobody says when" not in said(drawn)


def test_a_whole_data_set_is_counted_with_what_nobody_says_of_it(
    evaluated: ReleaseEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = evaluated.predictions.frame
    write_table(
        tmp_path,
        monkeypatch,
        frame.assign(
            finding=["covid19", "", *["no_finding"] * (len(frame) - 2)],
            filter_label=["valid"] * (len(frame) - 1) + ["non_valid"],
            split=["test", *["train"] * (len(frame) - 1)],
            sex=["F", "M", *["unknown"] * (len(frame) - 2)],
            age=["9", "85", *["40"] * (len(frame) - 3), ""],
        ),
    )
    drawn = page()
    drawn.selectbox(key="data_set").set_value(str(tmp_path)).run(timeout=30)
    assert not drawn.exception
    control = next(one for one in drawn.segmented_control if one.label == "Classes by")
    assert list(control.options) == ["source", "sex", "age (years)", "part of the data", "kind of picture"]
    assert "Not stated, or the same for all of them: view." in said(drawn)
    tables = {}
    for column in ("split", "sex", "age"):
        control = next(one for one in drawn.segmented_control if one.label == "Classes by")
        control.set_value(column).run(timeout=30)
        tables[column] = drawn.dataframe[0].value
    assert list(tables["split"].index) == ["to learn from (train)", "to test on (test)"]
    assert tables["split"].loc["to test on (test)", "COVID-19"] == 1
    assert tables["split"]["frontal film without such a label"].sum() == 1
    assert tables["split"]["no frontal chest radiograph"].sum() == 1
    assert tables["sex"].loc["not stated", "images"] == len(frame) - 2
    assert list(tables["age"].index) == ["0-17", "40-59", "80+", "not stated"]


@pytest.mark.usefixtures("evaluated")
def test_a_broken_table_leaves_the_rest_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metadata.csv").write_text("no,such,table\n1,2,3\n")
    monkeypatch.setenv("HILUM_DATA", str(tmp_path))
    settings.cache_clear()
    drawn = page()
    drawn.selectbox(key="data_set").set_value(str(tmp_path)).run(timeout=30)
    assert not drawn.exception
    assert any("lacks the column" in warning.value for warning in drawn.warning)
    assert "The test images as a map" in said(drawn)


def test_drift_is_told_for_every_signal(prometheus: PrometheusApi, evaluated: ReleaseEvaluation) -> None:
    prometheus.answers = measured()
    drawn = page()
    text = said(drawn)
    assert text.count("What arrives has changed: 31.0 % away") == len(SIGNALS)
    assert all(signal_name(signal) in text for signal in SIGNALS)
    assert len(drawn.get("plotly_chart")) == 4
    assert "Nothing was measured" not in text


@pytest.mark.usefixtures("evaluated")
def test_few_images_say_nothing(prometheus: PrometheusApi) -> None:
    prometheus.answers = measured(images=99)
    assert said(page()).count("99 images in six hours: too few to say") == len(SIGNALS)


@pytest.mark.usefixtures("evaluated")
def test_a_distance_that_is_no_number_is_not_called_good(prometheus: PrometheusApi) -> None:
    prometheus.answers = measured(distance=float("nan"))
    text = said(page())
    assert text.count("Prometheus has no distance for it yet") == len(SIGNALS)
    assert "As in the reference" not in text


@pytest.mark.usefixtures("evaluated")
def test_a_release_without_reference_says_so(prometheus: PrometheusApi) -> None:
    prometheus.answers = {queries.SIGNAL_IMAGES.expression: measured()[queries.SIGNAL_IMAGES.expression]}
    text = said(page())
    assert "This release has no reference sample" in text
    assert text.count("This release carries no reference sample") == len(SIGNALS)


@pytest.mark.usefixtures("evaluated")
def test_old_values_are_not_shown_as_new(prometheus: PrometheusApi) -> None:
    prometheus.answers = measured() | {
        query.expression: [({}, 0.2)] for query in queries.drift_of("3", SIGNALS[0])
    }
    prometheus.age_s = 1800.0
    assert "No image was served in the last six hours" in said(page())


@pytest.mark.usefixtures("evaluated")
@pytest.mark.parametrize("behaviour", ["html", "failing", "slow", "other_form"])
def test_a_broken_prometheus_leaves_a_sentence_and_the_test_set(
    prometheus: PrometheusApi, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_api, "TIMEOUT_S", (0.2, 0.2))
    prometheus.behaviour = behaviour
    drawn = page()
    reason = "does not answer" if behaviour == "slow" else "cannot be read"
    assert [reason in warning.value for warning in drawn.warning if "Prometheus" in warning.value] == [
        True
    ] * 2
    assert {metric.label for metric in drawn.metric} >= {"Images", "Patients"}


@pytest.mark.usefixtures("evaluated")
def test_the_page_speaks_portuguese(prometheus: PrometheusApi) -> None:
    prometheus.answers = measured(distance=0.01)
    text = said(page("pt"))
    assert text.count("Como na referência: 1.0 %") == len(SIGNALS)
    assert "Os dados em resumo" in text


@pytest.mark.parametrize(
    ("images", "reference", "distance", "outcome"),
    [
        (99.9, 500.0, 0.9, "few"),
        (float("nan"), 500.0, 0.9, "few"),
        (100.0, float("nan"), 0.9, "no_reference"),
        (100.0, 500.0, float("nan"), "unknown"),
        (100.0, 500.0, 0.2, "same"),
        (100.0, 500.0, 0.21, "drifted"),
    ],
)
def test_the_outcome_follows_from_the_numbers(
    images: float, reference: float, distance: float, outcome: str
) -> None:
    drift = Drift(signal="covid19", images=images, reference_images=reference, distance=distance, bound=0.2)
    assert drift.outcome == outcome


def data_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "set").mkdir(parents=True)
    Image.fromarray(np.full((300, 280), 90, np.uint8)).save(folder / "set" / "film.png")
    (folder / "secret.png").write_bytes((folder / "set" / "film.png").read_bytes())
    paths = ("film.png", "gone.png", "../secret.png")
    write_table(folder / "set", monkeypatch, pd.DataFrame({"path": paths, "source": "north"}))
    monkeypatch.setenv("HILUM_DATA", str(folder))
    settings.cache_clear()


def test_a_picture_is_shown_only_where_its_data_set_lists_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set(tmp_path / "data", monkeypatch)
    found = pictures_api.picture("film.png", "north")
    assert found is not None
    assert found.shape == (256, 256)
    assert pictures_api.picture("film.png", "south") is None
    assert pictures_api.picture("../secret.png", "north") is None
    with pytest.raises(SourceLyingError):
        pictures_api.picture("gone.png", "north")


def test_a_registry_that_fails_later_leaves_the_rest(
    prometheus: PrometheusApi, evaluated: ReleaseEvaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise SourceUnreachableError("MLflow", "http://127.0.0.1:1", "Timeout")

    monkeypatch.setattr(evaluation_api, "evaluation", fail)
    prometheus.answers = measured()
    text = said(page())
    assert "MLflow at http://127.0.0.1:1 does not answer" in text
    assert text.count("What arrives has changed") == len(SIGNALS)
