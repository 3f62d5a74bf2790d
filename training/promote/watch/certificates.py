"""When the certificates of this installation expire: after that, nothing encrypted answers any more."""

import logging
import socket
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509

from hilum.settings import Settings
from hilum.tls import TlsFiles

log = logging.getLogger(__name__)


def read_expiries(settings: Settings) -> dict[str, float]:
    """Return when each certificate file stops to work, in seconds since 1970, by file name.

    A certificate with its chain works until the first of them expires; a file of authorities until the last
    does, since a new authority is added long before the old one goes. Of two files of one name, the one that
    expires first counts. A file that cannot be read is left out.
    """
    expiries: dict[str, float] = {}
    for path, is_authority in _files(settings):
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            log.warning("When %s expires is not known: %s", path, error)
            continue
        ends = [certificate.not_valid_after_utc.timestamp() for certificate in certificates]
        end = max(ends) if is_authority else min(ends)
        expiries[path.name] = min(end, expiries.get(path.name, end))
    return expiries


SHOWN = "shown-by-triton"
"""What the certificate is called that Triton shows: it reads the file at its start only."""

TIMEOUT_S = 2.0
"""Longest wait for one Triton's certificate, in seconds."""


def read_shown(addresses: Iterable[str], tls: TlsFiles | None) -> dict[str, float]:
    """Return when the certificate expires that Triton shows, in seconds since 1970, by `SHOWN`.

    Of several Tritons, the one whose expires first counts. One that has expired is told like any other: the
    handshake looks at nothing but the date. Where none shows one, nothing is returned: whoever asks Triton
    for more says why it does not answer.

    Args:
        addresses: `host:port` of each gRPC service.
        tls: what to show where a client is asked for a certificate; None: nothing is encrypted.
    """
    if tls is None:
        return {}
    ends = []
    for address in addresses:
        try:
            ends.append(_shown_by(address, tls))
        except (OSError, ValueError) as error:
            log.debug("When the certificate of Triton at %s expires is not known: %s", address, error)
    return {SHOWN: min(ends)} if ends else {}


def _shown_by(address: str, tls: TlsFiles) -> float:
    host, _, port = address.rpartition(":")
    context = tls.context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent over this connection
    with (
        socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S) as connection,
        context.wrap_socket(connection, server_hostname=tls.server_name or None) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    if not shown:
        raise ValueError("it shows none")
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


def _files(settings: Settings) -> Iterator[tuple[Path, bool]]:
    """Yield the files that are set, and whether each holds authorities."""
    for path, is_authority in (
        (settings.tls_ca, True),
        (settings.tls_certificate, False),
        (settings.triton_tls_certificate, False),
        (settings.triton_tls_client_ca, True),
    ):
        if path is not None:
            yield path, is_authority
