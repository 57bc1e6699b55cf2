"""What memory adds to a turn, and what becomes of files that users attach; with the real memory service."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1 import tool_pb2 as pb
from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.memory.v1.bank_pb2 import GetMemoryBankRequest
from mesh.errors import InvalidField, ResourceNotFound
from services.agents.memory import Memory
from services.agents.tooling import FILES_FOLDER, SessionFile
from services.memory.edge_store import EdgeStore
from tests.integration.agents.scripted import CODE, asks, call, says
from tests.integration.agents.serving import Played, Served, Talk, ended, refused, shape, shield, tools
from tests.integration.agents.serving import serving as serving_agents
from tests.integration.memory.serving import Served as Banks
from tests.integration.memory.serving import document
from tests.integration.memory.serving import serving as serving_memory

PNG = Attachment(url=Url(uri="data:image/png;base64,AAAA"), mime_type="image/png")


@pytest.fixture
async def banks(tmp_path: Path) -> AsyncIterator[Banks]:
    """Serve memory, with a bank of two documents."""
    store = EdgeStore(tmp_path / "banks")
    async with serving_memory(store, f"sqlite:///{tmp_path}/memory.db") as running:
        await running.create("notes", "keyword")
        await running.insert("notes", document("roof", "The roof is red."), document("sea", "The sea is blue."))
        yield running


@pytest.fixture
async def served(tmp_path: Path, around: Played, banks: Banks) -> AsyncIterator[Served]:
    """Serve agentic systems beside that memory."""
    around.banks = Memory(banks.mesh.channel)
    async with serving_agents(around, f"sqlite:///{tmp_path}/agents.db") as running:
        yield running


async def attach(talk: Talk, *bank_ids: str) -> list[str]:
    """Attach banks to a session and return all that are."""
    request = session_pb2.AttachMemoryBankRequest(
        agent_id=talk.system_id, session_id=talk.session_id, memory_bank_ids=bank_ids
    )
    return list((await talk.stub.AttachMemoryBank(request)).memory_bank_ids)


async def detach(talk: Talk, *bank_ids: str) -> list[str]:
    """Detach banks from a session and return those that are left."""
    request = session_pb2.DetachMemoryBankRequest(
        agent_id=talk.system_id, session_id=talk.session_id, memory_bank_ids=bank_ids
    )
    return list((await talk.stub.DetachMemoryBank(request)).memory_bank_ids)


def memory_tool(**settings: object) -> config_pb2.AgentToolList:
    """Return a tool that searches the bank."""
    reference = pb.MemoryBankReference(keyword=pb.KeywordBankReference(bank_id="notes"))
    tool = pb.MemoryTool(memory_bank_configs=[reference], **settings)  # type: ignore[arg-type]  # any setting
    return config_pb2.AgentToolList(tools=[pb.AgentTool(memory=tool)])


def data(text: str, mime_type: str = "text/plain") -> Attachment:
    """Return a file with a text."""
    return Attachment(url=Url(uri=f"data:{mime_type};base64,{b64encode(text.encode()).decode()}"), mime_type=mime_type)


def with_file(text: str, file: Attachment) -> Content:
    """Return a message with a file."""
    return Content(parts=ContentParts(parts=[ContentPart(text=text), ContentPart(attachment=file)]))


async def test_attached_banks_are_an_ordered_set(served: Served, banks: Banks) -> None:
    await banks.create("more", "keyword")
    talk = await served.session()
    assert await attach(talk, "notes") == ["notes"]
    assert await attach(talk, "more", "notes") == ["notes", "more"]
    assert list((await talk.whole()).memory_bank_ids) == ["notes", "more"]
    assert await detach(talk, "notes", "never") == ["more"]
    assert type(await refused(attach(talk, "nothing"))) is ResourceNotFound
    gone = Talk(talk.stub, talk.system_id, "none")
    assert type(await refused(attach(gone, "notes"))) is ResourceNotFound


async def test_what_is_found_goes_behind_the_question_for_its_turn_alone(served: Served, around: Played) -> None:
    around.model.answers = [says("Red."), says("Ok.")]
    talk = await served.session()
    await attach(talk, "notes")
    events = await talk.turn("Is the roof red, or like the sea?")
    assert shape(events)[1:3] == ["start memory_retrieval", "complete memory_retrieval"]
    step = ended(events).steps[0].memory_retrieval
    assert list(step.memory_bank_ids) == ["notes"]
    assert [found.document_id for found in step.documents] == ["roof", "sea"]
    assert step.documents[0].content.data == b"The roof is red."
    assert len(step.scores) == 2
    assert step.scores[0] > step.scores[1]
    assert "[roof] The roof is red." in step.inserted_context.splitlines()
    assert around.model.prompts()[0][1] == f"user: Is the roof red, or like the sea?\n{step.inserted_context}"
    await detach(talk, "notes")
    await talk.turn("Thanks")
    assert around.model.prompts()[1][1:] == [
        "user: Is the roof red, or like the sea?",
        "assistant: Red.",
        "user: Thanks",
    ]


async def test_nothing_found_changes_nothing(served: Served, around: Played) -> None:
    around.model.answers = [says("Hm.")]
    talk = await served.session()
    await attach(talk, "notes")
    turn = ended(await talk.turn("zebra"))
    assert not turn.steps[0].memory_retrieval.HasField("inserted_context")
    assert around.model.prompts()[0][1] == "user: zebra"


async def test_a_memory_tool_has_limits_of_its_own(served: Served, around: Played) -> None:
    around.model.answers = [says("Red."), says("Red.")]
    talk = await served.session(tools=memory_tool(max_chunks=1))
    step = ended(await talk.turn("Is the roof like the sea?")).steps[0].memory_retrieval
    assert len(step.documents) == 1
    short = await served.session(tools=memory_tool(max_tokens_in_context=1))
    assert list(ended(await short.turn("the roof")).steps[0].memory_retrieval.documents) == []


async def test_a_model_may_write_the_query(served: Served, around: Played) -> None:
    generator = pb.LlmQueryGenerator(model="writer", template="Query for:\n{messages}")
    around.model.answers = [says("sea"), says("Blue.")]
    talk = await served.session(tools=memory_tool(query_generator_config=pb.QueryGeneratorConfig(llm=generator)))
    step = ended(await talk.turn("What else?")).steps[0].memory_retrieval
    assert [found.document_id for found in step.documents] == ["sea"]
    assert around.model.requests[0].model == "writer"
    assert around.model.prompts()[0] == ["user: Query for:\nuser: What else?"]


async def test_shields_of_a_memory_tool_judge_what_was_found(served: Served, around: Played) -> None:
    talk = await served.session(tools=memory_tool(input_shields=[shield("bomb")], output_shields=[shield("red")]))
    turn = ended(await talk.turn("the roof"))
    kinds = [step.WhichOneof("step") for step in turn.steps]
    assert kinds == ["shield_call", "memory_retrieval", "shield_call"]
    assert turn.output_message.content.text == "no red here"


async def test_a_document_is_found_through_a_bank_of_the_session(served: Served, around: Played, banks: Banks) -> None:
    around.model.answers = [says("In spring."), says("Yes.")]
    talk = await served.session()
    file = data("The llamas are shorn in spring.")
    step = ended(await talk.turn(with_file("When are llamas shorn?", file))).steps[0].memory_retrieval
    assert step.documents[0].content.data == b"The llamas are shorn in spring."
    (bank_id,) = (await talk.whole()).memory_bank_ids
    assert around.model.prompts()[0][1].startswith("user: When are llamas shorn?\n")
    again = ended(await talk.turn("Are llamas shorn?")).steps[0].memory_retrieval
    assert list(again.memory_bank_ids) == [bank_id]
    await talk.delete()
    assert type(await refused(banks.stub.GetMemoryBank(GetMemoryBankRequest(bank_id=bank_id)))) is ResourceNotFound


async def test_files_beside_the_messages_are_those_of_the_last_one(served: Served, around: Played) -> None:
    around.model.answers = [says("In spring.")]
    talk = await served.session()
    file = turn_pb2.TurnAttachment(content=Content(text="Llamas are shorn in spring."), mime_type="text/plain")
    turn = ended(await talk.turn("When are llamas shorn?", attachments=[file]))
    assert turn.steps[0].memory_retrieval.documents[0].content.data == b"Llamas are shorn in spring."


async def test_code_finds_files_where_the_model_is_told(served: Served, around: Played) -> None:
    around.tools.add(CODE)
    around.model.answers = [asks(call(CODE, code="1")), says("Done."), asks(call(CODE, code="2")), says("Again.")]
    talk = await served.session(available_tools=tools(CODE))
    file = data("a,b\n1,2\n", "text/csv")
    turn = ended(await talk.turn(with_file("Sum it.", file)))
    assert [step.WhichOneof("step") for step in turn.steps] == ["inference", "tool_execution", "inference"]
    ((_, context),) = around.tools.ran
    (placed,) = context.files
    assert placed == SessionFile(placed.name, file)
    assert placed.name.endswith(".csv")
    told, asked = around.model.prompts()[0][1:]
    assert told.startswith(f"ipython: File: {FILES_FOLDER}/{placed.name}")
    assert asked == "user: Sum it."
    await talk.turn("And again.")
    assert around.tools.ran[1][1].files == (placed,)


async def test_an_image_goes_to_a_model_that_sees(served: Served, around: Played) -> None:
    around.model.seeing.add("llama")
    around.model.answers = [says("A cat.")]
    talk = await served.session()
    await talk.turn(with_file("What is it?", PNG))
    assert around.model.prompts()[0][1] == "user: What is it?<image/png>"


async def test_a_file_that_nothing_reads_is_refused(served: Served) -> None:
    talk = await served.session()
    error = await refused(talk.stub.CreateTurn(talk.request(with_file("What is it?", PNG))))
    assert (type(error), error.details.violations[0].path) == (InvalidField, "messages[0].content.mime_type")
    sound = turn_pb2.TurnAttachment(url=Url(uri="data:audio/wav;base64,AAAA"), mime_type="audio/wav")
    error = await refused(talk.stub.CreateTurn(talk.request("hi", attachments=[sound])))
    assert (type(error), error.details.violations[0].path) == (InvalidField, "attachments[0].mime_type")
