"""What strings stand for, and which addresses are public."""

from __future__ import annotations

import pytest

from llamastack.memory.v1.document_pb2 import DocumentContent, DocumentUrl
from mesh.addresses import AddressGuard
from mesh.errors import InvalidField
from services.memory import media
from services.memory.sources import Fetched, Sources, decoded


@pytest.mark.parametrize(
    ("text", "told", "data"),
    [
        ("SGVsbG8=", "", b"Hello"),
        ("SGVsbG8", "", b"SGVsbG8"),
        ("Hello, world", "", b"Hello, world"),
        ("", "", b""),
        ("//79", "text/plain", b"//79"),
        ("//79", "application/pdf", b"\xff\xfe\xfd"),
        ("SGVs\nbG8=", "", b"SGVs\nbG8="),
        ("SGVsbG9=", "", b"SGVsbG9="),
        ("日本", "text/plain", "日本".encode()),
    ],
)
def test_a_string_is_base64_or_else_the_text_itself(text: str, told: str, data: bytes) -> None:
    assert decoded(text, told) == data


@pytest.mark.parametrize(
    ("uri", "fetched"),
    [
        ("data:,a%20b", Fetched(b"a b", "text/plain")),
        ("data:text/html;base64,PGI+", Fetched(b"<b>", "text/html")),
    ],
)
async def test_a_data_url_holds_its_document(uri: str, fetched: Fetched) -> None:
    assert await Sources().get(DocumentContent(url=DocumentUrl(uri=uri)), "") == fetched


async def test_a_host_with_one_private_address_is_refused() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "10.1.2.3"]

    content = DocumentContent(url=DocumentUrl(uri="https://pets.example/"))
    with pytest.raises(InvalidField, match="a host with public addresses alone is needed"):
        await Sources(guard=AddressGuard(resolve=resolve)).get(content, "")


@pytest.mark.parametrize(
    ("told", "name", "data", "kind"),
    [
        ("text/markdown; charset=utf-8", "", b"", "text/markdown"),
        ("", "notes.md", b"# x", "text/markdown"),
        ("application/octet-stream", "x", b"%PDF-1.4", "application/pdf"),
        ("", "x", b"\xef\xbb\xbf  <!DOCTYPE HTML>", "text/html"),
        ("", "x", b"plain", "text/plain"),
    ],
)
def test_the_media_type_is_told_or_found_out(told: str, name: str, data: bytes, kind: str) -> None:
    assert media.media_type(told, name, data) == kind
