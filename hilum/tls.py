"""Files that a gRPC connection to Triton is secured with, looked at before gRPC is handed them.

gRPC answers a file that is wrong with a connection that never comes about. Here it is a sentence that names
the file and the setting.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import UsageError
from hilum.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFiles:
    """What a client trusts, and what it shows of itself to a server that asks (mutual TLS); PEM files."""

    ca: Path
    """Certificates of the authorities that may vouch for the server."""
    certificate: Path | None = None
    """The client's own certificate, with the chain up to an authority that the server trusts."""
    key: Path | None = None
    """The private key that belongs to it, without a passphrase."""
    server_name: str | None = None
    """The name that the server's certificate must have; None: the host of its address."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError(
                "HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY belong together: give both, or neither."
            )

    @classmethod
    def from_settings(cls, settings: Settings) -> "TlsFiles | None":
        """Return this installation's files; None where gRPC is not encrypted.

        Raises:
            UsageError: a certificate or a key is set, and not whom to trust.
        """
        if settings.tls_ca is None:
            if settings.tls_certificate or settings.tls_key:
                raise UsageError(
                    "HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY need HILUM_TLS_CA: authorities that may vouch "
                    "for the server. Those of this machine: HILUM_TLS_CA=/etc/ssl/certs/ca-certificates.crt"
                )
            return None
        return cls(
            ca=settings.tls_ca,
            certificate=settings.tls_certificate,
            key=settings.tls_key,
            server_name=settings.tls_server_name or None,
        )

    def context(self) -> ssl.SSLContext:
        """Return Python's own TLS client with these files, which proves that they can be used.

        Raises:
            UsageError: a file cannot be read, is no PEM, or the key belongs to another certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody yet
        context.set_alpn_protocols(["h2"])
        _load_authorities(context, self.ca, "HILUM_TLS_CA")
        if self.certificate and self.key:
            _load_pair(context, self.certificate, self.key, "HILUM_TLS_CERTIFICATE", "HILUM_TLS_KEY")
        return context


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerTlsFiles:
    """What the local Triton shows to clients, and whom it lets in; PEM files."""

    certificate: Path
    """Its certificate, with the chain up to an authority that clients trust."""
    key: Path
    """The private key that belongs to it, without a passphrase."""
    client_ca: Path | None = None
    """Authorities that may vouch for clients (mutual TLS); None lets in whoever encrypts."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "ServerTlsFiles | None":
        """Return this installation's files; None where the local Triton does not encrypt.

        Raises:
            UsageError: one of certificate and key is missing.
        """
        certificate, key, client_ca = (
            settings.triton_tls_certificate,
            settings.triton_tls_key,
            settings.triton_tls_client_ca,
        )
        if certificate and key:
            return cls(certificate=certificate, key=key, client_ca=client_ca)
        if certificate or key or client_ca:
            raise UsageError(
                "HILUM_TRITON_TLS_CERTIFICATE and HILUM_TRITON_TLS_KEY belong together, and "
                "HILUM_TRITON_TLS_CLIENT_CA needs both."
            )
        return None

    def check(self) -> None:
        """Return if Triton can use the files.

        Raises:
            UsageError: a file cannot be read, is no PEM, or the key belongs to another certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = ("HILUM_TRITON_TLS_CERTIFICATE", "HILUM_TRITON_TLS_KEY")
        _load_pair(context, self.certificate, self.key, *names)
        if self.client_ca:
            _load_authorities(context, self.client_ca, "HILUM_TRITON_TLS_CLIENT_CA")


def _load_authorities(context: ssl.SSLContext, ca: Path, setting: str) -> None:
    _check_readable(ca, setting)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:
        raise UsageError(f"{setting}: {ca} holds no certificates in PEM form.") from error


def _load_pair(
    context: ssl.SSLContext, certificate: Path, key: Path, certificate_setting: str, key_setting: str
) -> None:
    _check_readable(certificate, certificate_setting)
    _check_readable(key, key_setting)
    try:
        # The password is that of no key: without one, OpenSSL would ask at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            what = f"the key {key} belongs to another certificate than {certificate}"
        else:
            what = (
                f"{certificate} and {key} must be a certificate and its private key in PEM form, the key "
                "without a passphrase"
            )
        raise UsageError(f"{certificate_setting} and {key_setting}: {what}.") from error


def _check_readable(path: Path, setting: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise UsageError(f"{setting}: {path} cannot be read: {error.strerror}.") from error
