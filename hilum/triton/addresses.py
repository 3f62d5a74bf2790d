"""Where a local Triton listens."""

from dataclasses import dataclass

from hilum.errors import UsageError
from hilum.ports import Port
from hilum.settings import Settings

LOOPBACK = "127.0.0.1"
"""This machine, as only it reaches itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TritonAddresses:
    """Host and ports of one Triton."""

    host: str
    """Address that the server listens on."""
    http_port: int
    """Port of the HTTP service."""
    grpc_port: int
    """Port of the gRPC service."""
    metrics_port: int
    """Port of the Prometheus metrics."""
    is_encrypted: bool = False
    """Whether the gRPC service is. HTTP and metrics, which Triton cannot encrypt, then stay on loopback: left
    open beside it, they would answer in plain text what it answers encrypted."""

    def __post_init__(self) -> None:
        ports = (self.http_port, self.grpc_port, self.metrics_port)
        if len(set(ports)) < len(ports):
            raise UsageError(f"Triton's HTTP, gRPC and metrics need three different ports, got {ports}.")

    @classmethod
    def from_settings(cls, settings: Settings) -> "TritonAddresses":
        """Return where this installation's Triton listens."""
        return cls(
            host=settings.host,
            http_port=settings.http_port,
            grpc_port=settings.grpc_port,
            metrics_port=settings.metrics_port,
            is_encrypted=settings.triton_tls_certificate is not None,
        )

    @property
    def plain_host(self) -> str:
        """Address that the HTTP and metrics services listen on."""
        return LOOPBACK if self.is_encrypted else self.host

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports that must be free before the server starts."""
        return tuple(
            Port(host=host, number=number, purpose=f"Triton's {service}", variable=variable)
            for host, number, service, variable in (
                (self.plain_host, self.http_port, "HTTP service", "HILUM_HTTP_PORT"),
                (self.host, self.grpc_port, "gRPC service", "HILUM_GRPC_PORT"),
                (self.plain_host, self.metrics_port, "metrics service", "HILUM_METRICS_PORT"),
            )
        )

    @property
    def grpc(self) -> str:
        """`host:port` of the gRPC service."""
        return f"{self.host}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """Where the HTTP service answers."""
        return f"http://{self.plain_host}:{self.http_port}"

    @property
    def ready_url(self) -> str:
        """Answers 200 once every model is loaded."""
        return f"{self.http_url}/v2/health/ready"

    @property
    def metrics_url(self) -> str:
        """Prometheus metrics, Triton's own and Hilum's."""
        return f"http://{self.plain_host}:{self.metrics_port}/metrics"
