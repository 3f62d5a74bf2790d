"""Certificates that tests make: an authority, and what it vouches for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from hilum.tls import ServerTlsFiles, TlsFiles

HOST = "127.0.0.1"
"""Where servers of tests listen, and what their certificates are for."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, in files."""

    certificate: Path
    key: Path


class Authority:
    """One authority, whose files lie in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        self._authority = trustme.CA()
        self.file = folder / f"{name}.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *identities: str, valid_for: timedelta = timedelta(days=30)) -> Pair:
        """Vouch for a host or a client; a time below zero makes a certificate that has expired."""
        issued = self._authority.issue_cert(*identities, not_after=datetime.now(UTC) + valid_for)
        pair = Pair(self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key")
        issued.private_key_pem.write_to_path(str(pair.key))
        pair.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        return pair

    def server(self, *, client_ca: Path | None = None) -> ServerTlsFiles:
        """Return the files of a server on this machine."""
        pair = self.issue("server", HOST)
        return ServerTlsFiles(certificate=pair.certificate, key=pair.key, client_ca=client_ca)

    def client(self, pair: Pair | None = None) -> TlsFiles:
        """Return the files of a client that trusts this authority."""
        if pair is None:
            return TlsFiles(ca=self.file)
        return TlsFiles(ca=self.file, certificate=pair.certificate, key=pair.key)
