"""Finds out why a TLS connection to Triton does not come about.

gRPC says "failed to connect" or "Socket closed" to most of it. Once it has failed, Python's own TLS tries the
same handshake with the same files, and its reason is told.
"""

import socket
import ssl

from hilum.errors import UsageError
from hilum.tls import TlsFiles
from hilum.triton.channel import EVERY_ADDRESS

TIMEOUT_S = 2.0
"""Longest wait for a connection, and for what a server says first, in seconds."""

HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What an HTTP/2 client says first (RFC 9113, 3.4): a fixed line and empty settings. A server answers."""

EXPIRED, NOT_YET_VALID = 10, 9
"""OpenSSL's codes for a certificate whose time is over, or has not come."""

WRONG_NAME = (62, 64)
"""OpenSSL's codes for a certificate of another host: by name, by address."""


def find_tls_trouble(address: str, tls: TlsFiles | None) -> str | None:
    """Return in a sentence what of TLS keeps a client from a server; None where it is nothing of the kind.

    Args:
        address: `host:port` of the server, to which a connection has just failed.
        tls: what the client trusts and shows; None where it does not encrypt.
    """
    host, _, port = address.removeprefix(EVERY_ADDRESS).rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            return (
                _trouble_of_plain(connection)
                if tls is None
                else _trouble(connection, tls.server_name or host, tls)
            )
    except (OSError, UsageError):  # nothing listens there, or the files have gone since
        return None


def _trouble_of_plain(connection: socket.socket) -> str | None:
    """Tell whether a server that was spoken to in plain text wants TLS; whom to trust is not the question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_socket(connection).close()
    except OSError:  # of which TLS's own errors are some: it speaks something else
        return None
    return (
        "The server takes encrypted connections only: set HILUM_TLS_CA to the authority that vouches for it."
    )


def _trouble(connection: socket.socket, host: str, tls: TlsFiles) -> str | None:
    try:
        with tls.context().wrap_socket(connection, server_hostname=host) as secure:
            secure.sendall(HTTP2_GREETING)
            return None if secure.recv(1) else _refused(tls)
    except ssl.SSLCertVerificationError as error:
        return _distrusted(error, host, tls)
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):  # the server's word, and with TLS 1.3 after the handshake
            return _refused(tls)
        return _not_encrypted()
    except ConnectionResetError:
        return _refused(tls)


def _distrusted(error: ssl.SSLCertVerificationError, host: str, tls: TlsFiles) -> str:
    if error.verify_code == EXPIRED:
        return "The server's certificate has expired: renew it, and start the server again."
    if error.verify_code == NOT_YET_VALID:
        return "The server's certificate is not valid yet: compare the clocks of both machines."
    if error.verify_code in WRONG_NAME:
        return (
            f"The server's certificate is not for {host}: give the address by a name that is in it, or have "
            "one issued for this name. Through a tunnel, HILUM_TLS_SERVER_NAME says which name it has."
        )
    return (
        f"No authority in {tls.ca} (HILUM_TLS_CA) vouches for the server's certificate "
        f"({error.verify_message})."
    )


def _refused(tls: TlsFiles) -> str:
    if tls.certificate is None:
        return (
            "The server ended the connection after the handshake, as one does that asks clients for a "
            "certificate (mutual TLS): set HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY."
        )
    return (
        f"The server ended the connection after the handshake, as one does that does not accept the client's "
        f"certificate {tls.certificate}: it has expired, or its authority is not among those that the server "
        "trusts (HILUM_TRITON_TLS_CLIENT_CA)."
    )


def _not_encrypted() -> str:
    return "The server does not encrypt: leave HILUM_TLS_CA empty, or let the server use TLS."
