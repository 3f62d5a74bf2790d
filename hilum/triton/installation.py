"""Finds NVIDIA's `tritonserver` and its Python backend inside the wheel `nvidia-pytriton`.

Only files are looked for: neither Triton's own Python package nor pytriton's is imported.
"""

import ctypes.util
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hilum.triton.errors import MissingTritonError

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs the models: the one that runs Hilum."""

LIBPYTHON = f"libpython{PYTHON_VERSION}.so.1.0"
"""The shared library that the Python backend's stub links."""


@dataclass(frozen=True, slots=True)
class TritonInstallation:
    """Where the parts of the embedded Triton are."""

    binary: Path
    """The `tritonserver` program."""
    libraries: Path
    """Folder of the libraries that the wheel carries for it."""
    python_backend: Path
    """Folder of the Python backend."""
    stub: Path
    """The program that runs one Python model instance."""


def find_triton() -> TritonInstallation:
    """Return where the embedded Triton is installed.

    Raises:
        MissingTritonError: it is not, or has no Python backend for this Python.
    """
    spec = find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise MissingTritonError(
            "The embedded Triton is not installed in this environment (there is no package nvidia-pytriton). "
            "Install it with: pip install 'hilum[embedded]'"
        )
    package = Path(spec.submodule_search_locations[0])
    server = package / "tritonserver"
    installation = TritonInstallation(
        binary=server / "bin" / "tritonserver",
        libraries=package.parent / "nvidia_pytriton.libs",
        python_backend=server / "backends" / "python",
        stub=server / "python_backend_stubs" / PYTHON_VERSION / "triton_python_backend_stub",
    )
    for path in (installation.binary, installation.libraries, installation.python_backend, installation.stub):
        if not path.exists():
            raise MissingTritonError(
                f"The installed nvidia-pytriton has no {path}: Hilum needs version 0.7.0 on Linux x86-64 and "
                f"Python 3.11 or 3.12, and this is Python {PYTHON_VERSION}. "
                "Install it with: pip install --force-reinstall 'hilum[embedded]'"
            )
    return installation


def find_libpython() -> Path | None:
    """Return the folder of the shared Python library, or None where the system's loader finds it.

    Raises:
        MissingTritonError: this machine has none, so no Python model could start.
    """
    folder = Path(sysconfig.get_config_var("LIBDIR"))
    if (folder / LIBPYTHON).exists():
        return folder
    if ctypes.util.find_library(f"python{PYTHON_VERSION}"):
        return None
    raise MissingTritonError(
        f"Triton's Python models need {LIBPYTHON}, which is not on this machine. "
        f"Install it with: sudo apt-get install libpython{PYTHON_VERSION}"
    )
