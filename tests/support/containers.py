"""Container images, built and run with buildah and podman on a machine without a container daemon."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# A sandboxed machine allows neither user namespaces nor higher limits.
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


def import_image(root: Path, name: str) -> str:
    """Make an image of a root file system, and return its reference."""
    container = _buildah("from", "scratch")
    _buildah("add", "--quiet", container, str(root), "/")
    _buildah("commit", "--quiet", "--rm", container, name)
    return f"localhost/{name}"


def build(dockerfile: str, name: str, wheels: Path, *, target: str = "", **arguments: str) -> str:
    """Build a Dockerfile of the project from local wheels alone, and return the image's reference."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "pip.conf")
        configuration.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        _buildah(
            *("build", "--isolation=chroot", "--format=docker", "--layers", "--quiet", "--pull=never"),
            *("--file", dockerfile, "--tag", name),
            *(("--target", target) if target else ()),
            *(f"--build-arg={key}={value}" for key, value in arguments.items()),
            *(f"--volume={wheels}:/wheels:ro", f"--volume={configuration}:/etc/pip.conf:ro"),
            ".",
        )
    return f"localhost/{name}"


def inspect(image: str) -> dict[str, Any]:
    """Return what buildah knows of an image, in Docker's form."""
    record: dict[str, Any] = json.loads(_buildah("inspect", "--type=image", image))
    return record


@contextmanager
def running_container(
    image: str, command: Sequence[str], *, volumes: Sequence[str] = (), environment: Sequence[str] = ()
) -> Iterator[str]:
    """Run a container as hardened as the chart runs it, on this machine's network; yield its id."""
    container = _podman(
        *("run", "--detach", *_HARDENED),
        *(f"--volume={volume}" for volume in volumes),
        *(f"--env={variable}" for variable in environment),
        image,
        *command,
    )
    try:
        yield container
    finally:
        print(_podman("logs", "--tail=30", container))
        _podman("rm", "--force", "--time=5", container)


def run_to_end(image: str, *command: str) -> str:
    """Run a command in a container and return what it printed."""
    return _podman("run", "--rm", *_HARDENED, image, *command)


_HARDENED = (
    *("--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *_LIMITS,
)


def _buildah(*arguments: str) -> str:
    return _run("buildah", *arguments)


def _podman(*arguments: str) -> str:
    return _run("podman", "--runtime=runc", "--cgroup-manager=cgroupfs", *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()
