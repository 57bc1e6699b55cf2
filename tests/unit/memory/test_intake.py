"""Documents are taken as they come, and never many more than are worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from llamastack.memory.v1.document_pb2 import DocumentContent, MemoryBankDocument
from mesh.errors import InvalidField
from services.memory.intake import FEWEST, MOST, MOST_BYTES, Intake


def document(name: str, size: int = 4) -> MemoryBankDocument:
    return MemoryBankDocument(document_id=name, content=DocumentContent(data=b"x" * size))


async def given(*documents: MemoryBankDocument, error: Exception | None = None) -> AsyncIterator[MemoryBankDocument]:
    for one in documents:
        yield one
    if error is not None:
        raise error


def numbers(batch: Sequence[tuple[int, MemoryBankDocument]]) -> list[tuple[int, str]]:
    return [(number, one.document_id) for number, one in batch]


async def test_documents_are_numbered_in_order_and_no_batch_has_an_id_twice() -> None:
    intake = Intake(given(*map(document, "abacc")))
    assert numbers(await intake.take()) == [(0, "a"), (1, "b")]
    assert numbers(await intake.take()) == [(2, "a"), (3, "c")]
    assert numbers(await intake.take()) == [(4, "c")]
    assert await intake.take() == []
    assert await intake.take() == []


async def test_what_the_source_raises_comes_after_the_documents_before_it() -> None:
    intake = Intake(given(document("a"), error=InvalidField("bank_id", "no")))
    assert numbers(await intake.take()) == [(0, "a")]
    with pytest.raises(InvalidField):
        await intake.take()


async def test_a_document_is_not_kept_waiting_for_others() -> None:
    more = asyncio.Event()

    async def slowly() -> AsyncIterator[MemoryBankDocument]:
        yield document("a")
        await more.wait()
        yield document("b")

    intake = Intake(slowly())
    assert numbers(await asyncio.wait_for(intake.take(), 10)) == [(0, "a")]
    more.set()
    assert numbers(await asyncio.wait_for(intake.take(), 10)) == [(1, "b")]
    assert await intake.take() == []


async def test_no_more_than_the_next_documents_are_read_while_some_are_worked_on() -> None:
    read = 0

    async def endless() -> AsyncIterator[MemoryBankDocument]:
        nonlocal read
        while True:
            read += 1
            yield document(str(read))
            await asyncio.sleep(0)

    intake = Intake(endless())
    for taken in range(1, 4):
        assert len(await intake.take()) == FEWEST
        for _ in range(5 * FEWEST):
            await asyncio.sleep(0)
        assert read == (taken + 1) * FEWEST
    intake.stop()


async def test_large_documents_are_taken_one_by_one() -> None:
    intake = Intake(given(*(document(name, MOST_BYTES) for name in "abc")))
    assert [numbers(await intake.take()) for _ in range(4)] == [[(0, "a")], [(1, "b")], [(2, "c")], []]


async def test_more_are_taken_where_they_are_quick_and_few_where_they_are_slow() -> None:
    intake = Intake(given(*(document(str(number)) for number in range(3000))))
    sizes = []
    for seconds in (0.064, 0.001, 60.0, 60.0):
        batch = await intake.take()
        sizes.append(len(batch))
        intake.worked(len(batch), seconds)
    sizes.append(len(await intake.take()))
    assert sizes == [FEWEST, 500, MOST, FEWEST, FEWEST]
