"""Log messages: stored, searched, followed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llamastack.observability.v1 import log_pb2 as pb
from mesh.errors import InvalidField, ResourceNotFound
from mesh.json_text import Loose
from services.eval.observability.journal import Journal
from tests.integration.eval.record import Recorded, at, now, refused, values


def log(message: str, when: float = 1.0, level: str = "info", **info: Loose) -> pb.Log:
    """Return a message."""
    return pb.Log(message=message, level=level, timestamp=at(when), additional_info=values(**info))


def stored(log: pb.Log, sequence: int, run_id: str | None = None) -> pb.Log:
    """Return a message as it comes back."""
    made = pb.Log(sequence=sequence, run_id=run_id)
    made.MergeFrom(log)
    return made


async def add(record: Recorded, *logs: pb.Log, run_id: str | None = None) -> None:
    """Store messages."""
    await record.stub.LogMessages(pb.LogMessagesRequest(logs=logs, run_id=run_id))


async def test_messages_are_numbered_on_arrival_and_found_by_time(record: Recorded) -> None:
    run = await record.run((await record.experiment()).id)
    late, early, odd = log("late", 9.0), log("early", 1.0), log("odd\0 Ärger 50%", 5.0, "error", code=7, deep=[1.0])
    await add(record, late, early)
    await add(record, odd, run_id=run.id)
    whole = [stored(early, 2), stored(odd, 3, run.id), stored(late, 1)]
    found = await record.stub.GetLogs(pb.LogSearchRequest(page_size=2))
    assert list(found.logs) == whole[:2]
    rest = await record.stub.GetLogs(pb.LogSearchRequest(page_size=2, page_token=found.next_page_token))
    assert rest == pb.LogSearchResponse(logs=whole[2:])


async def test_a_search_holds_all_of_its_conditions(record: Recorded) -> None:
    run = await record.run((await record.experiment()).id)
    await add(record, log("late", 9.0, code=7), log("early", 1.0))
    await add(record, log("odd\0 Ärger 50%", 5.0, "error", code=7, deep=[1.0]), run_id=run.id)

    async def found(query: str = "", **more: object) -> Sequence[int]:
        answer = await record.stub.GetLogs(pb.LogSearchRequest(query=query, **more))  # type: ignore[arg-type]
        return [log.sequence for log in answer.logs]

    assert await found("ÄRGER 50%") == [3]
    assert await found("50_") == []
    assert await found(filters=values(level="error")) == [3]
    assert await found(filters=values(level=5)) == []
    assert await found(filters=values(run_id=run.id)) == [3]
    assert await found(filters=values(code=7.0)) == [3, 1]
    assert await found(filters=values(code=7, deep=[1], level="error")) == [3]
    assert await found(filters=values(code=7), before=at(9)) == [3]
    assert await found(after=at(5)) == [3, 1]
    assert await found(after_sequence=1) == [2, 3]


async def test_messages_that_are_written_at_once_have_numbers_of_their_own(record: Recorded) -> None:
    await asyncio.gather(*(add(record, log(f"{lane}"), log(f"{lane}")) for lane in range(8)))
    found = await record.stub.GetLogs(pb.LogSearchRequest())
    numbers = {int(log.sequence): log.message for log in found.logs}
    assert sorted(numbers) == list(range(1, 17))
    assert all(numbers[number] == numbers[number + 1] for number in range(1, 17, 2))


async def test_followers_get_what_was_there_and_what_comes_until_the_end(record: Recorded) -> None:
    await add(record, log("no"), log("yes 1"))
    request = pb.LogSearchRequest(query="yes", before=at(now() + 3600))
    async with asyncio.timeout(20):
        call = record.stub.FollowLogs(request)
        logs = aiter(call)
        assert (await anext(logs)).message == "yes 1"
        await add(record, log("no"), log("yes 2"))
        assert (await anext(logs)).message == "yes 2"
        call.cancel()
        past = pb.LogSearchRequest(query="yes", before=at(now()))
        assert [log.sequence async for log in record.stub.FollowLogs(past)] == [2, 4]


async def test_a_follower_sees_what_another_process_stores(record: Recorded) -> None:
    call = record.stub.FollowLogs(pb.LogSearchRequest(query="there"))
    async with asyncio.timeout(20):
        waiting = asyncio.ensure_future(anext(aiter(call)))
        await Journal(record.storage).add("default", pb.LogMessagesRequest(logs=[log("over there")]))
        assert (await waiting).message == "over there"
        call.cancel()


async def test_a_message_for_an_unknown_run_or_without_a_time_is_refused(embedded: Recorded) -> None:
    missing = await refused(embedded.stub.LogMessages(pb.LogMessagesRequest(logs=[log("x")], run_id="none")))
    assert isinstance(missing, ResourceNotFound)
    bad = log("x")
    bad.timestamp.nanos = -1
    error = await refused(embedded.stub.LogMessages(pb.LogMessagesRequest(logs=[log("y"), bad])))
    assert isinstance(error, InvalidField)
    assert await embedded.stub.GetLogs(pb.LogSearchRequest()) == pb.LogSearchResponse()
