"""Documents of every format and from every source, good ones and bad ones."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from llamastack.memory.v1 import document_pb2
from mesh.addresses import AddressGuard
from mesh.errors import BackendUnavailable, InvalidField
from services.memory.edge_store import EdgeStore
from services.memory.sources import Sources
from tests.integration.memory.serving import FAILED, INSERTED, Served, serving
from tests.integration.mesh.certificates import Authority


def pdf(*texts: str, password: str = "") -> bytes:
    """Return a PDF file with a page for each text."""
    writer = PdfWriter()
    for text in texts:
        page = writer.add_blank_page(300, 300)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = drawn
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def docx(xml: str) -> bytes:
    """Return a DOCX file of which the document's XML is this."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", xml)
    return file.getvalue()


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
HEADING = '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Roofs</w:t></w:r></w:p>'
LETTER = f'<w:document xmlns:w="{W}"><w:body>{HEADING}<w:p><w:r><w:t>Red tiles</w:t></w:r></w:p></w:body></w:document>'


def file(document_id: str, data: bytes, mime_type: str = "") -> document_pb2.MemoryBankDocument:
    content = document_pb2.DocumentContent(data=data)
    return document_pb2.MemoryBankDocument(document_id=document_id, content=content, mime_type=mime_type)


def link(uri: str) -> document_pb2.MemoryBankDocument:
    content = document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=uri))
    return document_pb2.MemoryBankDocument(document_id="link", content=content)


@pytest.mark.parametrize(
    ("name", "data", "media_type", "expected"),
    [
        ("a.md", b"# Pets\n\nCats.\n\n## Dogs\n\nBark.\n", "text/markdown", ("## Dogs\n\nBark.", "Pets > Dogs", None)),
        (
            "a",
            b"<!DOCTYPE html><title>x</title><h1>Pets</h1><p>Dogs <b>bark</b>.<script>no()</script></p>",
            "text/html",
            ("Pets\n\nDogs bark.", "Pets", None),
        ),
        (
            "a.csv",
            b"name,sound\ncat,meow\ndog,bark\n",
            "text/csv",
            ("name: cat; sound: meow\nname: dog; sound: bark", None, None),
        ),
        ("a.json", b'{"dogs": "bark"}', "application/json", ('{"dogs": "bark"}', None, None)),
        ("bark.py", b"dogs = 'bark'\n", "text/x-python", ("dogs = 'bark'", None, None)),
        ("a", pdf("Cats meow", "Dogs bark"), "application/pdf", ("Cats meow\n\nDogs bark", None, 1)),
        (
            "a.docx",
            docx(LETTER),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ("Roofs\n\nRed tiles", "Roofs", None),
        ),
    ],
    ids=["markdown", "html", "csv", "json", "code", "pdf", "docx"],
)
async def test_every_format_is_read_and_told_by_name_or_first_bytes(
    served: Served, name: str, data: bytes, media_type: str, expected: tuple[str, str | None, int | None]
) -> None:
    await served.create("pets", "keyword")
    await served.insert("pets", file(name, data))
    chunk = (await served.query("pets", "dogs bark tiles")).chunks[0]
    section = chunk.section if chunk.HasField("section") else None
    page = chunk.page if chunk.HasField("page") else None
    assert (chunk.mime_type, chunk.content, section, page) == (media_type, *expected)


BOMB = docx(f'<w:document xmlns:w="{W}"><w:body>{" " * (65 * 1024 * 1024)}</w:body></w:document>')


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (file("a", pdf("secret", password="x")), "content: the PDF file is encrypted"),
        (file("a", b"%PDF-1.7\nnothing of the kind"), "content: the PDF file is broken"),
        (file("a", BOMB), "content: the DOCX file is too large when it is unpacked"),
        (file("a", b"caf\xe9", "text/plain"), "content: text in UTF-8 is needed; byte 3 is not"),
        (file("a", b"\0\1\2\3"), "mime_type: application/octet-stream can't be read; "),
        (file("a.json", b'{"a": '), "content: JSON is needed; it can't be read at line 1"),
        (file("a", b"word " * 200_000), "the document has more than 2000 chunks"),
        (link("file:///etc/passwd"), "content.url.uri: a file within the configured folders is needed"),
        (link("http://127.0.0.1:1/"), "content.url.uri: a host with public addresses alone is needed"),
        (link("http://169.254.169.254/latest"), "content.url.uri: a host with public addresses alone is needed"),
        (link("http://[::ffff:10.0.0.1]/"), "content.url.uri: a host with public addresses alone is needed"),
        (link("gopher://example.com/"), "content.url.uri: a URL of data:, http:, https: or file: is needed"),
        (link("data:text/plain"), "content.url.uri: a data: URL has a comma before its data"),
    ],
    ids=[
        "encrypted-pdf",
        "broken-pdf",
        "zip-bomb",
        "not-utf-8",
        "binary",
        "broken-json",
        "too-many-chunks",
        "file-outside",
        "loopback",
        "link-local",
        "mapped-private",
        "other-scheme",
        "broken-data-url",
    ],
)
async def test_a_bad_document_fails_alone_and_says_why(
    served: Served, bad: document_pb2.MemoryBankDocument, why: str
) -> None:
    await served.create("pets", "keyword", chunking={"chunk_size_in_tokens": 64})
    bad_result, good_result = await served.insert("pets", bad, file("good", b"Dogs bark."))
    assert (bad_result.outcome, good_result.outcome) == (FAILED, INSERTED)
    assert bad_result.error.message.startswith(why)


