"""A base image and a folder of wheels, made on this machine once and kept under `HILUM_HOME`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.settings import settings
from tests.support.containers import build, import_image

ROOT = Path(__file__).parents[2]

DEBIAN_PACKAGES = "python3,python3-pip,python3-venv,libpython3.11,ca-certificates"


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    missing = [tool for tool in ("debootstrap", "buildah", "podman", "runc") if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        pytest.skip(
            "Building images here takes root and: apt-get install debootstrap buildah podman runc "
            f"(missing: {', '.join(missing) or 'root'})"
        )


@pytest.fixture(scope="session")
def cache() -> Path:
    folder = settings().home.absolute() / "image-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def debian(cache: Path) -> str:
    """A plain Debian with Python, where NVIDIA's and Docker's images cannot be pulled."""
    root = cache / "debian"
    if not (root / "usr/bin/pip").exists():
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", "bookworm", str(root)],
            check=True,
        )
    return import_image(root, "hilum-test-debian")


@pytest.fixture(scope="session")
def wheels(cache: Path) -> Path:
    """Every wheel that the images install, so that a build needs no network."""
    folder = cache / "wheels"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)),
            *("--constraint", str(ROOT / "constraints.txt")),
            *(str(ROOT) + "[cluster,dashboard]", "hatchling>=1.27", "nvidia-pytriton==0.7.0"),
        ],
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def server_image(debian: str, wheels: Path) -> str:
    """The server's image on a Debian that has a real tritonserver where NVIDIA's image has it."""
    base = build("tests/images/stand_in.Dockerfile", "hilum-test-triton", wheels, BASE=debian)
    return build("images/server.Dockerfile", "hilum-test-server", wheels, BASE=base)


@pytest.fixture(scope="session")
def dashboard_image(debian: str, wheels: Path) -> str:
    """The dashboard's image."""
    dockerfile, name = "images/platform.Dockerfile", "hilum-test-dashboard"
    return build(dockerfile, name, wheels, target="dashboard", BASE=debian, EXTRAS="dashboard")


@pytest.fixture(scope="session")
def platform_image(debian: str, wheels: Path) -> str:
    """The image of rollout and MLflow."""
    return build("images/platform.Dockerfile", "hilum-test-platform", wheels, BASE=debian)
