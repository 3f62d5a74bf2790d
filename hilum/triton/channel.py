"""The one place where a gRPC connection to Triton is made: encrypted where the installation says so."""

from collections.abc import Sequence
from typing import Any

from tritonclient.grpc import InferenceServerClient
from tritonclient.grpc.aio import InferenceServerClient as AsyncInferenceServerClient

from hilum.tls import TlsFiles

ChannelOptions = Sequence[tuple[str, Any]]
"""Arguments of gRPC's channel; they replace those that `tritonclient` sets itself."""

EVERY_ADDRESS = "dns:///"
"""Before `host:port`: requests go to all addresses of the host in turn, as to those of a headless Service's
pods. Otherwise a connection stays with the pod that took it."""

_IN_TURN: ChannelOptions = (("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),)
"""gRPC's own way to spread requests over addresses; one that does not answer is left out."""

_UNBOUNDED: ChannelOptions = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
"""What `tritonclient` sets itself that matters here: gRPC alone takes no answer above 4 MB."""


def connect(
    address: str, tls: TlsFiles | None, *, options: ChannelOptions | None = None
) -> InferenceServerClient:
    """Prepare a connection to `host:port`; nothing is sent yet.

    Args:
        address: `host:port` of Triton's gRPC service, perhaps after `EVERY_ADDRESS`.
        tls: whom to trust and what to show; None does not encrypt. The files are read now and not again. The
            `server_name`, or else the host of the address, must be in the server's certificate.
        options: arguments of the channel.

    Raises:
        UsageError: a file of `tls` cannot be used.
    """
    return InferenceServerClient(address, channel_args=_options(address, tls, options), **_security(tls))


def connect_async(
    address: str, tls: TlsFiles | None, *, options: ChannelOptions | None = None
) -> AsyncInferenceServerClient:
    """Prepare a connection for asyncio, as `connect` does; to be called where the event loop runs."""
    return AsyncInferenceServerClient(address, channel_args=_options(address, tls, options), **_security(tls))


def _options(address: str, tls: TlsFiles | None, options: ChannelOptions | None) -> list[tuple[str, Any]]:
    """Return the arguments of a channel: those given, and what address and certificate ask for."""
    every = _IN_TURN if address.startswith(EVERY_ADDRESS) else ()
    name = (("grpc.ssl_target_name_override", tls.server_name),) if tls and tls.server_name else ()
    return [*(_UNBOUNDED if options is None else options), *every, *name]


def _security(tls: TlsFiles | None) -> dict[str, Any]:
    """Return the arguments by which both clients of `tritonclient` encrypt."""
    if tls is None:
        return {}
    tls.context()
    return {
        "ssl": True,
        "root_certificates": str(tls.ca),
        "private_key": None if tls.key is None else str(tls.key),
        "certificate_chain": None if tls.certificate is None else str(tls.certificate),
    }
