"""Statements about some documents of a bank read those, not the whole bank."""

from __future__ import annotations

from pathlib import Path

from llamastack.memory.v1 import bank_pb2, document_pb2
from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import Served, document, serving
from tests.integration.memory.test_graph import STAFF, TOWN
from tests.query_plans import query_plans

WHOLE = ("SCAN memory_documents", "(bank=?)")


async def test_no_statement_about_some_documents_reads_their_whole_bank(tmp_path: Path) -> None:
    places = (tmp_path / "banks", f"sqlite:///{tmp_path}/memory.db")
    with query_plans("memory_documents") as plans:
        async with serving(EdgeStore(places[0]), places[1]) as edge:
            await edge.create("notes")
            await edge.create("town", "graph")
            await edge.insert("notes", document("one", "Cats sleep."), document("two", "Dogs bark."))
            await edge.insert("town", STAFF, TOWN)
            request = document_pb2.UpdateDocumentsRequest(bank_id="notes", documents=[document("one", "Cats purr.")])
            await edge.stub.UpdateDocuments(request)
        # another process remembers nothing of what was written
        async with serving(EdgeStore(places[0]), places[1]) as edge:
            assert set(await edge.found("notes", "Who barks?")) == {"one", "two"}
            assert set(await edge.found("town", entities=["Bakery"])) == {"staff", "town"}
            await edge.stub.DeleteDocuments(document_pb2.DeleteDocumentsRequest(bank_id="notes", document_ids=["one"]))
            edge.clock[0] += 3600
            await edge.upkeep.clear(0)

    assert plans
    assert {query: steps for query, steps in plans.items() if any(step.endswith(WHOLE) for step in steps)} == {}


async def test_the_counts_of_a_bank_leave_other_banks_unread(edge: Served) -> None:
    await edge.create("notes")
    await edge.create("more")
    await edge.insert("more", document("one", "Cats sleep."))
    with query_plans("memory_documents") as plans:
        bank = await edge.stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id="more"))
    assert bank.document_count == 1
    assert [step.partition(" USING ")[0] for steps in plans.values() for step in steps] == ["SEARCH memory_documents"]
