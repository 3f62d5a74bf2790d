"""Operations: with nothing measured, with all, and with sources that are silent, slow, or lie."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.errors import SourceUnreachableError
from dashboard.queries import INSTALLATIONS, Installation, Query
from dashboard.sources import prometheus_api, registry_api, triton_api
from tests.support.prometheus_api import Behaviour, PrometheusApi, Samples

HERE = Installation()

DOOR = {"instance": "one:8002", "model": "xray_screening", "version": "3"}


@pytest.fixture(autouse=True)
def _the_other_sources_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_api, "trouble", lambda: "")
    promise(monkeypatch, champion=3)


def promise(monkeypatch: pytest.MonkeyPatch, **aliases: int) -> None:
    monkeypatch.setattr(registry_api, "promised", lambda: registry_api.Promised(aliases=aliases, at=0.0))


def page(language: str = "en") -> AppTest:
    drawn = AppTest.from_string(
        "from dashboard.operations import page as operations\noperations.draw()", default_timeout=30
    )
    drawn.query_params["lang"] = language
    drawn.run()
    assert not drawn.exception
    return drawn


def well(at: Installation = HERE, *, images: float = 2.5) -> dict[str, Samples]:
    """Return what a Prometheus answers about an installation that works."""
    answers: dict[Query, Samples] = {
        INSTALLATIONS: [({"namespace": at.namespace} if at.namespace else {}, 6.0)],
        at.silence: [({}, 7.0)],
        at.images: [({"outcome": "accepted"}, images - 0.5), ({"outcome": "rejected"}, 0.5)],
        at.failures: [({}, 0.01)],
        at.failures_of_a_day: [({}, 0.0)],
        at.duration: [({}, 0.043)],
        at.waiting: [({"model": "xray_filter"}, 0.001)],
        at.pending: [({"instance": "one:8002"}, 0.0)],
        at.batch: [({"model": "xray_filter"}, 3.2)],
        at.memory: [({"instance": "one:8002"}, 0.4)],
        at.processors: [({"instance": "one:8002"}, 0.9)],
        at.served: [({"role": "champion", "release": "3"}, 1.0)],
        at.loaded: [(DOOR, 9.0)],
        at.disagreement: [({}, 0.0)],
    }
    return {query.expression: samples for query, samples in answers.items()}


def metrics(drawn: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in drawn.metric}


def said(drawn: AppTest) -> str:
    """Return all sentences in boxes."""
    boxes = [*drawn.success, *drawn.warning, *drawn.error, *drawn.info]
    return "\n".join(box.value for box in boxes)


def n_plots(drawn: AppTest) -> int:
    return len(drawn.get("plotly_chart"))


def test_a_service_that_works_is_shown_with_its_numbers(prometheus: PrometheusApi) -> None:
    prometheus.answers = well()
    drawn = page()
    assert metrics(drawn) == {
        "Images per second, 5 minutes": "2.50",
        "Failed by the server, 5 minutes": "1.00%",
        "Failed by the server, 1 day": "0.00%",
        "Mean time of a request": "43 ms",
    }
    assert "Champion: promised 3, served 3, loaded 3" in [box.value for box in drawn.success]
    assert any(caption.value in ("updated 7 s ago", "updated 8 s ago") for caption in drawn.caption)
    assert n_plots(drawn) == 8  # and none of GPUs
    assert not drawn.warning
    assert not drawn.selectbox  # one installation leaves no choice


def test_where_nothing_was_ever_measured_there_is_no_zero(prometheus: PrometheusApi) -> None:
    assert prometheus.answers == {}
    drawn = page()
    assert "Prometheus has measured nothing of this service within a day." in said(drawn)
    assert "Nothing was measured in this time." in said(drawn)
    assert not drawn.metric
    assert n_plots(drawn) == 0


def test_no_requests_are_not_no_failures(prometheus: PrometheusApi) -> None:
    prometheus.answers = {HERE.silence.expression: [({}, 7.0)]}
    assert metrics(page()) == {
        "Images per second, 5 minutes": "nothing yet",
        "Failed by the server, 5 minutes": "no requests",
        "Failed by the server, 1 day": "no requests",
        "Mean time of a request": "no requests",
    }


def test_what_is_not_measured_any_more_is_told_from_what_never_was(prometheus: PrometheusApi) -> None:
    prometheus.answers = {HERE.long_silence.expression: [({}, 1800.0)]}
    drawn = page()
    assert "Prometheus has not reached Triton for 30 minutes" in said(drawn)
    assert not drawn.metric


def test_old_lines_are_shown_as_old(prometheus: PrometheusApi) -> None:
    prometheus.answers, prometheus.age_s = well(), 1800
    drawn = page()
    assert n_plots(drawn) == 8
    assert "The newest of these values is 30 minutes old." in said(drawn)


def test_what_is_no_number_is_shown_as_none(prometheus: PrometheusApi) -> None:
    prometheus.answers = {
        expression: [(labels, math.nan) for labels, _ in samples] for expression, samples in well().items()
    } | {HERE.silence.expression: [({}, 7.0)]}
    drawn = page()
    assert set(metrics(drawn).values()) == {"nothing yet", "no requests"}
    assert n_plots(drawn) == 0


def test_a_line_does_not_cross_a_gap(prometheus: PrometheusApi) -> None:
    prometheus.answers = {"asked": [({}, 1.0)]}
    # Points come every 60 s: with a step of 15 s three in four are missing.
    (series,) = prometheus_api.query_range("asked", hours=0.1)
    assert np.isnan(series.values[1::2]).all()
    assert (series.values[::2] == 1).all()
    assert (np.diff(series.times) > 0).all()
    (whole,) = prometheus_api.query_range("asked", hours=24)
    assert not np.isnan(whole.values).any()


@pytest.mark.parametrize("behaviour", ["html", "failing", "slow", "other_form"])
def test_a_prometheus_that_fails_leaves_the_other_parts(
    prometheus: PrometheusApi, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_api, "TIMEOUT_S", (0.2, 0.2))
    prometheus.answers, prometheus.behaviour = well(), behaviour
    drawn = page()
    reason = "does not answer" if behaviour == "slow" else "cannot be read"
    assert reason in said(drawn)
    assert "The front door answers." in said(drawn)
    assert drawn.title[0].value == "Is the service well?"
    assert not drawn.metric


def test_a_prometheus_that_does_not_answer_is_waited_for_once(
    prometheus: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_api, "TIMEOUT_S", (0.2, 0.2))
    prometheus.behaviour, prometheus.slow_s = "slow", 1.0
    drawn = page()
    assert len(prometheus.asked) == 1
    told = [box for box in drawn.warning if "does not answer (ReadTimeout)" in box.value]
    assert len(told) == 4  # numbers, alerts, versions, plots


def test_it_is_asked_again_after_a_while(prometheus: PrometheusApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus_api, "TIMEOUT_S", (0.2, 0.2))
    prometheus.answers, prometheus.behaviour = well(), "slow"
    page()
    prometheus.behaviour = "well"
    clock = time.monotonic() + 60
    monkeypatch.setattr("dashboard.sources.patience.time", SimpleNamespace(monotonic=lambda: clock))
    assert len(page().metric) == 4


def test_a_query_that_prometheus_gives_up_says_nothing_of_the_others(prometheus: PrometheusApi) -> None:
    prometheus.answers, prometheus.behaviour = well(), "failing"
    page()
    prometheus.behaviour = "well"
    assert len(page().metric) == 4


def test_numbers_of_two_installations_are_not_mixed(prometheus: PrometheusApi) -> None:
    ward, trial = Installation("ward"), Installation("trial")
    prometheus.answers = well(ward, images=2.5) | well(trial, images=7.5)
    prometheus.answers[INSTALLATIONS.expression] = [
        ({"namespace": "ward"}, 1.0),
        ({"namespace": "trial"}, 1.0),
    ]
    drawn = page()
    assert drawn.selectbox(key="operations_namespace").options == ["trial", "ward"]
    assert metrics(drawn)["Images per second, 5 minutes"] == "7.50"
    drawn.selectbox(key="operations_namespace").select("ward").run()
    assert metrics(drawn)["Images per second, 5 minutes"] == "2.50"


def test_servers_have_lines_of_their_own_and_gpus_are_drawn_where_there_are_any(
    prometheus: PrometheusApi,
) -> None:
    servers: Samples = [
        ({"instance": "10.0.0.1:8002", "pod": "triton-a"}, 0.4),
        ({"instance": "two:8002"}, 0.8),
    ]
    prometheus.answers = well() | {
        query.expression: servers for query in (HERE.memory, HERE.gpus, HERE.gpu_memory)
    }
    drawn = page()
    assert n_plots(drawn) == 9
    memory, gpus = (
        next(each.proto.spec for each in drawn.get("plotly_chart") if f'"{title}' in each.proto.spec)
        for title in ("triton-a", "busiest GPU · triton-a")
    )
    assert '"two:8002"' in memory
    assert "memory of the fullest GPU · two:8002" in gpus


def test_alerts_name_their_runbook_and_only_those_of_the_installation_are_shown(
    prometheus: PrometheusApi,
) -> None:
    prometheus.answers = well(Installation("ward"))

    def alert(name: str, namespace: str) -> dict[str, object]:
        return {
            "labels": {"alertname": name, "severity": "critical", "namespace": namespace},
            "annotations": {"summary": "It burns.", "runbook_url": f"https://example.org/{name}.md"},
            "state": "firing",
            "activeAt": "2026-03-01T12:00:00Z",
        }

    prometheus.alerts = [alert("HilumDown", "ward"), alert("HilumSlow", "trial")]
    (shown,) = [box.value for box in page().error]
    assert shown == "**HilumDown** (fires): It burns. [what to do](https://example.org/HilumDown.md)"


def test_a_server_that_has_another_release_is_named(
    prometheus: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(monkeypatch, champion=4)
    prometheus.answers = well()
    prometheus.answers[HERE.loaded.expression].append((DOOR | {"instance": "two:8002", "version": "4"}, 1.0))
    prometheus.answers[HERE.disagreement.expression] = [({}, 1.0)]
    drawn = page()
    assert "Champion: promised 4, served 3, loaded 3, 4" in [box.value for box in drawn.warning]
    assert "one:8002 has loaded 3" in [caption.value for caption in drawn.caption]
    assert "registry and server disagree" in said(drawn)


def test_without_the_registry_nothing_is_claimed_of_the_promise(
    prometheus: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SourceUnreachableError("MLflow", "http://there", "ConnectionError")

    monkeypatch.setattr(registry_api, "promised", fail)
    monkeypatch.setattr(triton_api, "trouble", lambda: "DeadlineExceeded")
    prometheus.answers = well()
    drawn = page()
    assert "MLflow at http://there does not answer" in said(drawn)
    assert "Champion: promised not known, served 3, loaded 3" in [box.value for box in drawn.warning]
    assert drawn.error[0].value == "Triton takes too long to answer"
    assert len(drawn.metric) == 4


def test_it_speaks_portuguese(prometheus: PrometheusApi) -> None:
    prometheus.answers = well()
    assert "Campeã: prometida 3, servida 3, carregada 3" in said(page("pt"))
