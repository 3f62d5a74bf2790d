"""When the certificates of this installation expire: after that, nothing encrypted answers any more."""

import logging
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from hilum.settings import Settings

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
