"""A gRPC server in this process that speaks Triton's protocol as far as a test needs it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from hilum.tls import ServerTlsFiles
from tests.support.certificates import HOST


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # untyped
    """Lives; a subclass may answer more."""

    def ServerLive(self, _request: object, _context: object) -> object:  # noqa: N802 - gRPC's name
        return service_pb2.ServerLiveResponse(live=True)


@contextmanager
def grpc_server(servicer: Servicer, tls: ServerTlsFiles | None = None) -> Iterator[str]:
    """Yield the `host:port` of a server, encrypted where files are given."""
    server = grpc.server(ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    if tls is None:
        port = server.add_insecure_port(f"{HOST}:0")
    else:
        credentials = grpc.ssl_server_credentials(
            [(tls.key.read_bytes(), tls.certificate.read_bytes())],
            root_certificates=None if tls.client_ca is None else tls.client_ca.read_bytes(),
            require_client_auth=tls.client_ca is not None,
        )
        port = server.add_secure_port(f"{HOST}:0", credentials)
    server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        server.stop(None).wait()
