"""Agentic systems and sessions: made, found, listed, deleted, each tenant's its own."""

from __future__ import annotations

from pathlib import Path

from llamastack.agents.v1 import config_pb2, session_pb2
from mesh.errors import InvalidField, ResourceNotFound
from mesh.migrations import differences, migrate
from mesh.storage import Storage, StorageConfig
from services.agents.tables import METADATA, MIGRATIONS
from tests.integration.agents.scripted import says
from tests.integration.agents.serving import Played, Served, ended, refused


async def test_a_system_is_given_back_as_it_was_made(served: Served) -> None:
    instance = config_pb2.AgenticSystemInstanceConfig(instructions="Be brief.", max_infer_iters=3)
    request = config_pb2.AgenticSystemCreateRequest(model="llama", instance_config=instance)
    system_id = (await served.stub.CreateAgenticSystem(request)).system_id
    found = await served.stub.GetAgenticSystem(config_pb2.GetAgenticSystemRequest(agent_id=system_id))
    instance.model = "llama"
    assert (found.system_id, found.model, found.instance_config) == (system_id, "llama", instance)
    assert found.created_at.seconds > 0


async def test_a_system_without_instructions_is_refused(served: Served) -> None:
    request = config_pb2.AgenticSystemCreateRequest(
        model="llama", instance_config=config_pb2.AgenticSystemInstanceConfig()
    )
    assert type(await refused(served.stub.CreateAgenticSystem(request))) is InvalidField


async def test_systems_and_sessions_are_listed_newest_first_in_pages(served: Served) -> None:
    talks = [await served.session() for _ in range(3)]
    page = await served.stub.ListAgenticSystems(config_pb2.ListAgenticSystemsRequest(page_size=2))
    rest = await served.stub.ListAgenticSystems(
        config_pb2.ListAgenticSystemsRequest(page_size=2, page_token=page.next_page_token)
    )
    listed = [system.system_id for system in [*page.agentic_systems, *rest.agentic_systems]]
    assert (listed, rest.next_page_token) == ([talk.system_id for talk in reversed(talks)], "")
    system_id = talks[0].system_id
    second = await served.another(system_id)
    first = await served.stub.ListSessions(session_pb2.ListSessionsRequest(agent_id=system_id, page_size=1))
    last = await served.stub.ListSessions(
        session_pb2.ListSessionsRequest(agent_id=system_id, page_size=1, page_token=first.next_page_token)
    )
    assert [one.session_id for one in [*first.sessions, *last.sessions]] == [second.session_id, talks[0].session_id]


async def test_a_session_gives_the_turns_that_are_asked_for(served: Served, around: Played) -> None:
    around.model.answers = [says("a"), says("b")]
    talk = await served.session()
    turns = [ended(await talk.turn(text)) for text in ("1", "2")]
    request = session_pb2.GetSessionRequest(
        agent_id=talk.system_id, session_id=talk.session_id, turn_ids=[turns[1].turn_id, "none"]
    )
    assert list((await served.stub.GetSession(request)).turns) == turns[1:]
    assert list((await talk.whole()).turns) == turns


async def test_deleting_a_system_deletes_its_sessions_and_turns(served: Served, around: Played) -> None:
    around.model.answers = [says("a")]
    talk = await served.session()
    turn = ended(await talk.turn("hi"))
    await served.stub.DeleteAgenticSystem(config_pb2.DeleteAgenticSystemRequest(agent_id=talk.system_id))
    assert type(await refused(talk.whole())) is ResourceNotFound
    assert type(await refused(talk.get(turn.turn_id))) is ResourceNotFound
    assert type(await refused(served.another(talk.system_id))) is ResourceNotFound
    again = config_pb2.DeleteAgenticSystemRequest(agent_id=talk.system_id)
    assert type(await refused(served.stub.DeleteAgenticSystem(again))) is ResourceNotFound


async def test_the_migration_makes_the_tables_of_the_code(tmp_path: Path) -> None:
    storage = Storage(StorageConfig(url=f"sqlite:///{tmp_path}/agents.db"))
    try:
        await migrate(storage, [MIGRATIONS])
        assert await differences(storage, METADATA) == []
        await migrate(storage, [MIGRATIONS], "base")
    finally:
        await storage.close()
