"""Queries over every store: the same answers from each."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from mesh.errors import InvalidField, WrongState
from services.memory.banks import Banks
from services.memory.conditions import Features
from services.memory.store import Piece, Search, StoredChunk
from tests.integration.memory.embedder import embed
from tests.integration.memory.serving import Served, document, refused, value

PETS = (
    document(
        "cat", "The cat sleeps on the warm roof.", kind="feline", legs=4, tags=["soft", "lazy"], size={"cm": 46.5}
    ),
    document("dog", "A dog runs after the postman.", kind="canine", legs=4, born="2024-08-20T12:00:00+02:00"),
    document("fish", "Goldfish swim in a bowl.", kind="fish", legs=0, wet=True, born="2020-01-01T00:00:00Z"),
    document("bird", "The bird sings on the roof.", kind="bird", legs=2, empty=None, tags=[]),
)


@pytest.fixture
async def pets(served: Served) -> Served:
    """Give a vector bank of four pets."""
    await served.create("pets")
    await served.insert("pets", *PETS)
    return served


async def test_vector_results_are_in_the_order_of_their_cosines(pets: Served) -> None:
    answer = await pets.query("pets", "the roof", max_chunks=2)
    texts = {one.document_id: one.content.data.decode() for one in PETS}
    cosines = {
        name: math.fsum(a * b for a, b in zip(embed("the roof"), embed(text), strict=True))
        for name, text in texts.items()
    }
    best = sorted(cosines, key=lambda name: -cosines[name])[:2]
    assert [chunk.document_id for chunk in answer.chunks] == best
    assert list(answer.scores) == pytest.approx([cosines[name] for name in best], abs=1e-5)


async def test_a_chunk_brings_what_a_citation_needs(pets: Served) -> None:
    chunk = (await pets.query("pets", "goldfish swim", max_chunks=1)).chunks[0]
    assert chunk == query_pb2.Chunk(
        content="Goldfish swim in a bowl.",
        document_id="fish",
        token_count=7,
        chunk_index=0,
        start_offset=0,
        end_offset=24,
        mime_type="text/plain",
        metadata=PETS[2].metadata,
    )


def condition(key: str, **rule: Any) -> query_pb2.MetadataCondition:
    return query_pb2.MetadataCondition(key=key, **rule)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (condition("kind", equals=value("feline")), {"cat"}),
        (condition("legs", equals=value(4.0)), {"cat", "dog"}),
        (condition("wet", equals=value(True)), {"fish"}),
        (condition("tags", equals=value("lazy")), {"cat"}),
        (condition("kind", any_of=[value("fish"), value("bird")]), {"fish", "bird"}),
        (condition("legs", range=query_pb2.NumberRange(gt=0, lte=2)), {"bird"}),
        (condition("size.cm", range=query_pb2.NumberRange(gte=46.5)), {"cat"}),
        (condition("kind", range=query_pb2.NumberRange(gte=0)), set()),
        (condition("born", time_range=query_pb2.TimeRange(end=Timestamp(seconds=1_700_000_000))), {"fish"}),
        (condition("born", time_range=query_pb2.TimeRange(start=Timestamp(seconds=1_724_148_000))), {"dog"}),
        (condition("born", time_range=query_pb2.TimeRange(end=Timestamp(seconds=1_724_148_000))), {"fish"}),
        (condition("born", exists=True), {"dog", "fish"}),
        (condition("tags", exists=True), {"cat", "bird"}),
        (condition("empty", exists=False), {"cat", "dog", "fish", "bird"}),
        (condition('odd "key".x[]', exists=True), set()),
    ],
)
async def test_a_filter_chooses_by_metadata(
    pets: Served, chosen: query_pb2.MetadataCondition, expected: set[str]
) -> None:
    found = await pets.found("pets", "the roof", filter=query_pb2.MetadataFilter(all=[chosen]))
    rest = await pets.found("pets", "the roof", filter=query_pb2.MetadataFilter(none=[chosen]))
    assert (set(found), set(rest)) == (expected, {"cat", "dog", "fish", "bird"} - expected)


async def test_all_any_and_none_of_a_filter_hold_together(pets: Served) -> None:
    chosen = query_pb2.MetadataFilter(
        all=[condition("legs", range=query_pb2.NumberRange(gte=1))],
        any=[condition("kind", equals=value("canine")), condition("tags", exists=True)],
        none=[condition("kind", equals=value("bird"))],
    )
    assert set(await pets.found("pets", "the roof", filter=chosen)) == {"cat", "dog"}


async def test_keyword_results_share_words_with_the_query(served: Served) -> None:
    await served.create("pets", "keyword")
    await served.insert("pets", *PETS)
    answer = await served.query("pets", "roofs singing")
    assert [chunk.document_id for chunk in answer.chunks] == ["bird", "cat"]
    assert answer.scores[0] > answer.scores[1] > 0
    assert await served.found("pets", "the of") == []
    assert (
        await served.found("pets", "roof", filter=query_pb2.MetadataFilter(any=[condition("tags", exists=False)])) == []
    )


async def test_hybrid_scores_are_the_weighted_sum_of_reciprocal_ranks(served: Served) -> None:
    await served.create("pets", "hybrid", rrf_k=10)
    await served.insert("pets", *PETS)
    answer = await served.query("pets", "bird roof", vector_weight=2, keyword_weight=1)
    scores = dict(zip([chunk.document_id for chunk in answer.chunks], answer.scores, strict=True))
    by_meaning = await served.found("pets", "bird roof", keyword_weight=0)
    by_words = ["bird", "cat"]
    assert scores == pytest.approx(
        {
            name: 2 / (10 + rank) + (1 / (11 + by_words.index(name)) if name in by_words else 0)
            for rank, name in enumerate(by_meaning, start=1)
        }
    )
    words_alone = await served.query("pets", "bird roof", vector_weight=0)
    assert [chunk.document_id for chunk in words_alone.chunks] == ["bird", "cat"]


async def test_keyvalue_finds_documents_by_their_ids_in_the_order_of_the_keys(served: Served) -> None:
    await served.create("pets", "keyvalue")
    await served.insert("pets", *PETS)
    answer = await served.query("pets", keys=["dog", "cow", "cat"])
    assert [chunk.content for chunk in answer.chunks] == [
        "A dog runs after the postman.",
        "The cat sleeps on the warm roof.",
    ]
    assert list(answer.scores) == [1, 1]
    assert await served.found("pets", "fish") == ["fish"]
    only = query_pb2.MetadataFilter(all=[condition("legs", equals=value(2))])
    assert await served.found("pets", keys=["dog", "bird"], filter=only) == ["bird"]


async def test_limits_on_number_score_and_tokens_hold(pets: Served) -> None:
    whole = await pets.query("pets", "the cat sleeps on the warm roof")
    assert len(whole.chunks) == 4
    score = whole.scores[1]
    assert len((await pets.query("pets", "the cat sleeps on the warm roof", min_score=score - 1e-6)).chunks) == 2
    tokens = whole.chunks[0].token_count + whole.chunks[1].token_count
    assert len((await pets.query("pets", "the cat sleeps on the warm roof", max_tokens=tokens)).chunks) == 2
    assert len((await pets.query("pets", "the cat sleeps on the warm roof", max_tokens=tokens - 1)).chunks) == 1


async def test_diversity_prefers_what_is_unlike(served: Served) -> None:
    await served.create("twins")
    await served.insert(
        "twins",
        document("a", "red apple pie"),
        document("b", "red apple pie today"),
        document("c", "apple tree in the garden"),
    )
    assert await served.found("twins", "red apple pie", max_chunks=2) == ["a", "b"]
    diverse = query_pb2.Diversity(relevance_weight=0.3)
    found = await served.found("twins", "red apple pie", max_chunks=2, diversity=diverse)
    assert found[1] == "c"
    alone = query_pb2.Diversity(relevance_weight=1)
    assert await served.found("twins", "red apple pie", max_chunks=3, diversity=alone) == ["a", "b", "c"]


async def test_document_level_gives_the_best_chunk_of_each_document(served: Served) -> None:
    await served.create("long", chunk_size_in_tokens=16, overlap_size_in_tokens=0)
    roofs = " ".join(f"The roof number {number} is red and warm." for number in range(20))
    await served.insert("long", document("roofs", roofs), document("sea", "The sea is wide and blue."))
    assert set(await served.found("long", "the roof is red", max_chunks=2)) == {"roofs"}
    level = query_pb2.RESULT_LEVEL_DOCUMENT
    assert await served.found("long", "the roof is red", max_chunks=2, level=level) == ["roofs", "sea"]


async def test_a_reward_model_orders_anew(pets: Served) -> None:
    answer = await pets.query("pets", "the roof", rerank_model="short")
    assert [chunk.document_id for chunk in answer.chunks] == ["fish", "bird", "dog", "cat"]
    assert list(answer.scores) == [-24, -27, -29, -32]


async def test_a_vector_takes_the_place_of_the_text(pets: Served) -> None:
    vector = query_pb2.QueryVector(values=embed("goldfish bowl"))
    request = query_pb2.QueryMemoryBankRequest(bank_id="pets", vector=vector)
    assert (await pets.stub.QueryMemoryBank(request)).chunks[0].document_id == "fish"
    request.vector.values.pop()
    error = await refused(pets.stub.QueryMemoryBank(request))
    assert isinstance(error, InvalidField)
    assert error.message == "vector: 64 components are needed"
    for bad in (math.inf, -math.inf, math.nan):
        request.vector.values[:] = [*embed("goldfish bowl")[1:], bad]
        error = await refused(pets.stub.QueryMemoryBank(request))
        assert error.message == "vector: finite components are needed"


@pytest.mark.parametrize(
    "params",
    [
        {"keys": ["a"]},
        {"vector_weight": 1},
        {"entities": ["a"]},
        {"max_hops": 2},
    ],
)
async def test_settings_that_the_kind_has_no_use_for_are_refused_by_name(pets: Served, params: dict[str, Any]) -> None:
    error = await refused(pets.query("pets", "roof", **params))
    assert isinstance(error, WrongState)
    assert error.message == f"params.{next(iter(params))}: a bank of kind vector has no use for it"


async def test_readers_see_the_old_or_the_new_document_and_never_both_or_none(served: Served) -> None:
    await served.create("news", "hybrid", chunking={"chunk_size_in_tokens": 16, "overlap_size_in_tokens": 0})
    editions = [[f"news edition {number} column {column} of the paper" for column in "abc"] for number in range(12)]
    texts = ["\n\n".join(columns) for columns in editions]
    await served.insert("news", document("paper", texts[0]))
    ended = asyncio.Event()

    async def write() -> None:
        for text in texts[1:]:
            await served.stub.UpdateDocuments(
                document_pb2.UpdateDocumentsRequest(bank_id="news", documents=[document("paper", text)])
            )
        ended.set()

    async def read() -> list[str]:
        seen = []
        while not ended.is_set():
            chunks = (await served.query("news", "news edition")).chunks
            assert len(chunks) == 3
            seen.append("\n\n".join(sorted(chunk.content for chunk in chunks)))
        return seen

    _, *readings = await asyncio.gather(write(), read(), read())
    for seen in readings:
        numbers = [texts.index(text) for text in seen]
        assert numbers == sorted(numbers)


async def test_concurrent_writers_of_a_bank_lose_nothing(served: Served) -> None:
    await served.create("busy")

    async def write(writer: int) -> None:
        for number in range(5):
            await served.insert("busy", document(f"{writer}-{number}", f"writer {writer} wrote {number}"))

    await asyncio.gather(*(write(writer) for writer in range(4)))
    found = await served.found("busy", "writer wrote", max_chunks=100)
    assert sorted(found) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(5))


async def test_what_a_dead_writer_left_is_not_found_and_is_cleared_away(served: Served) -> None:
    await served.create("pets")
    await served.insert("pets", PETS[0])
    bank = (await Banks(served.storage, served.store, lambda: 0.0).get("default", "pets")).uid
    piece = Piece(0, "The cat that nobody acknowledged", 0, 32, 6)
    await served.documents.begin(bank, ["dead"])
    chunk = StoredChunk("dead", piece, Features(), vector=embed(piece.text))
    await served.store.write(bank, [chunk])
    search = Search(limit=10)
    assert await served.found("pets", "the cat that nobody acknowledged") == ["cat"]
    assert len(await served.store.nearest(bank, embed("cat"), search)) == 2
    await served.upkeep.clear(0)
    assert [hit.revision == "dead" for hit in await served.store.nearest(bank, embed("cat"), search)] == [False]
    assert await served.documents.leftovers(served.clock[0]) == []


async def test_more_banks_than_are_kept_open_are_used_at_once(served: Served) -> None:
    names = [f"bank-{number}" for number in range(6)]
    await asyncio.gather(*(served.create(name, "keyword") for name in names))
    await asyncio.gather(*(served.insert(name, document(name, "The roof is red.")) for name in names))
    found = await asyncio.gather(*(served.found(name, "roof") for name in names * 3))
    assert found == [[name] for name in names * 3]


async def test_a_bank_that_is_dropped_under_its_users_is_not_found(served: Served) -> None:
    await served.create("pets", "keyword")
    await served.insert("pets", *PETS)

    async def use(number: int) -> str:
        try:
            await served.insert("pets", document(f"new-{number}", "One more cat."))
            await served.query("pets", "cat")
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async def drop() -> str:
        await served.stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="pets"))
        return "OK"

    ends = await asyncio.gather(*map(use, range(3)), drop(), *map(use, range(3, 4)))
    assert set(ends) <= {"OK", "NOT_FOUND"}
