"""The tools that ask APIs: search, computation, images and memory, each against a real server on loopback."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from llamastack.agents.v1.tool_pb2 import SearchEngine
from llamastack.common.v1.content_pb2 import Attachment, Content, Url
from llamastack.common.v1.tool_pb2 import ToolCall, ToolDefinition
from llamastack.tools.v1 import tool_pb2
from mesh.errors import BackendUnavailable, InvalidField, ResourceNotFound, WrongState
from mesh.json_text import value_of
from services.agents.tooling import AgentTool, ToolContext
from services.agents.tools.tool import tool_name
from services.memory.edge_store import EdgeStore
from tests.integration.agents.tools.serving import COMPLETED, ERROR, Served, refused, serving
from tests.integration.agents.tools.site import Site
from tests.integration.memory.serving import document
from tests.integration.memory.serving import serving as serving_memory

KEY = "sk-0123456789"
PNG = b"\x89PNG\r\n\x1a\n and more"
BRAVE = {
    "mixed": {
        "main": [
            {"type": "web", "index": 1, "all": False},
            {"type": "unknown", "index": 0},
            {"type": "news", "index": 0, "all": False},
            {"type": "web", "index": 7},
            {"type": "videos", "all": True},
            {"type": "web", "index": 0},
        ]
    },
    "web": {"results": [{"title": "second", "url": "https://b"}, {"title": "first", "url": "https://a", "noise": 1}]},
    "news": {"results": [{"title": "new", "age": "1 day", "meta_url": {}}]},
    "videos": {"results": [{"title": "moving", "thumbnail": {}}]},
}


def found(response: tool_pb2.RunToolResponse) -> Any:
    """Return the JSON of a result."""
    assert response.status == COMPLETED
    return json.loads(response.content.text)


async def test_brave_gives_the_first_three_of_its_mixed_results(site: Site, tmp_path: Path) -> None:
    site.tell("/res/v1/web/search", BRAVE)
    async with serving(tmp_path, BRAVE_SEARCH_URL=site.url, BRAVE_SEARCH_API_KEY=KEY) as served:
        response = await served.run("brave_search", query="who won?")
    assert found(response) == {
        "query": "who won?",
        "top_k": [
            {"title": "first", "url": "https://a"},
            {"title": "new", "age": "1 day"},
            {"type": "videos", "results": [{"title": "moving"}]},
        ],
    }
    assert site.asked[0].query == {"q": "who won?"}
    assert site.asked[0].headers["x-subscription-token"] == KEY


RESULT = {"title": "T", "url": "u", "content": "s"}
ENGINES = [
    (
        "bing",
        "/v7.0/search",
        {"webPages": {"value": [{"name": "T", "url": "u", "snippet": "s", "id": 1}] * 5}},
        ("ocp-apim-subscription-key", KEY),
    ),
    ("tavily", "/search", {"results": [RESULT] * 5}, ("authorization", f"Bearer {KEY}")),
    ("searxng", "/search", {"results": [{**RESULT, "engine": "x"}] * 5}, None),
]


@pytest.mark.parametrize(("engine", "path", "answer", "shown"), ENGINES, ids=[name for name, *_ in ENGINES])
async def test_other_engines_answer_under_the_same_name(
    site: Site, tmp_path: Path, engine: str, path: str, answer: Any, shown: tuple[str, str] | None
) -> None:
    site.tell(path, answer)
    name = engine.upper()
    places = {f"{name}_SEARCH_URL": site.url, f"{name}_SEARCH_API_KEY": KEY, "SEARXNG_URL": site.url}
    async with serving(tmp_path, SEARCH_ENGINE=engine, **places) as served:
        response = await served.run("brave_search", query="q")
    assert found(response) == {"query": "q", "top_k": [{"title": "T", "url": "u", "description": "s"}] * 3}
    if shown is not None:
        assert site.asked[0].headers[shown[0]] == shown[1]


async def test_an_agent_may_choose_another_engine_than_the_settings(site: Site, tmp_path: Path) -> None:
    site.tell("/search", {"results": [{"title": "T", "url": "u", "content": "s"}]})
    async with serving(tmp_path, SEARXNG_URL=site.url) as served:
        context = context_of("brave_search", engine=SearchEngine.SEARCH_ENGINE_SEARXNG)
        result = await served.parts.runner.run(call_of("brave_search", query="q"), context)
    assert not result.is_error
    assert json.loads(result.response.content.text)["top_k"][0]["title"] == "T"


async def test_a_tool_without_its_key_is_not_available_and_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tool = await served.stub.GetTool(tool_pb2.GetToolRequest(tool_name=tool_name("brave_search")))
        error = await refused(served.run("brave_search", query="q"))
        told = await served.parts.runner.run(call_of("wolfram_alpha", query="1"), context_of("wolfram_alpha"))
    assert (tool.available, tool.unavailable_reason) == (False, "the setting BRAVE_SEARCH_API_KEY is needed")
    assert isinstance(error, WrongState)
    assert error.message == "brave_search is not available: the setting BRAVE_SEARCH_API_KEY is needed"
    assert told.is_error
    assert "WOLFRAM_ALPHA_API_KEY" in told.response.content.text


async def test_an_api_that_repeats_the_key_does_not_give_it_away(site: Site, tmp_path: Path) -> None:
    site.tell("/res/v1/web/search", f"bad key {KEY}".encode(), status=401)
    async with serving(tmp_path, BRAVE_SEARCH_URL=site.url, BRAVE_SEARCH_API_KEY=KEY) as served:
        response = await served.run("brave_search", query="q")
    assert (response.status, response.content.text) == (ERROR, "the service answered 401: bad key ***")


async def test_a_search_is_tried_again_when_the_engine_is_busy(site: Site, tmp_path: Path) -> None:
    site.tell("/search", b"later", status=503)
    site.tell("/search", {"results": []})
    async with serving(tmp_path, SEARCH_ENGINE="searxng", SEARXNG_URL=site.url) as served:
        assert found(await served.run("brave_search", query="q")) == {"query": "q", "top_k": []}
    assert len(site.asked) == 2


async def test_nobody_at_home_is_unavailable(tmp_path: Path) -> None:
    async with serving(tmp_path, SEARCH_ENGINE="searxng", SEARXNG_URL="http://127.0.0.1:9") as served:
        error = await refused(served.run("brave_search", query="q"))
    assert isinstance(error, BackendUnavailable)
    assert error.message == "the service behind the tool can't be reached"


async def test_wolfram_alpha_gives_the_texts_of_its_pods(site: Site, tmp_path: Path) -> None:
    pods = [
        {"title": "Input", "scanner": "x", "subpods": [{"plaintext": "1+1"}]},
        {"title": "Plot", "subpods": [{"plaintext": ""}]},
        {"title": "Result", "subpods": [{"plaintext": "2"}, {"plaintext": "two"}]},
    ]
    site.tell("/v2/query", {"queryresult": {"success": True, "timing": 1.2, "pods": pods}})
    async with serving(tmp_path, WOLFRAM_ALPHA_URL=site.url, WOLFRAM_ALPHA_API_KEY=KEY) as served:
        response = await served.run("wolfram_alpha", query="1+1")
    top = [{"title": "Input", "text": "1+1"}, {"title": "Result", "text": "2\ntwo"}]
    assert found(response) == {"query": "1+1", "top_k": top}
    assert site.asked[0].query == {"input": "1+1", "appid": KEY, "format": "plaintext", "output": "json"}


async def image(served: Served) -> tool_pb2.RunToolResponse:
    return await served.run("photogen", query="a cat")


async def test_photogen_gives_an_image(site: Site, tmp_path: Path) -> None:
    site.tell("/v1/images/generations", {"data": [{"b64_json": base64.b64encode(PNG).decode()}]})
    site.tell("/v1/images/generations", {"data": [{"url": f"{site.url}/cat.png"}]})
    site.tell("/cat.png", PNG)
    async with serving(tmp_path, PHOTOGEN_URL=f"{site.url}/v1", PHOTOGEN_API_KEY=KEY, PHOTOGEN_MODEL="m") as served:
        both = [await image(served), await image(served)]
    uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    expected = Content(attachment=Attachment(url=Url(uri=uri), mime_type="image/png"))
    assert [response.content for response in both] == [expected, expected]
    body = {"prompt": "a cat", "n": 1, "size": "1024x1024", "model": "m", "response_format": "b64_json"}
    assert site.asked[0].json == body
    assert site.asked[0].headers["authorization"] == f"Bearer {KEY}"


async def test_photogen_refuses_what_is_no_image_and_addresses_that_are_private(site: Site, tmp_path: Path) -> None:
    site.tell("/images/generations", {"data": [{"b64_json": base64.b64encode(b"<html>").decode()}]})
    site.tell("/images/generations", {"data": [{"url": "http://127.0.0.2/x"}]})
    async with serving(tmp_path, PHOTOGEN_URL=site.url) as served:
        response, error = await image(served), await refused(image(served))
    assert (response.status, response.content.text) == (ERROR, "the images API gave something else than an image")
    assert isinstance(error, InvalidField)


async def test_memory_search_asks_the_memory_service(tmp_path: Path) -> None:
    async with serving_memory(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as memory:
        await memory.create("pets", "keyword")
        await memory.insert("pets", document("cat", "The cat sleeps on the roof."), document("dog", "A dog barks."))
        async with serving(tmp_path, ALTIPLANO_MEMORY_ADDRESS=memory.mesh.address) as served:
            response = await served.run("memory_search", bank_id="pets", query="cat", max_chunks=1)
            error = await refused(served.run("memory_search", bank_id="none", query="cat"))
    chunks = found(response)["chunks"]
    assert [(chunk["document_id"], chunk["content"]) for chunk in chunks] == [("cat", "The cat sleeps on the roof.")]
    assert isinstance(error, ResourceNotFound)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [({}, "arguments.query"), ({"query": 1}, "arguments.query"), ({"query": "q", "more": 1}, "arguments.more")],
)
async def test_arguments_that_do_not_fit_are_named(tmp_path: Path, arguments: dict[str, Any], path: str) -> None:
    async with serving(tmp_path, SEARCH_ENGINE="searxng", SEARXNG_URL="http://127.0.0.1:9") as served:
        error = await refused(served.run("brave_search", **arguments))
    assert isinstance(error, InvalidField)
    assert [violation.path for violation in error.details.violations] == [path]


def call_of(name: str, **arguments: Any) -> ToolCall:
    """Return a model's call."""
    given = {key: value_of(value) for key, value in arguments.items()}
    return ToolCall(call_id="c", tool_name=tool_name(name), arguments=given)


def context_of(name: str, token: str | None = None, **terms: Any) -> ToolContext:
    """Return what a turn says besides the call."""
    tool = AgentTool(ToolDefinition(tool_name=tool_name(name)), runs_here=True, **terms)
    return ToolContext("default", "session", "turn", 30.0, tool, authorization=token)
