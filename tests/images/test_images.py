"""The images: built from local wheels on a plain Debian, and run as the chart runs them.

`make image-test`; not part of `make test`, since it takes root, container tools and a few minutes.
"""

import shutil
import time
from pathlib import Path

import pytest

from clients.client import ScreeningClient
from hilum.probe import answers_ok
from tests.support.containers import inspect, run_to_end, running_container
from tests.support.image_files import drawn_picture, encoded
from tests.support.ports import free_ports
from tests.support.toy_release import toy_release, write_toy_repository


def test_the_server_image_adds_one_layer_and_no_root(server_image: str) -> None:
    base, server = inspect("localhost/hilum-test-triton"), inspect(server_image)
    layers = [record["OCIv1"]["rootfs"]["diff_ids"] for record in (base, server)]
    assert layers[1][:-1] == layers[0]
    assert server["OCIv1"]["config"]["User"] == "1000"
    assert server["Docker"]["config"]["Healthcheck"]["Test"]


def test_the_server_image_answers_through_the_front_door(server_image: str, tmp_path: Path) -> None:
    repository = write_toy_repository(tmp_path / "repository", toy_release(), tmp_path / "scratch")
    http, grpc, metrics = free_ports(3)
    command = [
        *("tritonserver", "--model-repository=/models", "--backend-directory=/opt/tritonserver/backends"),
        *("--model-control-mode=explicit", "--load-model=*", "--disable-auto-complete-config"),
        *(f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"),
        *("--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"),
    ]
    with running_container(server_image, command, volumes=[f"{repository}:/models:ro"]):
        wait_ready(f"http://127.0.0.1:{http}/v2/health/ready")
        with ScreeningClient(f"127.0.0.1:{grpc}") as client:
            assert client.screen(encoded(drawn_picture(256, 256), "PNG")).release == 1


def test_the_platform_image_runs_every_command_without_torch(platform_image: str) -> None:
    assert "rollout" in run_to_end(platform_image, "hilum", "--help")
    assert "--register-webhook" in run_to_end(platform_image, "hilum", "rollout", "watch", "--help")
    assert "--backend-store-uri" in run_to_end(platform_image, "mlflow", "server", "--help")
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        run_to_end(platform_image, "python3", "-c", "import torch")
    assert inspect(platform_image)["OCIv1"]["config"]["User"] == "1000"


def test_the_platform_image_serves_mlflow(platform_image: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    home = tmp_path / "home"
    home.mkdir()
    shutil.chown(home, 1000, 1000)
    command = [
        *("mlflow", "server", "--workers=1", "--host=127.0.0.1", f"--port={port}"),
        *(
            "--backend-store-uri=sqlite:////home-of-mlflow/mlflow.db",
            "--artifacts-destination=/home-of-mlflow/artifacts",
        ),
    ]
    with running_container(platform_image, command, volumes=[f"{home}:/home-of-mlflow"]):
        wait_ready(f"http://127.0.0.1:{port}/health")


def test_the_dashboard_image_serves_its_page(dashboard_image: str) -> None:
    (port,) = free_ports(1)
    with running_container(dashboard_image, ["hilum", "dashboard", "--port", str(port)]):
        wait_ready(f"http://127.0.0.1:{port}/_stcore/health")
        assert answers_ok(f"http://127.0.0.1:{port}/")
    assert inspect(dashboard_image)["OCIv1"]["config"]["User"] == "1000"


def test_the_dashboard_image_has_what_its_pages_import_and_no_torch(dashboard_image: str) -> None:
    """Streamlit's health says nothing of the script: what is missing shows when somebody opens it."""
    assert run_to_end(dashboard_image, "python3", "-c", DRAW).splitlines()[-1] == "drawn: True"
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        run_to_end(dashboard_image, "python3", "-c", "import torch")


def test_the_dashboard_image_reads_a_ledger_in_postgresql(dashboard_image: str) -> None:
    with pytest.raises(AssertionError, match="PostgreSQL, which holds the ledger, does not answer"):
        run_to_end(
            dashboard_image,
            *("env", "HILUM_HOME=/tmp/hilum", "HILUM_LEDGER_URL=postgresql://me@127.0.0.1:9/ledger"),
            *("hilum", "ledger", "show"),
        )


DRAW = """
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from streamlit.testing.v1 import AppTest
import dashboard

for each in walk_packages(dashboard.__path__, "dashboard."):
    if each.name != "dashboard.app":  # a script, which draws when it is imported
        import_module(each.name)
page = AppTest.from_file(str(Path(dashboard.__file__).with_name("app.py")), default_timeout=120).run()
assert not page.exception, page.exception
print("drawn:", bool(page.main.children))
"""
"""Imports all that any page imports, and draws the first page while nothing that it reads answers."""


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while not answers_ok(url):
        assert time.monotonic() < deadline, f"{url} did not answer within two minutes"
        time.sleep(0.2)