async def test_a_file_is_read_within_the_roots_wherever_links_lead(served: Served, tmp_path: Path) -> None:
    roots = tmp_path / "files"
    roots.mkdir()
    (roots / "pets.txt").write_text("Dogs bark.")
    (tmp_path / "secret.txt").write_text("Cats conspire.")
    (roots / "way-out.txt").symlink_to(tmp_path / "secret.txt")
    await served.create("pets", "keyword")
    await served.insert("pets", link(f"file://{roots}/pets.txt"))
    chunk = (await served.query("pets", "dogs")).chunks[0]
    assert (chunk.content, chunk.source) == ("Dogs bark.", f"file://{roots}/pets.txt")
    for outside in (f"file://{roots}/way-out.txt", f"file://{roots}/../secret.txt", f"file://{roots}/none.txt"):
        result = (await served.insert("pets", link(outside), file("x", b"x"), replace=True))[0]
        assert result.error.message == "content.url.uri: a file within the configured folders is needed"


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nBark!"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*responses: bytes) -> Answer:
    """Return a web server that gives these responses in turn."""
    left = list(responses)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return answer


async def fetch(*responses: bytes, path: str = "/pets.txt", private: bool = True) -> bytes:
    server = await asyncio.start_server(answering(*responses), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    hosts = frozenset({"pets.example"}) if private else frozenset[str]()
    sources = Sources(guard=AddressGuard(hosts, resolve=resolve), timeout_s=5)
    async with server:
        content = document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=f"http://pets.example:{port}{path}"))
        return (await sources.get(content, "")).data


async def test_a_url_is_fetched_and_its_redirections_are_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: /dogs.txt\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert await fetch(moved, OK) == b"Bark!"


async def test_a_slow_host_does_not_keep_other_documents_from_being_fetched(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"\r\n\r\n")
        if line.startswith(b"GET /last "):
            asked.set()
        # the first ones wait for the last one
        await asked.wait()
        writer.write(OK)
        await writer.drain()
        writer.close()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    sources = Sources(guard=AddressGuard(frozenset({"pets.example"}), resolve=resolve), timeout_s=20)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = f"http://pets.example:{server.sockets[0].getsockname()[1]}"
    documents = [link(f"{host}/{name}") for name in ("first", "second", "last")]
    for number, one in enumerate(documents):
        one.document_id = str(number)
    url = f"sqlite:///{tmp_path}/memory.db"
    async with server, serving(EdgeStore(tmp_path / "banks"), url, sources=sources) as served:
        await served.create("pets", "keyword")
        results = await served.insert("pets", *documents)
    assert [(result.document_id, result.outcome) for result in results] == [(name, INSERTED) for name in "012"]


async def test_a_name_that_leads_to_a_private_address_is_refused() -> None:
    with pytest.raises(InvalidField, match="a host with public addresses alone is needed"):
        await fetch(private=False)


async def test_a_redirection_to_a_private_address_is_refused() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://metadata.example/\r\ncontent-length: 0\r\n\r\n"
    with pytest.raises(InvalidField, match="a host with public addresses alone is needed"):
        await fetch(moved)


async def test_an_answer_that_is_no_document_is_told_with_its_status() -> None:
    with pytest.raises(InvalidField, match="the host answered 404"):
        await fetch(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("host", "trusted", "fetched"),
    [("pets.example", True, True), ("other.example", True, False), ("pets.example", False, False)],
    ids=["its-own", "of-another-host", "of-an-unknown-authority"],
)
async def test_a_host_of_https_needs_a_certificate_of_its_name(
    tmp_path: Path, host: str, trusted: bool, fetched: bool
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue(host)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pair.certificate), str(pair.key))

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(answering(OK), "127.0.0.1", 0, ssl=context)
    uri = f"https://pets.example:{server.sockets[0].getsockname()[1]}/pets.txt"
    sources = Sources(
        guard=AddressGuard(frozenset({"pets.example"}), resolve=resolve),
        timeout_s=5,
        trust=create_default_context(cafile=authority.file) if trusted else None,
    )
    content = document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=uri))
    async with server:
        if fetched:
            assert (await sources.get(content, "")).data == b"Bark!"
        else:
            with pytest.raises(BackendUnavailable, match="the document's host can't be reached"):
                await sources.get(content, "")


async def test_a_host_that_breaks_off_is_unavailable() -> None:
    with pytest.raises(BackendUnavailable, match="the document's host can't be reached"):
        await fetch(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nBark!")
