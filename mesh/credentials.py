"""TLS and mutual TLS from PEM files, for both ends."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mesh.config import setting
from mesh.renewal import Renewal, renewed_context


@dataclass(frozen=True)
class TlsConfig:
    """PEM files. A server with certificate and key speaks TLS; with ``ca`` too it demands a certificate of clients.

    A client with ``ca`` speaks TLS and trusts that CA alone; with certificate and key too it shows its own.
    """

    certificate: Path | None = setting("TLS_CERTIFICATE", None, "PEM file with the certificate chain of this service.")
    key: Path | None = setting("TLS_KEY", None, "PEM file with the private key of the certificate.")
    ca: Path | None = setting("TLS_CA", None, "PEM file with the CA certificates that peers are checked against.")

    def __post_init__(self) -> None:
        """Refuse half a key pair."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY: give both or neither")

    @property
    def mutual(self) -> bool:
        """Whether a server with these files knows its clients by their certificates."""
        return self.certificate is not None and self.ca is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are configured."""
        return tuple(file for file in (self.certificate, self.key, self.ca) if file is not None)

    def server(self) -> grpc.ServerCredentials | None:
        """Return the credentials of a server, or None for plain text; renewed files count from the next connection on.

        Raises:
            OSError: a file can't be read.
            ValueError: a file is no PEM file, or the key is not the certificate's.
        """
        if self.certificate is None or self.key is None:
            return None
        certificate, key = self.certificate, self.key

        def configure() -> grpc.ServerCertificateConfiguration:
            pair = key.read_bytes(), certificate.read_bytes()
            check_pair(*pair)
            return grpc.ssl_server_certificate_configuration([pair], root_certificates=_read(self.ca))

        renew: Any = Renewal(self.files, configure).fresh
        return grpc.dynamic_ssl_server_credentials(configure(), renew, self.ca is not None)

    def https(self) -> ssl.SSLContext | None:
        """Return the TLS context of an HTTP server, or None for plain text; renewed as in :meth:`server`.

        Raises:
            OSError: a file can't be read, or is no PEM file, or the key is not the certificate's.
        """
        if self.certificate is None or self.key is None:
            return None
        certificate, key = self.certificate, self.key

        def make() -> ssl.SSLContext:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
            context.load_cert_chain(certificate, key)
            context.verify_mode = ssl.CERT_REQUIRED if self.mutual else ssl.CERT_NONE
            return context

        return renewed_context(self.files, make)

    def channel(self) -> grpc.ChannelCredentials | None:
        """Return the credentials of a client with the files as they are now, or None for plain text.

        Raises:
            OSError: a file can't be read.
            ValueError: a file is no PEM file, or the key is not the certificate's.
        """
        if self.ca is None:
            return None
        key, chain = _read(self.key), _read(self.certificate)
        check_pair(key, chain)
        return grpc.ssl_channel_credentials(self.ca.read_bytes(), private_key=key, certificate_chain=chain)


def check_pair(key: bytes | None, chain: bytes | None) -> None:
    """Return if a private key belongs to the first certificate of a chain, or if there is neither.

    Raises:
        ValueError: it does not, or one of them can't be read.
    """
    if key is None or chain is None:
        return
    certificate = x509.load_pem_x509_certificate(chain)
    if load_pem_private_key(key, None).public_key() != certificate.public_key():
        raise ValueError("the private key is not the certificate's")


def _read(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()
