"""TLS and mutual TLS from PEM files, for both ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from mesh.config import setting


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

    def server(self) -> grpc.ServerCredentials | None:
        """Return the credentials of a server, or None for plain text.

        Raises:
            OSError: a file can't be read.
        """
        if self.certificate is None or self.key is None:
            return None
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        ca = self.ca.read_bytes() if self.ca else None
        return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)

    def channel(self) -> grpc.ChannelCredentials | None:
        """Return the credentials of a client, or None for plain text.

        Raises:
            OSError: a file can't be read.
        """
        if self.ca is None:
            return None
        key = self.key.read_bytes() if self.key else None
        chain = self.certificate.read_bytes() if self.certificate else None
        return grpc.ssl_channel_credentials(self.ca.read_bytes(), private_key=key, certificate_chain=chain)
