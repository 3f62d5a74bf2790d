"""One embedded `tritonserver` on a model repository: its folder, command line and environment.

The server works in a folder of its own under `HILUM_HOME` and reads everything through relative
names in it, because Triton passes paths to Python models through a shell, unquoted:

    <home>/triton/<HTTP port>/
        repository            -> the model repository
        backends/python/      copies of the wheel's files: Triton refuses a library that links elsewhere
        backends/onnxruntime  -> hilum/triton/backends/onnxruntime
"""

import filecmp
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import UsageError
from hilum.files import write_atomic
from hilum.settings import ADMIN_KEY_NAME, Settings
from hilum.tls import ServerTlsFiles
from hilum.triton.addresses import TritonAddresses
from hilum.triton.installation import TritonInstallation, find_libpython, find_triton

ADMIN_APIS = "model-repository,shared-memory,statistics,trace,logging"
"""Calls that change the server, read this machine's disk and memory, or tell how it is used: they need the
admin key. Open are `health`, `metadata` and `inference`, and `model-config`, where clients find the decision
thresholds of the release that answered."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - Triton's choice
"""Where the server and its Python models exchange tensors."""

_OWN_BACKENDS = Path(__file__).with_name("backends")


@dataclass(frozen=True, kw_only=True, slots=True)
class TritonServer:
    """What one embedded Triton serves, and where."""

    repository: Path
    """The model repository; may be empty."""
    home: Path
    """State of the installation (`HILUM_HOME`)."""
    admin_key: str
    """What restricted calls must carry in the header `ADMIN_KEY_NAME`."""
    addresses: TritonAddresses
    """Where it listens."""
    tls: ServerTlsFiles | None = None
    """What its gRPC service is encrypted with; None where it is not."""

    @classmethod
    def from_settings(cls, settings: Settings, repository: Path) -> "TritonServer":
        """Return this installation's server on a model repository."""
        return cls(
            repository=repository,
            home=settings.home,
            admin_key=settings.read_admin_key(),
            addresses=TritonAddresses.from_settings(settings),
            tls=ServerTlsFiles.from_settings(settings),
        )

    @property
    def folder(self) -> Path:
        """The server's working folder."""
        return self.home.absolute() / "triton" / str(self.addresses.http_port)

    def prepare(self) -> TritonInstallation:
        """Make the working folder, after what could keep the server from starting has been ruled out.

        Raises:
            UsageError: there is no such model repository, or a TLS file cannot be used.
            MissingTritonError: Triton or the shared Python library is not installed.
            PortTakenError: another program listens on one of the ports.
        """
        if not self.repository.is_dir():
            raise UsageError(
                f"There is no model repository at {self.repository}: name an existing folder, "
                "or write one with `hilum rollout apply`."
            )
        if self.tls:
            self.tls.check()
        installation = find_triton()
        find_libpython()
        for port in self.addresses.ports:
            port.check_free()
        _link(self.folder / "repository", self.repository.absolute())
        backend = installation.python_backend
        for source in (*backend.glob("*.so"), *backend.glob("*.py"), installation.stub):
            _copy(source, self.folder / "backends" / "python" / source.name)
        for source in _OWN_BACKENDS.iterdir():
            _link(self.folder / "backends" / source.name, source)
        self.free_shared_memory()
        return installation

    def command(self, installation: TritonInstallation) -> list[str]:
        """Return the command line, to be run in `folder`.

        NOTE: Triton takes the admin key on its command line only, where users of the same machine
        can read it in the list of processes. It keeps the network out, not them.
        """
        key = f"{ADMIN_KEY_NAME}={self.admin_key}"
        options = {
            "model-repository": "repository",
            "backend-directory": "backends",
            "backend-config": f"python,shm-region-prefix-name={self._memory_prefix}",
            "model-control-mode": "explicit",
            "load-model": "*",
            "strict-readiness": "true",
            "exit-on-error": "true",
            "http-address": self.addresses.plain_host,
            "http-port": self.addresses.http_port,
            "http-restricted-api": f"{ADMIN_APIS}:{key}",
            "grpc-address": self.addresses.host,
            "grpc-port": self.addresses.grpc_port,
            "grpc-restricted-protocol": f"{ADMIN_APIS}:{key}",
            "metrics-address": self.addresses.plain_host,
            "metrics-port": self.addresses.metrics_port,
            "allow-sagemaker": "false",
            "allow-vertex-ai": "false",
            **self._tls_options(),
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [str(installation.binary), "--disable-auto-complete-config", *settings]

    def environment(self, installation: TritonInstallation) -> dict[str, str]:
        """Return the environment: this process's, with the libraries and the Python that Triton must find.

        The interpreter inside a Python model looks for `python3` on the PATH and takes the virtual
        environment that it belongs to, .pth files included. PYTHONPATH would not do: pybind11 starts
        the interpreter isolated, and Python 3.11.2 then does not read it.
        """
        inherited = dict(os.environ)
        return inherited | {
            "LD_LIBRARY_PATH": _search_path(
                installation.libraries, find_libpython(), inherited.get("LD_LIBRARY_PATH")
            ),
            "PATH": _search_path(Path(sys.executable).parent, inherited.get("PATH")),
            # One instance per core: a library that starts a thread per core would fight the others.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def free_shared_memory(self) -> None:
        """Free the shared memory of a server of this folder that was killed: nobody else does."""
        for path in SHARED_MEMORY.glob(f"{self._memory_prefix}*"):
            path.unlink(missing_ok=True)

    def _tls_options(self) -> dict[str, str | Path]:
        """Return the options that encrypt the gRPC service; HTTP and metrics have none."""
        if self.tls is None:
            return {}
        options: dict[str, str | Path] = {
            "grpc-use-ssl": "true",
            "grpc-server-cert": self.tls.certificate.absolute(),
            "grpc-server-key": self.tls.key.absolute(),
        }
        if self.tls.client_ca:
            options |= {"grpc-use-ssl-mutual": "true", "grpc-root-cert": self.tls.client_ca.absolute()}
        return options

    @property
    def _memory_prefix(self) -> str:
        return f"hilum-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]}-"


def _link(path: Path, target: Path) -> None:
    """Make `path` a link to `target`, at once, whatever link was there."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".link-") as scratch:
        link = Path(scratch) / path.name
        link.symlink_to(target)
        link.replace(path)


def _copy(source: Path, path: Path) -> None:
    """Make `path` a copy of `source`, at once, unless it is one already."""
    if not (path.is_file() and filecmp.cmp(source, path, shallow=False)):
        write_atomic(path, source.read_bytes(), mode=0o755)


def _search_path(*folders: Path | str | None) -> str:
    return os.pathsep.join(str(folder) for folder in folders if folder)
