"""Spans: stored, searched, and held together by their trace."""

from __future__ import annotations

from collections.abc import Sequence

from llamastack.observability.v1 import trace_pb2 as pb
from mesh.errors import InvalidField, ResourceNotFound
from tests.integration.eval.record import Recorded, at, refused, span, values
from tests.query_plans import query_plans


async def add(record: Recorded, *spans: pb.Span) -> None:
    """Store spans."""
    await record.stub.LogSpans(pb.LogSpansRequest(spans=spans))


async def test_spans_come_back_by_their_beginning_in_pages(record: Recorded) -> None:
    spans = [span(number, attributes=values(n=number), status=pb.SPAN_STATUS_OK) for number in range(1, 6)]
    await add(record, *spans[::-1])
    first = await record.stub.SearchSpans(pb.SearchSpansRequest(page_size=3))
    assert list(first.spans) == spans[:3]
    rest = pb.SearchSpansRequest(page_size=3, page_token=first.next_page_token)
    assert await record.stub.SearchSpans(rest) == pb.SearchSpansResponse(spans=spans[3:])


async def test_a_span_of_the_same_ids_is_replaced_with_its_attributes(record: Recorded) -> None:
    old, new = span(1, "old", attributes=values(a=1)), span(1, "new", when=7.0, attributes=values(b=1))
    await add(record, old, old)
    await add(record, new)
    assert list((await record.stub.SearchSpans(pb.SearchSpansRequest())).spans) == [new]
    assert list((await record.stub.SearchSpans(pb.SearchSpansRequest(filters=values(a=1)))).spans) == []
    assert list((await record.stub.SearchSpans(pb.SearchSpansRequest(filters=values(b=1)))).spans) == [new]


async def test_a_search_holds_all_of_its_conditions(record: Recorded) -> None:
    chat = span(1, "chat Llama", attributes=values(**{"gen_ai.request.model": "llama"}), session_id="s", turn_id="t")
    run = await record.run((await record.experiment()).id)
    tool = span(2, "execute_tool", trace=2, session_id="s", run_id=run.id)
    await add(record, chat, tool)

    async def found(**conditions: object) -> Sequence[str]:
        answer = await record.stub.SearchSpans(pb.SearchSpansRequest(**conditions))  # type: ignore[arg-type]
        return [span.name for span in answer.spans]

    assert await found(session_id="s") == ["chat Llama", "execute_tool"]
    assert await found(session_id="s", turn_id="t") == ["chat Llama"]
    assert await found(run_id=run.id) == ["execute_tool"]
    assert await found(trace_id=tool.trace_id) == ["execute_tool"]
    assert await found(query="LLAMA") == ["chat Llama"]
    assert await found(filters=values(**{"gen_ai.request.model": "llama"})) == ["chat Llama"]
    assert await found(after=at(2)) == ["execute_tool"]
    assert await found(before=at(2)) == ["chat Llama"]


async def test_the_spans_of_a_turn_are_found_by_its_session_whichever_process_tells_first(record: Recorded) -> None:
    inference = span(3, "chat llama", parent_span_id=f"{2:016x}")
    turn = span(2, "turn", session_id="s", turn_id="t")
    memory = span(4, "query")
    elsewhere = span(5, "other", trace=9)
    await add(record, inference, elsewhere)
    await add(record, turn)
    await add(record, memory)
    found = list((await record.stub.SearchSpans(pb.SearchSpansRequest(session_id="s", turn_id="t"))).spans)
    for child in (inference, memory):
        child.session_id, child.turn_id = "s", "t"
    assert found == [turn, inference, memory]
    assert list((await record.stub.SearchSpans(pb.SearchSpansRequest(query="other"))).spans) == [elsewhere]


async def test_a_span_of_a_run_that_is_not_the_caller_s_is_refused(embedded: Recorded) -> None:
    run = await embedded.run((await embedded.experiment()).id)
    error = await refused(add(embedded, span(1, run_id=run.id), span(2, run_id="elsewhere")))
    assert isinstance(error, ResourceNotFound)
    assert error.details.resource == ("run", "elsewhere")
    assert list((await embedded.stub.SearchSpans(pb.SearchSpansRequest())).spans) == []


async def test_a_span_without_valid_times_is_refused(embedded: Recorded) -> None:
    bad = span(1)
    bad.ended_at.nanos = 2_000_000_000
    error = await refused(add(embedded, span(2), bad))
    assert isinstance(error, InvalidField)
    assert error.message == "spans[1].ended_at: a time in the years 1 to 9999 is needed"
    assert list((await embedded.stub.SearchSpans(pb.SearchSpansRequest())).spans) == []


async def test_the_spans_of_a_trace_a_session_a_turn_or_a_run_are_read_by_their_index(embedded: Recorded) -> None:
    run = await embedded.run((await embedded.experiment()).id)
    await add(embedded, span(1, session_id="s", turn_id="t", run_id=run.id))
    asked = {"trace_id": span(1).trace_id, "session_id": "s", "turn_id": "t", "run_id": run.id}
    taken = {}
    for name, value in asked.items():
        with query_plans("observability_spans") as plans:
            answer = await embedded.stub.SearchSpans(pb.SearchSpansRequest(**{name: value}))
        assert len(answer.spans) == 1
        taken[name] = [step.partition("(")[2] for steps in plans.values() for step in steps]
    assert taken == {
        "trace_id": ["tenant=? AND trace_id=?)"],
        "session_id": ["tenant=? AND session=?)"],
        "turn_id": ["tenant=? AND turn=?)"],
        "run_id": ["tenant=? AND run=?)"],
    }
