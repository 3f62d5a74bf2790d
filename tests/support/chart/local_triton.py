"""Runs Triton here by the command line that the chart rendered for its container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from hilum.triton.installation import TritonInstallation
from hilum.triton.server import TritonServer
from tests.support.chart.commands import command_line, environment

CERTIFICATES = "/etc/hilum/tls"
"""Where the container finds its certificate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedTriton(TritonServer):
    """A Triton whose command line and variables are a rendered container's, with places of this machine."""

    container: Mapping[str, Any] = field(default_factory=dict)
    """The container."""
    certificates: Path | None = None
    """Folder with what the container has mounted for TLS."""

    @override
    def command(self, installation: TritonInstallation) -> list[str]:
        """Return the container's command line, with its places swapped.

        The model repository, addresses, ports and the certificates' folder are this machine's. The prefix of
        shared memory, which all servers here share, is the server's own. NVIDIA's server knows where
        its image has the backends.
        """
        swaps = {
            "--model-repository=/models": "--model-repository=repository",
            "0.0.0.0": self.addresses.host,
            "--http-port=8000": f"--http-port={self.addresses.http_port}",
            "--grpc-port=8001": f"--grpc-port={self.addresses.grpc_port}",
            "--metrics-port=8002": f"--metrics-port={self.addresses.metrics_port}",
            "/dev/shm/hilum-": f"/dev/shm/{self._memory_prefix}",
            "shm-region-prefix-name=hilum-": f"shm-region-prefix-name={self._memory_prefix}",
        }
        if self.certificates:
            swaps[CERTIFICATES] = str(self.certificates)
        words = command_line(self.container, {"HILUM_ADMIN_KEY": self.admin_key})
        for place, here in swaps.items():
            assert any(place in word for word in words), f"the container has no {place}: {words}"
            words = [word.replace(place, here) for word in words]
        return [*words, "--backend-directory=backends"]

    @override
    def environment(self, installation: TritonInstallation) -> dict[str, str]:
        """Return the container's variables, and what makes the wheel's server run outside its image."""
        here = TritonServer.environment(self, installation)
        path = f"{installation.binary.parent}:{here['PATH']}"
        known = {"HILUM_ADMIN_KEY": self.admin_key}
        needed = {"LD_LIBRARY_PATH": here["LD_LIBRARY_PATH"], "PATH": path}
        return environment(self.container, known) | needed
