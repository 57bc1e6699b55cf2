"""The RFC's own paths, with the oddities of their bodies, reach the RPC with the request that they mean."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig
from gateway.observe import Unwatched
from gateway.upstream import Call, MessageStream


class Recorder:
    """Answers with a fixed message of the RPC's response type and keeps the call."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self.contract = load_contract()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer or {}

    def at(self, address: str) -> Recorder:
        """Return itself."""
        return self

    def state(self, address: str) -> str:
        """Return a word."""
        return "ready"

    async def close(self) -> None:
        """Do nothing."""

    async def unary(self, call: Call) -> bytes:
        """Keep the call and answer."""
        rpc = self.contract.rpcs[call[0]]
        request = GetMessageClass(rpc.input).FromString(call[1])
        self.calls.append((rpc.method, MessageToDict(request, preserving_proto_field_name=True)))
        return GetMessageClass(rpc.output)(**self._answer).SerializeToString()

    def stream(self, call: Call) -> MessageStream:
        """Refuse: nothing here streams."""
        raise AssertionError(call[0])


async def send(recorder: Recorder, verb: str, url: str, body: Any) -> httpx.Response:
    """Send a request to a gateway before the recorder."""
    gateway = Gateway(GatewayConfig(upstreams=("*=x",)), recorder.contract, Surroundings(recorder, Unwatched()))
    transport = httpx.ASGITransport(app=gateway.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        arguments = {} if body is Ellipsis else {"json": body}
        return await http.request(verb, url, **arguments)


SESSION = "/agentic_system/session/get"
SESSION_QUERY = "?agent_id=a&session_id=s"
IDS = {"agent_id": "a", "session_id": "s"}


@pytest.mark.parametrize(
    ("verb", "url", "body", "method", "request_"),
    [
        ("POST", SESSION + SESSION_QUERY, ["t1", "t2"], "GetSession", IDS | {"turn_ids": ["t1", "t2"]}),
        ("POST", SESSION + SESSION_QUERY, None, "GetSession", IDS),
        ("POST", SESSION + SESSION_QUERY, ..., "GetSession", IDS),
        ("POST", SESSION, IDS | {"turn_ids": ["t1"]}, "GetSession", IDS | {"turn_ids": ["t1"]}),
        ("POST", SESSION, {"system_id": "a", "session_id": "s"}, "GetSession", IDS),
        ("POST", SESSION, {"system_id": "a", "agent_id": "a", "session_id": "s"}, "GetSession", IDS),
        ("GET", SESSION + "?system_id=a&session_id=s", ..., "GetSession", IDS),
        ("POST", "/memory_bank/delete?bank_id=b", ["d1"], "DeleteDocuments", {"bank_id": "b", "document_ids": ["d1"]}),
        ("POST", "/memory_bank/delete", {"bank_id": "b", "document_ids": ["d1"]}, "DeleteDocuments", None),
        ("POST", "/memory_bank/documents/delete?bank_id=b", ["d1"], "DeleteDocuments", None),
        ("POST", "/memory_banks/create?name=n", [], "CreateMemoryBank", None),
        ("GET", "/memory_banks/get?bank_id=b", ..., "GetMemoryBank", {"bank_id": "b"}),
        ("POST", "/memory_banks/get/", {"bank_id": "b"}, "GetMemoryBank", {"bank_id": "b"}),
        ("DELETE", "/memory_banks/drop?bank_id=b", ..., "DropMemoryBank", {"bank_id": "b"}),
        ("POST", "/memory_banks/drop", {"bank_id": "b"}, "DropMemoryBank", {"bank_id": "b"}),
        ("GET", "/post_training/job/cancel?job_uuid=j", ..., "CancelJob", {"job_uuid": "j"}),
        ("POST", "/post_training/job/cancel", {"job_uuid": "j"}, "CancelJob", {"job_uuid": "j"}),
        ("GET", "/datasets/get?dataset_uuid=u", ..., "GetDataset", {"dataset_uuid": "u"}),
        ("DELETE", "/datasets/delete?dataset_uuid=u", ..., "DeleteDataset", {"dataset_uuid": "u"}),
    ],
)
async def test_a_request_means_what_the_rfc_means(
    verb: str, url: str, body: Any, method: str, request_: dict[str, Any] | None
) -> None:
    recorder = Recorder()
    response = await send(recorder, verb, url, body)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    assert [call[0] for call in recorder.calls] == [method]
    if request_ is not None:
        assert recorder.calls[0][1] == request_


async def test_two_names_of_one_id_that_differ_are_refused() -> None:
    recorder = Recorder()
    body = {"system_id": "a", "agent_id": "b", "session_id": "s"}
    response = await send(recorder, "POST", SESSION, body)
    assert (response.status_code, recorder.calls) == (400, [])


@pytest.mark.parametrize(
    ("verb", "url", "body", "answer", "kind", "text"),
    [
        ("DELETE", "/memory_banks/drop?bank_id=b", ..., {"bank_id": "b"}, "application/json", '"b"'),
        (
            "POST",
            "/memory_bank/delete?bank_id=b",
            ["d1", "d2"],
            {"document_ids": ["d1", "d2"]},
            "application/jsonl",
            '"d1"\n"d2"\n',
        ),
        ("GET", "/memory_banks/list", ..., {}, "application/jsonl", ""),
    ],
)
async def test_a_response_is_laid_out_as_the_rfc_has_it(
    verb: str, url: str, body: Any, answer: dict[str, Any], kind: str, text: str
) -> None:
    response = await send(Recorder(answer), verb, url, body)
    assert (response.headers["content-type"], response.text) == (kind, text)
