"""Documents that are made to exhaust whoever reads them: each fails alone, soon, and within bounded memory."""

from __future__ import annotations

import asyncio
import io
import resource
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llamastack.memory.v1 import document_pb2
from mesh.addresses import AddressGuard
from services.memory.edge_store import EdgeStore
from services.memory.sources import Sources
from tests.integration.memory.serving import FAILED, INSERTED, Served, serving
from tests.integration.memory.test_ingestion import W, docx, file

MIB = 1024 * 1024
GIB = 1024 * MIB
SECONDS = 60.0
GROWTH_MIB = 600
GOOD = file("good", b"Dogs bark.")


def plain_pdf(*objects: bytes) -> bytes:
    """Return a PDF file of numbered objects, the first of which is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


def pages(count: int, stream: bytes, filtered: bytes = b"") -> bytes:
    """Return a PDF file with so many pages that share one content stream."""
    kids = b" ".join(b"%d 0 R" % (number + 5) for number in range(count))
    fonts = b"<< /Font << /F1 3 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources %b >>" % fonts
    return plain_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%b] >>" % (count, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(stream), filtered, stream),
        *[page] * count,
    )


def deflated(size: int) -> bytes:
    """Return so many spaces, compressed twice over without ever being held."""
    squeeze = zlib.compressobj(9)
    parts = [squeeze.compress(b" " * MIB) for _ in range(size // MIB)]
    return b"".join([*parts, squeeze.flush()])


def lying_docx() -> bytes:
    """Return a DOCX file whose header tells of less than what it unpacks to."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * (65 * MIB))
    data = bytearray(out.getvalue())
    place = data.rfind(b"PK\x01\x02") + 24
    data[place : place + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
XML_BOMB = docx(
    f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'
    f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>&l11;</w:t></w:r></w:p></w:body></w:document>'
)
LOOP = plain_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>")


@asynccontextmanager
async def bounded() -> AsyncIterator[None]:
    """See that the block takes neither much time nor much memory of this process."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    async with asyncio.timeout(SECONDS):
        yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < GROWTH_MIB, f"{grown:.0f} MiB more after {time.monotonic() - began:.0f} s"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: file("a", XML_BOMB), ""),
        (lambda: file("a", lying_docx()), "content: the DOCX file is broken or encrypted"),
        (lambda: file("a", LOOP), "content: "),
        (lambda: file("a", pages(1, deflated(GIB), b"/Filter /FlateDecode")), "content: "),
        (lambda: file("a.json", b"[" * (2 * MIB)), "content: "),
        (lambda: file("a.json", b"[" + b"{}," * (16 * MIB) + b"{}]"), "content: "),
        (lambda: file("a.html", b"<!DOCTYPE html>" + b"<div>" * (2 * MIB)), ""),
        (lambda: file("a.csv", b"a,b\n" + b"x" * (2 * MIB)), "content: a table is needed; row 2 can't be read"),
        (lambda: file("a.csv", b"a" * 100_000 + b"\n" + b"x\n" * 400_000), "content: the table has too much text"),
        (lambda: file("a.html", b"<!DOCTYPE html><tr>" + b"<td>a" * 200_000), "the document has more than 2000 chunks"),
        (lambda: file("a.md", b"# " + b"x" * MIB + b"\n## a" * MIB), "content: at most 100000 headings are taken"),
        (lambda: file("a", b"\t\n " * (16 * MIB), "text/plain"), ""),
        (lambda: file("a", b"x" * (48 * MIB), "text/plain"), "the document has more than 2000 chunks"),
        (lambda: file("a", b"\xc3(" * MIB, "text/plain"), "content: text in UTF-8 is needed; byte 0 is not"),
    ],
    ids=[
        "xml-bomb", "lying-zip", "page-loop", "pdf-bomb", "deep-json", "wide-json", "deep-html", "long-cell",
        "column-names", "cells", "headings", "blank", "long-line", "not-utf-8",
    ],
)  # fmt: skip
async def test_what_exhausts_a_reader_fails_alone_within_bounds(edge: Served, make: object, why: str) -> None:
    assert callable(make)
    bad: document_pb2.MemoryBankDocument = make()
    await edge.create("pets", "keyword", chunking={"chunk_size_in_tokens": 64})
    async with bounded():
        bad_result, good_result = await edge.insert("pets", bad, GOOD)
    assert good_result.outcome == INSERTED
    # a bomb that is defused without harm may go in
    assert bad_result.outcome == FAILED or (not why and bad_result.chunk_count < 100)
    assert bad_result.error.message.startswith(why)
    assert await edge.found("pets", "dogs") == ["good"]


async def test_a_pdf_file_of_ten_thousand_pages_is_read_with_its_pages(tmp_path: Path) -> None:
    book = pages(10_000, b"BT /F1 12 Tf 20 200 Td (word) Tj ET")
    async with serving(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as served:
        await served.create("pets", "keyword")
        async with bounded():
            results = await served.insert("pets", file("book", book), GOOD)
        assert [result.outcome for result in results] == [INSERTED, INSERTED]
        last = max(chunk.page for chunk in (await served.query("pets", "word", max_chunks=1000)).chunks)
    assert last > 9000


async def test_large_documents_behind_short_urls_are_not_in_memory_all_at_once(tmp_path: Path) -> None:
    roots = tmp_path / "files"
    roots.mkdir()
    (roots / "large.txt").write_bytes(b"Dogs bark.\n" * (3 * MIB))
    content = document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=f"file://{roots}/large.txt"))
    large = [document_pb2.MemoryBankDocument(document_id=str(number), content=content) for number in range(12)]
    url = f"sqlite:///{tmp_path}/memory.db"
    async with serving(EdgeStore(tmp_path / "banks"), url, [roots]) as served:
        await served.create("pets", "keyword", chunking={"chunk_size_in_tokens": 64})
        await served.create("whole", "keyvalue")
        async with bounded():
            *bad, good = await served.insert("pets", *large, GOOD)
            kept = await served.insert("whole", *large[:2])
    assert {result.error.message for result in bad} == {"the document has more than 2000 chunks"}
    assert [result.outcome for result in [good, *kept]] == [INSERTED] * 3


async def test_a_line_of_a_gigabyte_is_not_taken_from_a_file_or_a_host(tmp_path: Path) -> None:
    roots = tmp_path / "files"
    roots.mkdir()
    with (roots / "line.txt").open("wb") as long:
        long.write(b"a")
        # the file system gives out zeros without keeping them
        long.truncate(GIB)
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")
        try:
            while sent < GIB:
                writer.write(b"a" * MIB)
                await writer.drain()
                sent += MIB
        except OSError:
            # the other side has had enough
            pass
        writer.close()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    sources = Sources((roots,), AddressGuard(frozenset({"pets.example"}), resolve=resolve), 30)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    uris = [f"file://{roots}/line.txt", f"http://pets.example:{server.sockets[0].getsockname()[1]}/line.txt"]
    documents = [
        document_pb2.MemoryBankDocument(
            document_id=uri, content=document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=uri))
        )
        for uri in uris
    ]
    url = f"sqlite:///{tmp_path}/memory.db"
    async with server, serving(EdgeStore(tmp_path / "banks"), url, sources=sources) as served:
        await served.create("pets", "keyword")
        async with bounded():
            *bad, good = await served.insert("pets", *documents, GOOD)
    assert [result.error.message for result in bad] == ["content.url.uri: at most 64 MiB are taken"] * 2
    assert good.outcome == INSERTED
    assert sent < GIB // 2
