"""The memory_retrieval step of a turn: what its banks have to the user's words goes behind them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from llamastack.agents.v1 import tool_pb2 as pb
from llamastack.agents.v1.turn_pb2 import MemoryRetrievalStep, Step, StepType
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, ToolResponseMessage, UserMessage
from llamastack.common.v1.tool_pb2 import ToolName
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from llamastack.memory.v1.document_pb2 import DocumentContent, MemoryBankDocument
from llamastack.memory.v1.query_pb2 import Chunk, QueryParams
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from services.agents.course import Course
from services.agents.execution import together
from services.agents.guard import TOOL_INPUT, TOOL_OUTPUT, Guard, Subject
from services.agents.inference import Answer, Model
from services.agents.memory import Banks
from services.agents.prompt import appended, text_of
from services.agents.turn import timestamp

_RETRIEVAL: Final = StepType.STEP_TYPE_MEMORY_RETRIEVAL
_MAX_CHUNKS: Final = 10
_MAX_TOKENS: Final = 4096
_BEGIN: Final = "--- retrieved context ---"
_END: Final = "--- end of context ---"
_MEMORY: Final = ToolName(custom="memory")


@dataclass(frozen=True, slots=True)
class _Search:
    """One bank to search, with the query and what its kind needs."""

    bank_id: str
    query: str
    params: QueryParams


class Retrieval:
    """Searches the banks of a turn: those that its session has attached, and those of its memory tools."""

    def __init__(self, banks: Banks, model: Model, guard: Guard, course: Course) -> None:
        """Keep the parts."""
        self._banks = banks
        self._model = model
        self._guard = guard
        self._course = course

    async def retrieve(self, attached: Sequence[str]) -> None:
        """Make the step and put what was found behind the turn's last message; nothing happens without banks.

        Raises:
            Violated: a shield of a memory tool ends the turn.
            MeshError: a bank is not there or can't be searched, the query could not be written, a shield can't judge.
        """
        course, tools = self._course, self._course.toolbox.memory
        if not attached and not any(tool.memory_bank_configs for tool in tools):
            return
        inputs = [shield for tool in tools for shield in tool.input_shields]
        await self._guard.check(TOOL_INPUT, [Subject(course.messages, inputs)])
        step = course.journal.replayed(_RETRIEVAL)
        made = step.memory_retrieval if step is not None else await self._search(attached)
        if made.HasField("inserted_context"):
            outputs = [shield for tool in tools for shield in tool.output_shields]
            found = ToolResponseMessage(tool_name=_MEMORY, content=Content(text=made.inserted_context))
            await self._guard.check(TOOL_OUTPUT, [_judged(course, found, outputs)])
            course.messages[-1] = appended(course.messages[-1], made.inserted_context)

    async def _search(self, attached: Sequence[str]) -> MemoryRetrievalStep:
        course = self._course
        began, step_id = course.clock(), course.journal.begin(_RETRIEVAL)
        searches = await self._searches(attached)
        answers = await together([self._banks.query(one.bank_id, one.query, one.params) for one in searches])
        hits = [hit for answer in answers for hit in zip(answer.chunks, answer.scores, strict=True)]
        hits.sort(key=lambda hit: -hit[1])
        kept = self._fitting(hits)
        step = MemoryRetrievalStep(
            turn_id=course.turn.turn_id,
            step_id=step_id,
            started_at=timestamp(began),
            completed_at=timestamp(course.clock()),
            memory_bank_ids=dict.fromkeys(one.bank_id for one in searches),
            documents=[_document(chunk) for chunk, _ in kept],
            scores=[score for _, score in kept],
            inserted_context=_context([chunk for chunk, _ in kept]) if kept else None,
        )
        course.journal.record(Step(memory_retrieval=step))
        return step

    async def _searches(self, attached: Sequence[str]) -> list[_Search]:
        """Return what is to be searched, each bank once: a memory tool's word counts before the session's."""
        limit = self._max_chunks()
        found: dict[str, _Search] = {}
        for tool in self._course.toolbox.memory:
            query = await self._query(tool.query_generator_config)
            for reference in tool.memory_bank_configs:
                search = _of_reference(reference, query, limit)
                found.setdefault(search.bank_id, search)
        plain = _joined(self._course.opening, " ")
        for bank_id in attached:
            found.setdefault(bank_id, _Search(bank_id, plain, QueryParams(max_chunks=limit)))
        return list(found.values())

    async def _query(self, config: pb.QueryGeneratorConfig) -> str:
        if not config.HasField("llm"):
            sep = config.default.sep if config.default.HasField("sep") else " "
            return _joined(self._course.opening, sep)
        said = "\n".join(f"{_role(message)}: {text_of(message)}" for message in self._course.opening)
        asked = UserMessage(content=Content(text=config.llm.template.replace("{messages}", said)))
        request = ChatCompletionRequest(model=config.llm.model, messages=[Message(user=asked)])
        answer = Answer()
        async with aclosing(self._model.chat(request)) as events:
            async for event in events:
                answer.add(event)
        return answer.message().content.text.strip() or _joined(self._course.opening, " ")

    def _max_chunks(self) -> int:
        stated = [tool.max_chunks for tool in self._course.toolbox.memory if tool.HasField("max_chunks")]
        return max(stated, default=_MAX_CHUNKS)

    def _fitting(self, hits: Sequence[tuple[Chunk, float]]) -> list[tuple[Chunk, float]]:
        """Return the best hits that are within the limits on chunks and tokens."""
        tools = self._course.toolbox.memory
        stated = [tool.max_tokens_in_context for tool in tools if tool.HasField("max_tokens_in_context")]
        left = max(stated, default=_MAX_TOKENS)
        room = self._course.window.room(self._course.turn.config)
        if room is not None:
            # the rest is for the conversation
            left = min(left, room // 2)
        kept: list[tuple[Chunk, float]] = []
        for chunk, score in hits[: self._max_chunks()]:
            left -= chunk.token_count
            if left < 0:
                break
            kept.append((chunk, score))
        return kept


def _judged(course: Course, found: ToolResponseMessage, shields: Sequence[ShieldDefinition]) -> Subject:
    return Subject([*course.messages, Message(tool_response=found)], shields)


def _of_reference(reference: pb.MemoryBankReference, query: str, limit: int) -> _Search:
    kind = str(reference.WhichOneof("bank"))
    params = QueryParams(max_chunks=limit)
    if kind == "keyvalue":
        params.keys.extend(reference.keyvalue.keys)
    if kind == "graph":
        params.entities.extend(reference.graph.entities)
    return _Search(getattr(reference, kind).bank_id, query, params)


def _context(chunks: Sequence[Chunk]) -> str:
    """Return chunks as the model reads them: one line each, with the id of its document."""
    lines = [f"[{chunk.document_id}] {' '.join(chunk.content.split())}" for chunk in chunks]
    return "\n".join([_BEGIN, *lines, _END])


def _document(chunk: Chunk) -> MemoryBankDocument:
    return MemoryBankDocument(
        document_id=chunk.document_id,
        content=DocumentContent(data=chunk.content.encode()),
        metadata=chunk.metadata,
        mime_type=chunk.mime_type,
    )


def _joined(messages: Sequence[Message], sep: str) -> str:
    return sep.join(filter(None, map(text_of, messages)))


def _role(message: Message) -> str:
    return "user" if message.HasField("user") else "tool"
