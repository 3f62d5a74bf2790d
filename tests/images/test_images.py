"""The images: built from local wheels on a plain Debian, and run as the chart runs them.

`make image-test`; not part of `make test`, since it takes root, container tools and a few minutes.
"""

import shutil
import time
from pathlib import Path

import pytest

from clients.client import ScreeningClient
from hilum.probe import answers_ok
from tests.support.containers import build, inspect, run_to_end, running_container
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


def test_the_dashboard_image_shows_its_page(debian: str, wheels: Path) -> None:
    image = build(
        "images/platform.Dockerfile",
        "hilum-test-dashboard",
        wheels,
        target="dashboard",
        BASE=debian,
        EXTRAS="dashboard",
    )
    (port,) = free_ports(1)
    with running_container(image, ["hilum", "dashboard", "--port", str(port)]):
        wait_ready(f"http://127.0.0.1:{port}/_stcore/health")


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while not answers_ok(url):
        assert time.monotonic() < deadline, f"{url} did not answer within two minutes"
        time.sleep(0.2)
