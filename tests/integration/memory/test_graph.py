"""Graph banks: entities, relations and what lies around them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llamastack.memory.v1 import document_pb2, query_pb2
from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh.errors import InvalidField, WrongState
from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import FAILED, INSERTED, UPDATED, Served, document, refused, serving, value

OUT, IN = query_pb2.GRAPH_DIRECTION_OUT, query_pb2.GRAPH_DIRECTION_IN


def telling(
    document_id: str,
    text: str,
    *relations: tuple[str, str, str],
    entities: tuple[GraphEntity, ...] = (),
    **metadata: Any,
) -> document_pb2.MemoryBankDocument:
    """Return a document that brings relations and entities."""
    made = document(document_id, text, **metadata)
    made.entities.extend(entities)
    made.relations.extend(GraphRelation(source=a, relation=b, target=c) for a, b, c in relations)
    return made


ANN = GraphEntity(name="Ann Lee", kind="person", properties={"age": value(41)})
STAFF = telling(
    "staff",
    "Ann Lee runs the bakery.",
    ("Ann Lee", "runs", "Bakery"),
    ("Bob", "works_for", "bakery"),
    entities=(ANN,),
    year=2023,
)
TOWN = telling("town", "The bakery stands in Hilltown.", ("Bakery", "located_in", "Hilltown"), year=2024)
LAND = telling("land", "Hilltown belongs to Upland.", ("Hilltown", "part_of", "Upland"), year=2024)


@pytest.fixture
async def graph(served: Served) -> Served:
    """Give a bank of people and places."""
    await served.create("graph", "graph")
    await served.insert("graph", STAFF, TOWN, LAND)
    return served


def names(answer: query_pb2.QueryMemoryBankResponse) -> list[str]:
    """Return the names of the entities of an answer."""
    return [entity.name for entity in answer.entities]


def followed(answer: query_pb2.QueryMemoryBankResponse) -> set[tuple[str, str, str, str]]:
    """Return the relations of an answer."""
    return {(one.source, one.relation, one.target, one.document_id) for one in answer.relations}


async def test_a_query_finds_what_is_one_relation_away_both_ways(graph: Served) -> None:
    answer = await graph.query("graph", entities=["BAKERY"])
    assert names(answer) == ["Bakery", "Ann Lee", "Bob", "Hilltown"]
    assert answer.entities[1] == ANN
    assert followed(answer) == {
        ("Ann Lee", "runs", "Bakery", "staff"),
        ("Bob", "works_for", "bakery", "staff"),
        ("Bakery", "located_in", "Hilltown", "town"),
    }
    found = [(chunk.document_id, score) for chunk, score in zip(answer.chunks, answer.scores, strict=True)]
    assert found == [("staff", 1.0), ("town", 1.0), ("land", 0.5)]


async def test_hops_kinds_and_direction_of_relations_are_followed_as_asked(graph: Served) -> None:
    far = await graph.query("graph", entities=["Bob"], max_hops=3, direction=OUT)
    assert names(far) == ["Bob", "Bakery", "Hilltown", "Upland"]
    one_kind = await graph.query("graph", entities=["Bakery"], max_hops=8, relations=["works_for"])
    assert (names(one_kind), len(one_kind.relations)) == (["Bakery", "Bob"], 1)
    back = await graph.query("graph", entities=["Upland"], direction=IN)
    assert names(back) == ["Upland", "Hilltown"]
    assert names(await graph.query("graph", entities=["Upland"], direction=OUT)) == ["Upland"]


async def test_a_text_names_the_entities_that_are_looked_around(graph: Served) -> None:
    answer = await graph.query("graph", "Who is ann lee, and what does she do?")
    assert names(answer) == ["Ann Lee", "Bakery"]
    assert await graph.query("graph", "Who is Ann?") == query_pb2.QueryMemoryBankResponse()
    assert isinstance(await refused(graph.query("graph", "  ")), InvalidField)


async def test_filters_and_limits_hold_for_what_documents_tell(graph: Served) -> None:
    young = query_pb2.MetadataCondition(key="year", range=query_pb2.NumberRange(gte=2024))
    chosen = query_pb2.MetadataFilter(all=[young])
    answer = await graph.query("graph", entities=["Bakery"], max_hops=2, filter=chosen)
    assert names(answer) == ["Bakery", "Hilltown", "Upland"]
    assert [chunk.document_id for chunk in answer.chunks] == ["town", "land"]
    assert await graph.found("graph", entities=["Bakery"], min_score=0.75) == ["staff", "town"]
    assert await graph.found("graph", entities=["Bakery"], max_chunks=1) == ["staff"]


async def test_what_a_document_tells_comes_and_goes_with_it(graph: Served) -> None:
    moved = telling("town", "The bakery moved to Seaport.", ("Bakery", "located_in", "Seaport"))
    assert [result.outcome for result in await graph.insert("graph", moved, replace=True)] == [UPDATED]
    answer = await graph.query("graph", entities=["Bakery"], direction=OUT)
    assert names(answer) == ["Bakery", "Seaport"]
    gone = document_pb2.DeleteDocumentsRequest(bank_id="graph", document_ids=["town", "staff"])
    await graph.stub.DeleteDocuments(gone)
    assert await graph.query("graph", entities=["Bakery"]) == query_pb2.QueryMemoryBankResponse()
    request = document_pb2.GetDocumentsRequest(bank_id="graph", document_ids=["land"])
    assert (await graph.stub.GetDocuments(request)).documents[0].relations == LAND.relations


async def test_a_model_reads_entities_out_of_documents_that_bring_none(served: Served) -> None:
    await served.create("read", "graph", extraction_model="small")
    await served.insert(
        "read", document("a", "Ann leads Acme. Acme owns Rocket."), telling("b", "Cid sees Dan.", ("X", "y", "Z"))
    )
    answer = await served.query("read", entities=["ann"], max_hops=2)
    assert followed(answer) == {("Ann", "leads", "Acme", "a"), ("Acme", "owns", "Rocket", "a")}
    assert answer.entities[0] == GraphEntity(name="Ann", kind="thing")
    assert names(await served.query("read", entities=["Cid", "X"])) == ["X", "Z"]


async def test_a_model_that_answers_with_something_else_fails_the_document_alone(served: Served) -> None:
    await served.create("read", "graph", extraction_model="chatty")
    results = await served.insert("read", document("a", "Ann leads Acme."), TOWN)
    assert [result.outcome for result in results] == [FAILED, INSERTED]
    assert results[0].error.message == "model chatty did not answer with entities and relations"


async def test_a_blank_name_is_refused_by_its_path(served: Served) -> None:
    await served.create("graph", "graph")
    error = await refused(served.insert("graph", telling("a", "x", ("Ann", "runs", " "))))
    assert isinstance(error, InvalidField)
    assert error.message.startswith("relations[0].target: a name with a visible character")
    assert isinstance(await refused(served.query("graph", "x", vector_weight=1)), WrongState)


async def test_readers_see_what_a_document_told_before_or_after_and_never_both(
    postgres_url: str, tmp_path: Path
) -> None:
    async with serving(EdgeStore(tmp_path / "banks"), postgres_url) as served:
        await served.create("graph", "graph")

        def edition(number: int) -> document_pb2.MemoryBankDocument:
            return telling(
                "news", f"Edition {number}", ("a", "leads_to", f"b{number}"), (f"b{number}", "leads_to", "c")
            )

        await served.insert("graph", edition(0))

        async def write() -> None:
            for number in range(1, 8):
                await served.insert("graph", edition(number), replace=True)

        writing = asyncio.ensure_future(write())
        while not writing.done():
            answer = await served.query("graph", entities=["a"], max_hops=2)
            assert [len(answer.entities), len(answer.relations), len(answer.chunks)] == [3, 2, 1]
        await writing
