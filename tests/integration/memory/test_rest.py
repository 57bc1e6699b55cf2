"""The RFC's routes of memory banks, through the gateway."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig
from gateway.exchange import Exchange
from gateway.upstream import GrpcUpstreams
from mesh.client import Client, ClientConfig
from tests.integration.memory.serving import Served

CAT = {
    "document_id": "cat",
    "content": "The cat sleeps on the roof.",
    "metadata": {"legs": 4},
    "mime_type": "text/plain",
}
DOG = {
    "document_id": "dog",
    "content": base64.b64encode(b"A dog runs after the postman.").decode(),
    "metadata": {},
    "mime_type": "text/plain",
}


class Unwatched:
    """An observer that looks away."""

    @contextmanager
    def watching(self, exchange: Exchange) -> Iterator[None]:
        """Do nothing."""
        yield


@pytest.fixture
async def rest(edge: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a gateway before the service."""
    config = GatewayConfig(upstreams=(f"memory={edge.mesh.address}",))
    async with Client(ClientConfig()) as client:
        gateway = Gateway(config, load_contract(), Surroundings(GrpcUpstreams(client), Unwatched()))
        transport = httpx.ASGITransport(app=gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


def lines(response: httpx.Response) -> list[Any]:
    """Return the values of JSON lines."""
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


async def test_the_routes_of_the_rfc_work_from_create_to_drop(rest: httpx.AsyncClient) -> None:
    names = {"bank_id": "pets", "bank_name": "Pets"}
    created = await rest.post("/memory_banks/create", params=names, json=[CAT])
    assert created.status_code == 200, created.text
    assert created.json()["bank_id"] == "pets"
    assert (await rest.post("/memory_banks/create", params=names, json=[])).status_code == 409
    inserted = await rest.post("/memory_bank/insert", params={"bank_id": "pets"}, json=[DOG])
    assert inserted.json() == {"results": [{"document_id": "dog", "outcome": "inserted", "chunk_count": 1}]}
    listed = lines(await rest.get("/memory_banks/list"))
    assert [(bank["memory_bank_id"], bank["document_count"]) for bank in listed] == [("pets", 2)]
    assert lines(await rest.get("/memory_banks/get", params={"bank_id": "pets"})) == listed
    found = lines(await rest.post("/memory_bank/get", params={"bank_id": "pets"}, json=["dog", "cat", "cow"]))
    assert found == [DOG, CAT]
    answer = await rest.post(
        "/memory_bank/query", json={"bank_id": "pets", "query": "dog", "params": {"max_chunks": 1}}
    )
    assert answer.json()["chunks"][0]["content"] == "A dog runs after the postman."
    moved = {**CAT, "content": "The cat left."}
    updated = await rest.post("/memory_bank/update", params={"bank_id": "pets"}, json=[moved])
    assert updated.json()["results"][0]["outcome"] == "updated"
    assert lines(await rest.post("/memory_bank/delete", params={"bank_id": "pets"}, json=["cat", "cow"])) == ["cat"]
    dropped = await rest.request("DELETE", "/memory_banks/drop", params={"bank_id": "pets"})
    assert (dropped.status_code, dropped.json()) == (200, "pets")
    assert (await rest.get("/memory_banks/get", params={"bank_id": "pets"})).status_code == 404
    assert lines(await rest.get("/memory_banks/list")) == []


async def test_a_bank_of_another_kind_is_made_over_rest(rest: httpx.AsyncClient) -> None:
    names = {"bank_id": "words", "bank_name": "Words"}
    config = json.dumps({"type": "keyword", "chunking": {"chunk_size_in_tokens": 64}})
    made = await rest.post("/memory_banks/create", params={**names, "config": config}, json=[CAT])
    assert made.status_code == 200, made.text
    bank = lines(await rest.get("/memory_banks/get", params={"bank_id": "words"}))[0]
    chunking = {"chunk_size_in_tokens": 64, "overlap_size_in_tokens": 16}
    assert bank["config"] == {"type": "keyword", "chunking": chunking}
    filtered = {"filter": {"all": [{"key": "legs", "range": {"gte": 4}}]}}
    answer = await rest.post("/memory_bank/query", json={"bank_id": "words", "query": "cats", "params": filtered})
    assert [chunk["document_id"] for chunk in answer.json()["chunks"]] == ["cat"]


async def test_an_unknown_bank_is_a_404_and_a_wrong_setting_a_400(rest: httpx.AsyncClient) -> None:
    missing = await rest.post("/memory_bank/query", json={"bank_id": "none", "query": "x"})
    assert missing.status_code == 404
    wrong = await rest.post("/memory_bank/query", json={"bank_id": "none", "query": "x", "params": {"max_chunks": 0}})
    assert wrong.status_code == 400
