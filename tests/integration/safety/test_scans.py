"""The shields that scan texts themselves, with codeshield, semgrep and presidio for real."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonValue
from services.agents.safety.scanners.semgrep import ScanFailed, run_semgrep
from tests.integration.safety.peer import agent, user
from tests.integration.safety.serving import CODE, PII, Served, passed, serving, shield, violated

# the first scan imports what it needs
pytestmark = pytest.mark.timeout(240)

CONCERNS = "Sorry, I found security concerns in the code."
PERSONAL = "I can't go on with personal data. Please take it out of the message."
SHELL = "import subprocess\n\n\ndef run(command):\n    subprocess.run(command, shell=True)\n"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


def code_call(code: str) -> Message:
    name = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER)
    call = ToolCall(call_id="one", tool_name=name, arguments={"code": JsonValue(string_value=code)})
    reason = StopReason.STOP_REASON_END_OF_MESSAGE
    return Message(completion=CompletionMessage(content=Content(), stop_reason=reason, tool_calls=[call]))


async def test_insecure_code_is_found_in_blocks_calls_and_plain_text_of_any_message(served: Served) -> None:
    found = [violated(CODE, "insecure-subprocess-using-shell", CONCERNS)]
    block = agent(f"Like this:\n```python\n{SHELL}```\nGood luck.")
    assert await served.run([block, user("Thanks!")], shield(CODE)) == found
    assert await served.run([code_call(SHELL)], shield(CODE)) == found
    assert await served.run([agent("```c\nchar line[8];\ngets(line);\n```")], shield(CODE)) == [
        violated(CODE, "bugprone-gets", CONCERNS)
    ]
    assert await served.run([agent("digest = hashlib.new('md5')")], shield(CODE)) == [
        violated(CODE, "insecure-hash-function-usage", CONCERNS)
    ]


async def test_clean_code_prose_and_nothing_pass(served: Served) -> None:
    clean = agent("Try\n```python\nprint(sum(range(10)))\n```\nand tell me what you see, it's {interesting}.")
    assert await served.run([user("How do I add numbers?"), clean], shield(CODE)) == [passed(CODE)]
    assert await served.run([user("")], shield(CODE)) == [passed(CODE)]


async def test_personal_data_is_found_in_the_last_message(served: Served) -> None:
    said = user("I am Ann, ann@example.com, card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00.")
    kinds = "CREDIT_CARD,EMAIL_ADDRESS,IBAN_CODE"
    assert await served.run([said], shield(PII)) == [violated(PII, kinds, PERSONAL)]
    assert await served.run([said, user("What is 4111 times 2?")], shield(PII)) == [passed(PII)]
    assert await served.run([user("")], shield(PII)) == [passed(PII)]


async def test_words_before_a_number_and_the_threshold_decide_what_it_is(served: Served) -> None:
    bare, named = user("It is 912803456."), user("My passport number is 912803456.")
    phone = user("Call 212-555-1234!")
    assert await served.run([bare], shield(PII)) == [passed(PII)]
    assert await served.run([named], shield(PII)) == [violated(PII, "US_PASSPORT", PERSONAL)]
    assert await served.run([phone], shield(PII)) == [violated(PII, "PHONE_NUMBER", PERSONAL)]
    assert await served.run([phone], shield(PII, threshold=0.9)) == [passed(PII)]


@pytest.mark.parametrize(
    "script",
    ["exit 2", "echo no json", """echo '{"results": [], "errors": [{"type": "Timeout"}]}'"""],
    ids=["a failure", "no results", "an unfinished rule"],
)
async def test_semgrep_that_fails_is_an_error_and_not_a_clean_text(script: str) -> None:
    assert await run_semgrep(["sh", "-c", """echo '{"results": [], "errors": [{"type": "Syntax error"}]}'"""])
    with pytest.raises(ScanFailed):
        await run_semgrep(["sh", "-c", script])
