"""TCP ports on this machine: whether one is free, asked before a server is started on it."""

import errno
import socket
from dataclasses import dataclass

from hilum.errors import HilumError


class PortTakenError(HilumError):
    """Another program listens on a port that a server of ours needs."""

    def __init__(self, port: "Port") -> None:
        super().__init__(
            f"{port.purpose} needs port {port.number} on {port.host}, but another program listens there. "
            f"See which one with: ss -ltnp 'sport = :{port.number}'. "
            f"Stop it, or set {port.variable} to a free port."
        )
        self.port = port


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """A port that a server of ours listens on."""

    host: str
    """Address to listen on."""
    number: int
    """Port number."""
    purpose: str
    """Who needs it, as the subject of a sentence ("Triton's gRPC service")."""
    variable: str
    """The environment variable that sets another."""

    def is_free(self) -> bool:
        """Whether a server could listen there alone.

        Raises:
            OSError: the host is no address of this machine, or the port is reserved for root.
        """
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.host, self.number, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closing connections do not count
            try:
                probe.bind(address)
                probe.listen()
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                raise
        return True

    def check_free(self) -> None:
        """Refuse to start a server on a taken port: it would find out late, and say it badly.

        Raises:
            PortTakenError: another program listens there.
        """
        if not self.is_free():
            raise PortTakenError(self)
