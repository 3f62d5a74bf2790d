"""Looks for what keeps Hilum from running on this machine, and says how to mend it."""

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from hilum.monitoring.programs import Program, missing_programs
from hilum.probe import answers_ok
from hilum.settings import Settings
from hilum.stack.marked import find_marked
from hilum.stack.service import Service
from hilum.stack.services import is_dashboard_installed, local_services
from hilum.triton.errors import MissingTritonError
from hilum.triton.installation import LIBPYTHON, find_libpython, find_triton
from hilum.triton.server import SHARED_MEMORY

GIB = 2**30
"""Bytes in a gibibyte."""

NEEDED_DISK = 2 * GIB
"""Free bytes below which training, its caches and releases soon fail."""

NEEDED_SHARED_MEMORY = 256 * 2**20
"""Bytes of shared memory that Triton's Python models fill with large batches in flight."""

SUPPORTED_PYTHONS = ((3, 11), (3, 12))
"""Versions for which the embedded Triton carries a Python backend and Hilum is tested."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    check: str
    """What was looked at."""
    status: Literal["ok", "warn", "fail"]
    """`fail` keeps Hilum from running; `warn` takes something away."""
    found: str
    """What is there."""
    remedy: str = ""
    """The command that mends it; empty where nothing need be mended."""


def diagnose(settings: Settings) -> list[Check]:
    """Return everything that was looked at; nothing is changed."""
    services = local_services(settings)
    return [
        check_python(),
        check_numpy(),
        check_found("tritonserver", lambda: str(find_triton().binary), "pip install 'hilum[embedded]'"),
        check_found(
            "libpython",
            lambda: str(find_libpython() or LIBPYTHON),
            f"sudo apt-get install libpython{sys.version_info.major}.{sys.version_info.minor}",
        ),
        check_space(
            "disk", settings.home, NEEDED_DISK, "set HILUM_HOME to a folder on a larger disk, or make room"
        ),
        check_space(
            "shared memory",
            SHARED_MEMORY,
            NEEDED_SHARED_MEMORY,
            "sudo mount -o remount,size=1G /dev/shm   (in a container: --shm-size=1g)",
        ),
        *(check_missing(program) for program in missing_programs()),
        *check_dashboard(),
        *(check for service in services for check in check_ports(service, settings.home)),
        *(check_answers(service) for service in services),
    ]


def check_python() -> Check:
    """Check the interpreter's version."""
    supported = sys.version_info[:2] in SUPPORTED_PYTHONS
    return Check(
        check="python",
        status="ok" if supported else "fail",
        found=f"{platform.python_version()} at {sys.executable}",
        remedy="" if supported else "python3.11 -m venv .venv",
    )


def check_numpy() -> Check:
    """Check that numpy is the generation that Triton's Python backend was built against."""
    try:
        found = version("numpy")
    except PackageNotFoundError:
        found = "not installed"
    old = found.startswith("1.")
    return Check(
        check="numpy",
        status="ok" if old else "fail",
        found=found if old else f"{found}: with numpy 2 the embedded Triton answers with wrong tensors",
        remedy="" if old else "pip install 'numpy>=1.26,<2'",
    )


def check_found(name: str, find: Callable[[], str], remedy: str) -> Check:
    """Check that a part of the embedded Triton is there; `find` returns where, or raises."""
    try:
        return Check(check=name, status="ok", found=find())
    except MissingTritonError as error:
        return Check(check=name, status="fail", found=str(error).split(". ")[0], remedy=remedy)


def check_missing(program: Program) -> Check:
    """Say that a program of monitoring is not installed: the stack runs without it."""
    return Check(
        check=program.name,
        status="warn",
        found=f"not installed: {program.without}",
        remedy=program.remedy,
    )


def check_dashboard() -> list[Check]:
    """Say where the dashboard is not installed: the stack runs without it."""
    if is_dashboard_installed():
        return []
    return [
        Check(
            check="dashboard",
            status="warn",
            found="not installed: the stack has no page",
            remedy="pip install 'hilum[dashboard]'",
        )
    ]


def check_space(name: str, folder: Path, needed: int, remedy: str) -> Check:
    """Check the free bytes of the file system that holds `folder`, or will hold it."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    enough = free >= needed
    return Check(
        check=name,
        status="ok" if enough else "warn",
        found=f"{free / GIB:.1f} GiB free at {existing}"
        + ("" if enough else f", want {needed / GIB:.2g} GiB"),
        remedy="" if enough else remedy,
    )


def check_ports(service: Service, home: Path) -> list[Check]:
    """Check that each port of a service is free, or held by that service itself."""
    pids = find_marked(home, service.name)
    checks = []
    for port in service.ports:
        free = port.is_free()
        found = "free" if free else f"used by our {service.name}" if pids else "used by another program"
        checks.append(
            Check(
                check=f"port {port.number}",
                status="ok" if free or pids else "fail",
                found=found,
                remedy="" if free or pids else f"export {port.variable}=<a free port>",
            )
        )
    return checks


def check_answers(service: Service) -> Check:
    """Check whether a service answers; it may simply not have been started."""
    answers = answers_ok(service.health_url)
    return Check(
        check=service.name,
        status="ok" if answers else "warn",
        found=f"{'answers' if answers else 'does not answer'} at {service.address}",
        remedy="" if answers else "hilum up --detach",
    )
