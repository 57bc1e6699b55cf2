"""Third parties' shields, against a real HTTP server."""

from __future__ import annotations

import json

import pytest

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.tool_pb2 import BuiltinTool, RestApiExecutionConfig, RestApiMethod, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from mesh.errors import BackendUnavailable, InvalidField, MeshError, WrongState
from services.agents.safety.config import SafetyConfig
from tests.integration.safety.party import party
from tests.integration.safety.peer import user
from tests.integration.safety.serving import THIRD_PARTY, passed, refused, serving, shield, violated

LOCAL = SafetyConfig(private_hosts=("localhost",))
POST, GET = RestApiMethod.REST_API_METHOD_POST, RestApiMethod.REST_API_METHOD_GET


def calling(url: str, method: RestApiMethod.ValueType = POST, **settings: dict[str, str]) -> ShieldDefinition:
    config = RestApiExecutionConfig(url=Url(uri=url), method=method, **settings)
    return shield(THIRD_PARTY, execution_config=config)


async def error_of(config: SafetyConfig, definition: ShieldDefinition) -> MeshError:
    async with serving(config) as served:
        return await refused(served.run([user("Hi")], definition))


async def test_the_third_party_gets_the_conversation_in_the_rfcs_json_and_decides() -> None:
    file = Attachment(url=Url(uri="data:,x"), mime_type="image/png")
    search = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH)
    arguments = {"q": JsonValue(string_value="ü"), "n": JsonValue(integer_value=2)}
    call = ToolCall(call_id="c1", tool_name=search, arguments=arguments)
    reason = StopReason.STOP_REASON_END_OF_MESSAGE
    parts = ContentParts(parts=[ContentPart(text="See "), ContentPart(attachment=file)])
    talk = [
        Message(system=SystemMessage(content=Content(text="Be brief."))),
        Message(user=UserMessage(content=Content(parts=parts))),
        Message(completion=CompletionMessage(content=Content(), stop_reason=reason, tool_calls=[call])),
        Message(tool_response=ToolResponseMessage(call_id="c1", tool_name=search, content=Content(attachment=file))),
    ]
    found = {"is_violation": True, "violation_type": "spam", "violation_return_message": "No spam!", "score": 1}
    with party() as judge:
        judge.answer = json.dumps(found).encode()
        async with serving(LOCAL) as served:
            definition = calling(judge.url(), params={"a": "b"}, headers={"x-key": "k"}, body={"policy": "p"})
            assert await served.run(talk, definition) == [violated(THIRD_PARTY, "spam", "No spam!")]
    picture = {"url": "data:,x", "mime_type": "image/png"}
    called = {"call_id": "c1", "tool_name": "brave_search", "arguments": {"n": 2, "q": "ü"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": ["See ", picture]},
        {"role": "assistant", "content": "", "stop_reason": "end_of_message", "tool_calls": [called]},
        {"role": "ipython", "content": picture, "call_id": "c1", "tool_name": "brave_search"},
    ]
    [asked] = judge.asked
    assert asked["body"] == {"policy": "p", "messages": messages}
    assert (asked["method"], asked["path"], asked["key"]) == ("POST", "/judge", "k")
    assert asked["host"] == f"localhost:{judge.port}"
    assert asked["query"]["a"] == ["b"]


async def test_a_get_carries_the_conversation_in_its_query_and_defaults_fill_what_is_not_told() -> None:
    with party() as judge:
        async with serving(LOCAL) as served:
            assert await served.run([user("Hi")], calling(judge.url(), GET)) == [passed(THIRD_PARTY)]
            judge.answer = b'{"is_violation": true, "violation_type": null}'
            told = violated(THIRD_PARTY, "third_party", "Sorry, I cannot go on with this.")
            assert await served.run([user("Hi")], calling(judge.url(), GET)) == [told]
    assert json.loads(judge.asked[0]["query"]["messages"][0]) == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (503, b"", BackendUnavailable("the third party answered 503")),
        (429, b"", BackendUnavailable("the third party answered 429")),
        (404, b"{}", WrongState("the third party answered 404")),
        (302, b"{}", WrongState("the third party answered 302")),
        (200, b"<html>", WrongState("the third party's answer is no ShieldResponse")),
        (200, b"[]", WrongState("the third party's answer is no ShieldResponse")),
        (200, b'{"is_violation": 0}', WrongState("the third party's answer is no ShieldResponse")),
        (
            200,
            b'{"is_violation": true, "violation_type": 3}',
            WrongState("the third party's answer is no ShieldResponse"),
        ),
        (200, b" " * 1_100_000 + b'{"is_violation": false}', WrongState("the third party's answer is too large")),
    ],
)
async def test_an_answer_that_decides_nothing_is_an_error(status: int, answer: bytes, expected: MeshError) -> None:
    with party() as judge:
        judge.status, judge.answer = status, answer
        error = await error_of(LOCAL, calling(judge.url()))
    assert (type(error), error.message) == (type(expected), expected.message)


async def test_only_hosts_that_this_deployment_allows_are_called() -> None:
    public = "shields[0].execution_config.url: a host with public addresses alone is needed"
    with party() as judge:
        for config, url, message in (
            (SafetyConfig(), judge.url(), public),
            (SafetyConfig(), judge.url("127.0.0.1"), public),
            (SafetyConfig(), judge.url("[::ffff:127.0.0.1]"), public),
            (
                SafetyConfig(hosts=("judge.example",), private_hosts=("localhost",)),
                judge.url(),
                "shields[0].execution_config.url: a host of the configured list is needed",
            ),
        ):
            error = await error_of(config, calling(url))
            assert (type(error), error.message) == (InvalidField, message)
    assert judge.asked == []


async def test_a_party_that_is_away_or_not_named_is_an_error() -> None:
    with party() as judge:
        url = judge.url()
    away = await error_of(LOCAL, calling(url))
    assert (type(away), away.message) == (BackendUnavailable, "the third party can't be reached")
    unnamed = await error_of(LOCAL, shield(THIRD_PARTY))
    assert [each.path for each in unnamed.details.violations] == ["shields[0].execution_config"]
    odd = await error_of(LOCAL, calling("ftp://localhost/judge"))
    assert [each.path for each in odd.details.violations] == ["shields[0].execution_config.url"]
