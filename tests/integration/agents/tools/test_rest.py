"""REST APIs as tools: their calls, and the addresses that they are kept away from."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from llamastack.common.v1.tool_pb2 import ToolParamDefinition
from llamastack.tools.v1 import tool_pb2
from mesh.addresses import AddressGuard, AddressRefused
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.errors import InvalidField, ResourceExists, ResourceNotFound, WrongState
from mesh.identity import Identity, acting_as
from mesh.json_text import value_of
from mesh.server import Attachments
from services.agents.tools.guarded import GuardedTransport
from services.agents.tools.tool import tool_name
from tests.integration.agents.tools.serving import COMPLETED, ERROR, TIMEOUT, refused, rest, serving
from tests.integration.agents.tools.site import Site

CITY = {"city": ToolParamDefinition(param_type="str"), "days": ToolParamDefinition(param_type="int", required=False)}


async def test_arguments_go_into_the_query_of_a_get(site: Site, tmp_path: Path) -> None:
    site.tell("/weather", b"sunny")
    async with serving(tmp_path, TOOL_SECRETS='{"weather": "sk-w"}') as served:
        await served.register(
            "weather",
            f"{site.url}/weather?units=c",
            parameters=CITY,
            params={"lang": "en"},
            headers={"x-app": "a"},
            secret_headers={"x-key": "weather"},
        )
        response = await served.run("weather", city="Basel", days=3)
        shown = await served.stub.GetTool(tool_pb2.GetToolRequest(tool_name=tool_name("weather")))
    assert (response.status, response.content.text) == (COMPLETED, "sunny")
    assert site.asked[0].query == {"units": "c", "lang": "en", "city": "Basel", "days": "3"}
    assert (site.asked[0].headers["x-app"], site.asked[0].headers["x-key"]) == ("a", "sk-w")
    assert "sk-w" not in str(shown)


async def test_arguments_go_into_the_body_of_a_post_and_keep_their_types(site: Site, tmp_path: Path) -> None:
    site.tell("/orders", b"ok")
    async with serving(tmp_path) as served:
        await served.register("order", f"{site.url}/orders", "POST", body={"shop": "7"}, parameters=CITY)
        await served.run("order", city="Basel", days=3)
    assert site.asked[0].json == {"shop": "7", "city": "Basel", "days": 3}


async def test_arguments_are_checked_by_the_schema(site: Site, tmp_path: Path) -> None:
    schema = value_of({"type": "object", "properties": {"n": {"type": "array", "items": {"maximum": 3}}}}).object_value
    async with serving(tmp_path) as served:
        await served.register("x", f"{site.url}/x", input_schema=schema)
        error = await refused(served.run("x", n=[1, 9]))
        bad = await refused(
            served.register("y", f"{site.url}/x", input_schema=value_of({"type": "nothing"}).object_value)
        )
    assert isinstance(error, InvalidField)
    assert error.details.violations[0].path == "arguments.n[1]"
    assert isinstance(bad, InvalidField)
    assert bad.details.violations[0].path == "input_schema"


@pytest.mark.parametrize(("idempotent", "tries"), [(True, 3), (False, 1)])
async def test_only_idempotent_calls_are_tried_again(site: Site, tmp_path: Path, idempotent: bool, tries: int) -> None:
    site.tell("/x", b"busy", status=503)
    async with serving(tmp_path) as served:
        await served.register("x", f"{site.url}/x", "POST", idempotent=idempotent)
        response = await served.run("x")
    assert (response.status, response.content.text) == (ERROR, "the service answered 503: busy")
    assert len(site.asked) == tries


async def test_a_call_that_takes_too_long_is_told(site: Site, tmp_path: Path) -> None:
    site.tell("/x", None)
    async with serving(tmp_path) as served:
        await served.register("x", f"{site.url}/x", timeout=Duration(nanos=200_000_000))
        response = await served.run("x")
    assert (response.status, response.content.text) == (TIMEOUT, "the tool did not answer within 0.2 s")


async def test_results_are_cut_with_a_note_and_huge_ones_are_refused(site: Site, tmp_path: Path) -> None:
    site.tell("/long", b"a" * 700 + b"b" * 300)
    site.tell("/huge", b"x" * 5000)
    async with serving(tmp_path, TOOL_MAX_CHARACTERS="100", TOOL_MAX_BYTES="4096") as served:
        await served.register("long", f"{site.url}/long")
        await served.register("huge", f"{site.url}/huge")
        long, huge = await served.run("long"), await served.run("huge")
    text = "a" * 75 + "\n[… 900 characters left out …]\n" + "b" * 25
    assert (long.status, long.clipped, long.content.text) == (COMPLETED, True, text)
    assert (huge.status, huge.content.text) == (ERROR, "the service's answer is larger than 4096 bytes")


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://localhost/", "ftp://a.example/"],
)
async def test_private_addresses_are_refused(tmp_path: Path, url: str) -> None:
    async with serving(tmp_path) as served:
        await served.register("x", url)
        error = await refused(served.run("x"))
    assert isinstance(error, InvalidField)
    assert error.details.violations[0].path == "execution_config.url"


async def test_redirections_to_private_addresses_are_refused(site: Site, tmp_path: Path) -> None:
    site.tell("/x", b"", status=302, headers={"location": f"http://127.0.0.2:{site.port}/secret"})
    site.tell("/y", b"", status=302, headers={"location": "/z"})
    site.tell("/z", b"there")
    async with serving(tmp_path) as served:
        for name in ("x", "y"):
            await served.register(name, f"{site.url}/{name}")
        error, response = await refused(served.run("x")), await served.run("y")
    assert isinstance(error, InvalidField)
    assert response.content.text == "there"
    assert [asked.path for asked in site.asked] == ["/x", "/y", "/z"]


async def test_hosts_that_are_not_on_the_list_are_refused(site: Site, tmp_path: Path) -> None:
    async with serving(tmp_path, TOOL_HOSTS="api.example") as served:
        await served.register("x", f"{site.url}/x")
        error = await refused(served.run("x"))
    assert error.message == "execution_config.url: a host of the configured list is needed"


async def test_a_name_that_changes_its_address_is_called_where_it_was_checked(site: Site) -> None:
    addresses = iter([["127.0.0.1"], ["127.0.0.9"]])
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(addresses)

    site.tell("/x", b"here")
    guard = AddressGuard(frozenset({"pets.example"}), resolve=resolve)
    async with httpx.AsyncClient(transport=GuardedTransport(guard)) as client:
        response = await client.get(f"http://pets.example:{site.port}/x")
    assert (response.text, asked) == ("here", ["pets.example"])
    assert site.asked[0].headers["host"] == f"pets.example:{site.port}"


async def test_a_name_that_turns_private_is_refused_at_the_next_call(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    site.tell("/x", b"", status=302, headers={"location": f"http://other.example:{site.port}/"})
    guard = AddressGuard(frozenset({"pets.example"}), resolve=resolve)
    async with httpx.AsyncClient(transport=GuardedTransport(guard), follow_redirects=True) as client:
        with pytest.raises(AddressRefused):
            await client.get(f"http://pets.example:{site.port}/x")
    assert len(site.asked) == 1


async def test_the_same_registration_again_is_the_same_tool_and_another_one_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = await served.register("x", "https://a.example/")
        assert await served.register("x", "https://a.example/") == first
        assert isinstance(await refused(served.register("x", "https://b.example/")), ResourceExists)
        assert isinstance(await refused(served.register("brave_search", "https://b.example/")), ResourceExists)
        await served.stub.UnregisterTool(tool_pb2.UnregisterToolRequest(tool_name="x"))
        gone = await refused(served.stub.UnregisterTool(tool_pb2.UnregisterToolRequest(tool_name="x")))
    assert isinstance(gone, ResourceNotFound)
    assert first.execution_config == rest("https://a.example/")


async def test_a_secret_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        error = await refused(served.register("x", "https://a.example/", secret_headers={"x-key": "none"}))
    assert isinstance(error, WrongState)


async def test_tools_are_listed_by_pages_and_kinds(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name in ("b", "a", "c"):
            await served.register(name, "https://a.example/")
        names, token = [], ""
        while True:
            page = await served.stub.ListTools(tool_pb2.ListToolsRequest(page_size=3, page_token=token))
            names += [tool.tool_name.custom or tool.tool_name.builtin for tool in page.tools]
            token = page.next_page_token
            if not token:
                break
        only = await served.names(kind=tool_pb2.TOOL_KIND_REST, page_size=2)
    assert names == ["a", "b", 1, "c", 4, "memory_search", 3, 2]
    assert only == ["a", "b"]


async def test_tenants_have_tools_of_their_own(site: Site, tmp_path: Path) -> None:
    auth = AuthConfig(mesh_secrets=("s" * 32,))
    companion = auth.companion("test")
    assert companion is not None
    ann, bob = (Identity(f"user:{name}", name, frozenset({"*:*"})) for name in ("ann", "bob"))
    attachments, client = Attachments(authenticator=auth.services()), Client(ClientConfig(), [companion])
    async with serving(tmp_path, attachments=attachments, client=client) as served:
        with acting_as(ann):
            await served.register("x", f"{site.url}/x")
        with acting_as(bob):
            assert await served.names() == []
            assert isinstance(await refused(served.run("x")), ResourceNotFound)
            assert isinstance(
                await refused(served.stub.UnregisterTool(tool_pb2.UnregisterToolRequest(tool_name="x"))),
                ResourceNotFound,
            )
            await served.register("x", "https://other.example/")


async def test_postgresql_keeps_the_same(postgres_url: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database=postgres_url) as served:
        await served.register("x", "https://a.example/")
        assert isinstance(await refused(served.register("x", "https://b.example/")), ResourceExists)
        assert await served.names() == ["x"]
