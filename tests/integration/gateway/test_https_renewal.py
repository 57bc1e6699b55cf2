"""HTTPS takes up renewed certificates without a restart."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from cryptography import x509

from mesh.credentials import TlsConfig
from tests.integration.gateway.conftest import Start
from tests.integration.mesh.certificates import Authority


async def shown(address: str, tls: TlsConfig) -> int:
    """Return the serial number of the certificate that a new connection gets."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=tls.ca)
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(der).serial_number


def serial(tls: TlsConfig) -> int:
    assert tls.certificate is not None
    return x509.load_pem_x509_certificate(tls.certificate.read_bytes()).serial_number


async def test_a_renewed_certificate_is_shown_to_new_connections(listen: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("gateway")
    server = (await listen(certificate=tls.certificate, key=tls.key)).server
    assert server is not None
    assert await shown(server.address, tls) == serial(tls)
    before = serial(tls)
    authority.issue("gateway")
    assert serial(tls) != before
    for _ in range(2):
        assert await shown(server.address, tls) == serial(tls)
