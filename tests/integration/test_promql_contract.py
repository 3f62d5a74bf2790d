"""Every series that a rule, panel, autoscaler, page or runbook asks for exists on a server that runs.

The expressions are parsed. Their series are looked up in scrapes of a Triton that has answered, of the
rollout watcher and of a client, in what the recording rules make, and in a list of those that no test
machine has.
"""

import http.client
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tritonclient.utils import InferenceServerException

from clients.client import ScreeningClient
from clients.metrics import ClientMetrics
from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, FILTER, MONITOR
from hilum.reference import (
    DISTANCE_BOUNDS,
    EMBEDDING_DISTANCE,
    PROBABILITY_BOUNDS,
    REFERENCE_FILE,
    SIGNALS,
    Reference,
    SignalCounts,
)
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.chart.clusters import cluster
from tests.support.front_door import ask_front_door
from tests.support.helm import Helm, running_helm
from tests.support.image_files import drawn_picture, encoded
from tests.support.promql import Expression, Known
from tests.support.series_contract import (
    adapter_expressions,
    add_documented,
    chart_expressions,
    code_expressions,
    documented_series,
    python_expressions,
    runbook_expressions,
    scaler_expressions,
)
from tests.support.servers import scrape_settled
from tests.support.toy_models import TOY_EMBEDDING_SIZE, toy_classifier, toy_filter
from tests.support.toy_release import save_onnx, toy_release
from training.promote.watch.metrics import WatchMetrics
from training.repository.layout import write_lineup
from training.repository.served_release import Lineup

KEDA: dict[str, dict[str, Any]] = {
    "autoscaling": {"kind": "keda", "keda": {"serverAddress": "http://prometheus.monitoring.svc:9090"}},
    "modelRepository": {"pvc": {"accessMode": "ReadWriteMany"}},
    "ledger": {"existingSecret": "ledger"},
    "networkPolicy": {"egress": {"postgresql": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
}


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    """A Helm, for what autoscalers ask."""
    with running_helm() as helm:
        yield helm


@pytest.fixture(scope="module")
def expressions(helm: Helm) -> list[Expression]:
    """Every expression of the project."""
    scalers = [
        each
        for metric in ("queueTime", "pendingRequests")
        for each in scaler_expressions(
            helm.render({**KEDA, "autoscaling": {**KEDA["autoscaling"], "metric": metric}}, cluster())
        )
    ]
    assert len(scalers) == 2
    return [
        *chart_expressions(),
        *adapter_expressions(),
        *scalers,
        *code_expressions(),
        *runbook_expressions(),
    ]


@pytest.fixture(scope="module")
def known(
    make_server: Callable[[Path], TritonServer],
    tmp_path_factory: pytest.TempPathFactory,
    expressions: list[Expression],
) -> Known:
    """Every series that there is."""
    known = Known()
    server = make_server(_write_duel(tmp_path_factory.mktemp("duel")))
    known.add_scrape(_scrape_triton(server))
    known.add_scrape(_scrape_watcher())
    registry = CollectorRegistry()
    ClientMetrics(registry)
    known.add_scrape(generate_latest(registry).decode())
    add_documented(known)
    known.add_recorded(expressions)
    return known


def test_every_expression_asks_for_what_there_is(known: Known, expressions: list[Expression]) -> None:
    assert len(expressions) > 50, "few expressions were found: where have the rules and dashboards gone?"
    assert [problem for each in expressions for problem in known.problems(each)] == []


def test_every_documented_series_is_asked_for(expressions: list[Expression]) -> None:
    """The list of exceptions holds no more than is needed, and says of each where it comes from."""
    text = "\n".join(each.text for each in expressions)
    assert [name for name in documented_series() if name not in text] == []
    assert all(entry["source"].startswith("https://") for entry in documented_series().values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rate(hilum_image_total[5m])", "nothing has the series 'hilum_image_total'"),
        ("rate(nv_inference_request_sucess[5m])", "nothing has the series 'nv_inference_request_sucess'"),
        ("hilum:front_door_failures:rate5min", "nothing has the series 'hilum:front_door_failures:rate5min'"),
        ('rate(hilum_images_total{result="accepted"}[5m])', "hilum_images_total has no label result"),
        ("sum by (class) (rate(hilum_findings_total[5m]))", "a label class"),
        ("sum by (pod) (hilum:front_door_failures:rate5m)", "a label pod"),
        ("rate(hilum_images_total[5m)", "no PromQL"),
    ],
)
def test_a_misspelt_series_is_found(known: Known, text: str, sentence: str) -> None:
    (problem,) = known.problems(Expression("a rule", text))
    assert sentence in problem


def test_queries_in_code_are_found() -> None:
    code = '''
NAME = "hilum_images_total"
QUERY = "sum(rate(hilum_images_total[5m]))"
def query(window, release):
    """Asks for hilum_images_total (all of them)."""
    return f'rate(hilum_findings_total{{release="{release}"}}[{window}])'
'''
    assert list(python_expressions(code)) == [
        (3, "sum(rate(hilum_images_total[5m]))"),
        (6, 'rate(hilum_findings_total{release="1"}[5m])'),
    ]


def _write_duel(folder: Path) -> Path:
    """Write a repository with a champion that has a reference sample, and a challenger; return it."""
    filter_onnx = save_onnx(toy_filter(), folder / "filter.onnx")
    classifier_onnx = save_onnx(toy_classifier(), folder / "classifier.onnx")
    repository = folder / "model_repository"
    write_lineup(
        repository,
        Lineup(champion=toy_release(1), challenger=toy_release(2)),
        networks={(FILTER, 1): filter_onnx, (CLASSIFIER, 1): classifier_onnx},
        accelerator="cpu",
    )
    values = np.linspace(0, 1, 50)
    signals = {
        name: SignalCounts.of(values, DISTANCE_BOUNDS if name == EMBEDDING_DISTANCE else PROBABILITY_BOUNDS)
        for name in SIGNALS
    }
    reference = Reference(
        split="val", signals=signals, mean=(0.5,) * TOY_EMBEDDING_SIZE, deviation=(0.1,) * TOY_EMBEDDING_SIZE
    )
    (repository / MONITOR / "1" / REFERENCE_FILE).write_bytes(reference.to_json())
    return repository


def _scrape_triton(server: TritonServer) -> str:
    """Run a Triton, have an image accepted, one rejected, one refused, one copied; return its metrics."""
    with running(server, server.home / "triton.log"):
        address = server.addresses.grpc
        ask_front_door(address, [encoded(drawn_picture(300, 300), "PNG")])
        ask_front_door(address, [encoded(np.zeros((300, 300), np.uint8), "PNG")])
        with ScreeningClient(address, model=CHALLENGER_SCREENING) as challenger:
            challenger.screen(encoded(drawn_picture(300, 300), "PNG"))
        with pytest.raises(InferenceServerException):
            ask_front_door(address, [b"%PDF-1.4"])
        scrape_settled(server)
        connection = http.client.HTTPConnection(
            server.addresses.host, server.addresses.metrics_port, timeout=10
        )
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def _scrape_watcher() -> str:
    """Return the metrics of a watcher that knows all that one can."""
    metrics = WatchMetrics()
    metrics.set_served({"champion": 7})
    metrics.set_promoted({"champion": datetime.now(UTC)})
    metrics.set_certificates({"tls.crt": 0.0})
    return metrics.expose().decode()
