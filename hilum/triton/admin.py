"""What a running Triton has loaded, asked with the admin key."""

from dataclasses import dataclass

from tritonclient.utils import InferenceServerException

from hilum.errors import ServiceUnreachableError
from hilum.settings import ADMIN_KEY_NAME
from hilum.tls import TlsFiles
from hilum.triton.channel import connect
from hilum.triton.tls_trouble import find_tls_trouble

TIMEOUT_S = 5.0
"""Longest wait for an answer, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelState:
    """One version of a model in the server's repository."""

    model: str
    """Name of the model."""
    version: str
    """Version folder; empty where the server never looked into the model."""
    state: str
    """`READY`, `UNAVAILABLE`, `LOADING` or `UNLOADING`; empty where it was never loaded."""
    reason: str
    """Why it is not ready; empty otherwise."""


def admin_headers(admin_key: str) -> dict[str, str]:
    """Return the headers that a restricted gRPC call must carry."""
    return {f"triton-grpc-protocol-{ADMIN_KEY_NAME}": admin_key}


def fetch_model_states(grpc_address: str, admin_key: str, tls: TlsFiles | None = None) -> list[ModelState]:
    """Return the server's repository index.

    Args:
        grpc_address: `host:port` of its gRPC service.
        admin_key: the key that its restricted calls ask for.
        tls: whom to trust and what to show; None does not encrypt.

    Raises:
        ServiceUnreachableError: no server answers there, or it has another admin key.
        UsageError: a file of `tls` cannot be used.
    """
    with connect(grpc_address, tls) as client:
        try:
            index = client.get_model_repository_index(
                headers=admin_headers(admin_key), client_timeout=TIMEOUT_S
            )
        except InferenceServerException as error:
            raise ServiceUnreachableError(
                "Triton",
                grpc_address,
                find_tls_trouble(grpc_address, tls)
                or f"It said: {error.message()}. Start it with `hilum up`; if it runs, HILUM_ADMIN_KEY or "
                "HILUM_HOME is not the one that it was started with.",
            ) from error
    return [
        ModelState(model=model.name, version=model.version, state=model.state, reason=model.reason)
        for model in index.models
    ]
