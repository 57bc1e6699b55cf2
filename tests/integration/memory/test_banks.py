"""Banks and their documents over every store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llamastack.memory.v1 import bank_pb2, document_pb2
from mesh.errors import InvalidField, OutOfRange, ResourceExists, ResourceNotFound, WrongState
from tests.integration.memory.serving import (
    FAILED,
    INSERTED,
    UNCHANGED,
    UPDATED,
    Served,
    document,
    refused,
    value,
)

CAT = document("cat", "The cat sleeps on the warm roof.")
DOG = document("dog", "A dog runs after the postman.")


async def test_a_bank_that_was_created_is_listed_with_every_default_filled_in(served: Served) -> None:
    await served.create("pets")
    config = bank_pb2.VectorBankConfig(embedding_model="small", chunk_size_in_tokens=512, overlap_size_in_tokens=128)
    bank = await served.stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id="pets"))
    expected = bank_pb2.MemoryBank(
        memory_bank_id="pets",
        memory_bank_name="pets",
        config=bank_pb2.MemoryBankConfig(vector=config),
        created_at=bank.created_at,
    )
    assert bank == expected
    listed = await served.stub.ListMemoryBanks(bank_pb2.ListMemoryBanksRequest())
    assert listed == bank_pb2.ListMemoryBanksResponse(memory_banks=[expected])


async def test_a_bank_id_that_is_taken_is_refused(served: Served) -> None:
    await served.create("pets")
    again = bank_pb2.CreateMemoryBankRequest(bank_id="pets", bank_name="others")
    assert isinstance(await refused(served.stub.CreateMemoryBank(again)), ResourceExists)


async def test_a_bank_of_an_unknown_model_is_not_made(served: Served) -> None:
    config = bank_pb2.MemoryBankConfig(vector=bank_pb2.VectorBankConfig(embedding_model="none"))
    request = bank_pb2.CreateMemoryBankRequest(bank_id="pets", bank_name="pets", config=config)
    assert isinstance(await refused(served.stub.CreateMemoryBank(request)), ResourceNotFound)
    assert not (await served.stub.ListMemoryBanks(bank_pb2.ListMemoryBanksRequest())).memory_banks


async def test_banks_are_listed_page_by_page(served: Served) -> None:
    for name in ("c", "a", "b"):
        await served.create(name, "keyvalue")
    first = await served.stub.ListMemoryBanks(bank_pb2.ListMemoryBanksRequest(page_size=2))
    rest = await served.stub.ListMemoryBanks(
        bank_pb2.ListMemoryBanksRequest(page_size=2, page_token=first.next_page_token)
    )
    assert [bank.memory_bank_id for bank in [*first.memory_banks, *rest.memory_banks]] == ["a", "b", "c"]
    assert rest.next_page_token == ""
    bad = bank_pb2.ListMemoryBanksRequest(page_token="bad")
    assert isinstance(await refused(served.stub.ListMemoryBanks(bad)), OutOfRange)


async def test_a_dropped_bank_is_gone_with_its_documents_and_its_id_is_free(served: Served) -> None:
    await served.create("pets")
    await served.insert("pets", CAT)
    await served.stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="pets"))
    assert isinstance(await refused(served.query("pets", "cat")), ResourceNotFound)
    await served.create("pets")
    assert await served.found("pets", "cat") == []


async def test_a_bank_whose_first_documents_all_fail_is_not_made(served: Served) -> None:
    bad = document("bad", "text", mime_type="image/png")
    request = bank_pb2.CreateMemoryBankRequest(bank_id="pets", bank_name="pets", documents=[bad])
    error = await refused(served.stub.CreateMemoryBank(request))
    assert isinstance(error, InvalidField)
    assert isinstance(await refused(served.query("pets", "cat")), ResourceNotFound)


@pytest.mark.parametrize("kind", ["vector", "keyword", "hybrid", "keyvalue", "graph"])
async def test_the_same_document_again_is_left_as_it_is_and_another_needs_replace(served: Served, kind: str) -> None:
    await served.create("pets", kind)
    other = document("cat", "Cats eat fish.")
    outcomes = [
        (await served.insert("pets", CAT))[0].outcome,
        (await served.insert("pets", CAT))[0].outcome,
        (await served.insert("pets", other, replace=True))[0].outcome,
    ]
    assert outcomes == [INSERTED, UNCHANGED, UPDATED]
    assert isinstance(await refused(served.insert("pets", CAT)), ResourceExists)
    bank = await served.stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id="pets"))
    assert (bank.document_count, bank.chunk_count) == (1, 1)


async def test_a_document_that_did_not_change_is_not_embedded_again(served: Served) -> None:
    await served.create("pets")
    await served.insert("pets", CAT)
    before = len(served.embedder.texts)
    await served.insert("pets", CAT)
    assert len(served.embedder.texts) == before


async def test_documents_stand_or_fall_one_by_one(served: Served) -> None:
    await served.create("pets")
    bad = document("bad", "text", mime_type="image/png")
    results = await served.insert("pets", CAT, bad, DOG)
    assert [(result.document_id, result.outcome) for result in results] == [
        ("cat", INSERTED),
        ("bad", FAILED),
        ("dog", INSERTED),
    ]
    assert results[1].error.message.startswith("mime_type: image/png can't be read")
    assert results[1].error.code == 3


async def test_a_document_that_comes_twice_is_written_in_order(served: Served) -> None:
    await served.create("pets")
    results = await served.insert("pets", CAT, document("cat", "Cats eat fish."), replace=True)
    assert [result.outcome for result in results] == [INSERTED, UPDATED]
    assert [chunk.content for chunk in (await served.query("pets", "cat")).chunks] == ["Cats eat fish."]


async def test_an_update_replaces_what_is_found_and_needs_a_document(served: Served) -> None:
    await served.create("pets", "hybrid")
    await served.insert("pets", CAT, DOG)
    new = document("cat", "The tomcat plays the violin.")
    request = document_pb2.UpdateDocumentsRequest(bank_id="pets", documents=[new, document("cow", "Moo.")])
    results = (await served.stub.UpdateDocuments(request)).results
    assert [result.outcome for result in results] == [UPDATED, FAILED]
    assert results[1].error.code == 5
    contents = [chunk.content for chunk in (await served.query("pets", "roof violin")).chunks]
    assert contents[0] == "The tomcat plays the violin."
    assert "The cat sleeps on the warm roof." not in contents


async def test_documents_come_back_in_the_form_in_which_they_went_in(served: Served) -> None:
    await served.create("pets", "keyword")
    texts = document_pb2.MemoryBankDocument(
        document_id="texts",
        content=document_pb2.DocumentContent(texts=document_pb2.TextList(values=["one", "two"])),
        metadata={"big": value(2**53 + 1), "nested": value({"a": [1.5, None, "x"]})},
        mime_type="text/plain",
    )
    encoded = document_pb2.MemoryBankDocument(
        document_id="encoded", content=document_pb2.DocumentContent(encoded="SGVsbG8="), mime_type="text/plain"
    )
    url = document_pb2.MemoryBankDocument(
        document_id="url",
        content=document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri="data:text/plain,Hi%20there")),
        mime_type="text/plain",
    )
    await served.insert("pets", texts, encoded, url)
    request = document_pb2.GetDocumentsRequest(bank_id="pets", document_ids=["url", "none", "texts", "encoded"])
    fetched = document_pb2.MemoryBankDocument()
    fetched.CopyFrom(url)
    fetched.content.CopyFrom(document_pb2.DocumentContent(data=b"Hi there"))
    found = await served.stub.GetDocuments(request)
    assert found == document_pb2.GetDocumentsResponse(documents=[fetched, texts, encoded])
    assert [chunk.content for chunk in (await served.query("pets", "hello")).chunks] == ["Hello"]


async def test_more_documents_than_one_answer_holds_come_page_by_page(edge: Served) -> None:
    await edge.create("large", "keyvalue")
    names = [f"{number}" for number in range(5)]
    for name in names:
        await edge.insert("large", document(name, name * (20 * 1024 * 1024)))
    request = document_pb2.GetDocumentsRequest(bank_id="large", document_ids=["none", *names])
    pages = []
    while True:
        page = await edge.stub.GetDocuments(request)
        pages.append([one.document_id for one in page.documents])
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert pages == [["0", "1"], ["2", "3"], ["4"]]
    request.document_ids.append("other")
    assert isinstance(await refused(edge.stub.GetDocuments(request)), OutOfRange)


async def test_documents_are_listed_and_deleted_by_id(served: Served) -> None:
    await served.create("pets")
    await served.insert("pets", DOG, CAT)
    listed = await served.stub.ListDocuments(document_pb2.ListDocumentsRequest(bank_id="pets", page_size=1))
    assert [(info.document_id, info.content_bytes, info.chunk_count) for info in listed.documents] == [("cat", 32, 1)]
    request = document_pb2.DeleteDocumentsRequest(bank_id="pets", document_ids=["dog", "cow", "dog"])
    assert (await served.stub.DeleteDocuments(request)).document_ids == ["dog"]
    assert await served.found("pets", "dog postman cat") == ["cat"]


async def test_a_document_is_gone_when_its_time_is_over(served: Served) -> None:
    await served.create("pets")
    await served.insert("pets", CAT, ttl_seconds=60)
    await served.insert("pets", DOG)
    served.clock[0] += 61
    assert await served.found("pets", "cat dog") == ["dog"]
    await served.upkeep.clear(3600)
    assert (await served.insert("pets", CAT))[0].outcome == INSERTED


async def test_an_embedder_that_is_away_fails_the_documents_and_leaves_nothing(served: Served) -> None:
    await served.create("pets")
    served.embedder.broken = True
    error = await refused(served.insert("pets", CAT))
    assert error.code.name == "UNAVAILABLE"
    served.embedder.broken = False
    assert await served.found("pets", "cat") == []
    assert (await served.insert("pets", CAT))[0].outcome == INSERTED


async def test_entities_are_refused_outside_of_graph_banks(served: Served) -> None:
    await served.create("pets")
    wrong = document("cat", "Cat.")
    wrong.entities.add(name="cat")
    assert isinstance(await refused(served.insert("pets", wrong)), WrongState)


async def test_a_bulk_insert_tells_of_each_document_before_the_next_one_has_to_come(served: Served) -> None:
    await served.create("pets")
    call = served.stub.BulkInsertDocuments()
    await call.write(document_pb2.BulkInsertDocumentsRequest(bank_id="pets", document=CAT, total=2))
    first = await call.read()
    await call.write(document_pb2.BulkInsertDocumentsRequest(document=DOG))
    second = await call.read()
    await call.done_writing()
    expected = [
        document_pb2.DocumentProgress(
            result=document_pb2.DocumentResult(document_id=name, outcome=INSERTED, chunk_count=1),
            index=number,
            done=number + 1,
            total=2,
        )
        for number, name in enumerate(["cat", "dog"])
    ]
    assert [first, second] == expected
    assert sorted(await served.found("pets", "cat dog")) == ["cat", "dog"]


async def test_documents_before_one_that_is_no_document_go_in_and_are_told_of(served: Served) -> None:
    await served.create("pets")

    async def requests() -> AsyncIterator[document_pb2.BulkInsertDocumentsRequest]:
        yield document_pb2.BulkInsertDocumentsRequest(bank_id="pets")
        for name in ("cat", "dog", "x" * 257, "cow"):
            yield document_pb2.BulkInsertDocumentsRequest(document=document(name, "An animal."))

    told: list[str] = []

    async def read() -> None:
        async for progress in served.stub.BulkInsertDocuments(requests()):
            assert progress.result.outcome == INSERTED
            told.append(progress.result.document_id)

    error = await refused(read())
    assert isinstance(error, InvalidField)
    assert error.message == "document.document_id: must be at most 256 characters"
    assert told == ["cat", "dog"]
    assert sorted(await served.found("pets", "animal")) == ["cat", "dog"]


async def test_a_streamed_insert_tells_of_each_document(served: Served) -> None:
    await served.create("pets")
    request = document_pb2.InsertDocumentsRequest(bank_id="pets", documents=[CAT, DOG])
    told = [progress async for progress in served.stub.StreamInsertDocuments(request)]
    assert [(each.result.document_id, each.done, each.total) for each in told] == [("cat", 1, 2), ("dog", 2, 2)]
