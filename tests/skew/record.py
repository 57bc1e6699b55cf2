"""Records what clients of today send and are answered: ``python -m tests.skew.record VERSION``, once for each minor.

Everything is recorded twice, over fresh services, to tell what is the same each time from what is not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass

from bench.restarts.model import MODEL
from mesh.contracts import contracts
from tests.integration.security.callers import services
from tests.integration.security.tenants import AREAS, Area
from tests.skew import contracts as kept_contracts
from tests.skew.contracts import OldClient
from tests.skew.deployment import AREAS_OF, deployed, in_front
from tests.skew.exchanges import Exchange, merged, save
from tests.skew.reading import answer_of
from tests.skew.script import SCRIPT

LAST = ("Delete", "Drop", "Unregister", "Cancel")
SAID = {"messages": [{"user": {"content": {"text": "quick"}}}]}
TEXT, TEXTS, BATCH = {"content": {"text": "once"}}, {"content_batch": [{"text": "once"}]}, {"messages_batch": [SAID]}
GENERATING = Area(
    fields={"model": MODEL},
    bodies={
        **dict.fromkeys(("ChatCompletion", "StreamChatCompletion"), SAID),
        **dict.fromkeys(("Completion", "StreamCompletion"), TEXT),
        **dict.fromkeys(("BatchChatCompletion", "StreamBatchChatCompletion"), BATCH),
        **dict.fromkeys(("BatchCompletion", "StreamBatchCompletion"), TEXTS),
        "Embeddings": {"contents": ["a", "b"]},
        "Score": {"inputs": [SAID]},
    },
)
SCORED = {
    "dialog": SAID["messages"],
    "sampled_generations": [{"completion": {"content": {"text": "4"}}}],
    "reference": "4",
}
BODIES: Mapping[str, Area] = {
    **AREAS,
    "inference": GENERATING,
    "models": Area(fields={"model_id": MODEL, "adapter_id": "none"}, bodies=AREAS["models"].bodies),
    "safety": Area(bodies={"RunShields": {**SAID, "shields": []}}),
    "reward_scoring": Area(bodies={"Score": {"dialog_generations": [SCORED], "reward": {"exact_match": {}}}}),
}
"""The requests of each area; those of a model are met by one that runs elsewhere."""


async def over_grpc(name: str, address: str) -> AsyncIterator[Exchange]:
    """Call every RPC of a service."""
    async with grpc.aio.insecure_channel(address) as channel:
        client = OldClient(channel, contracts())
        for service, rpcs in services().items():
            area = service.split(".")[1]
            if area in AREAS_OF[name]:
                async for made in _area(name, client, rpcs, BODIES[area]):
                    yield made


async def _area(name: str, client: OldClient, rpcs: list[MethodDescriptor], area: Area) -> AsyncIterator[Exchange]:
    kept: dict[str, Any] = {}
    by_name = {rpc.name: rpc for rpc in rpcs}
    ends = [rpc for rpc in rpcs if rpc.name.startswith(LAST)]
    rest = [(rpc, _body(rpc, area), {}) for rpc in [one for one in rpcs if one not in ends] + ends[::-1]]
    for rpc, body, keep in [*((by_name[step.rpc], step.body, step.keep) for step in area.steps), *rest]:
        bodies = [filled(each, kept) for each in ([body] if isinstance(body, Mapping) else body)]
        requests = [ParseDict(each, GetMessageClass(rpc.input_type)()).SerializeToString() for each in bodies]
        path = f"/{rpc.containing_service.full_name}/{rpc.name}"
        how, answer = await client.call(path, requests)
        own = {member: answer[member] for member in keep}
        kept |= {keep[member]: value for member, value in own.items()}
        yield replace(Exchange.of((name, path), requests, how, answer), keep=own)


def _body(rpc: MethodDescriptor, area: Area) -> Any:
    known = {name: value for name, value in area.fields.items() if name in rpc.input_type.fields_by_name}
    body = area.bodies.get(rpc.name, {})
    return {**known, **body} if isinstance(body, Mapping) else list(body)


def filled(body: Any, kept: Mapping[str, Any]) -> Any:
    """Return a body with what was kept in it."""
    if isinstance(body, Mapping):
        return {name: filled(value, kept) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, kept) for value in body]
    return kept[body[1:]] if isinstance(body, str) and body.startswith("$") else body


async def over_rest(name: str, http: httpx.AsyncClient) -> AsyncIterator[Exchange]:
    """Follow the script of a service."""
    kept: dict[str, Any] = {}
    for asked in SCRIPT[name]:
        target = asked.target
        for known, value in kept.items():
            target = target.replace(f"${known}", value)
        verb, _, path = target.partition(" ")
        body = b"" if asked.body is None else json.dumps(filled(asked.body, kept)).encode()
        how, answer = await answer_of(http, verb, path, body)
        own = {member: answer[member] for member in asked.keep}
        kept |= {asked.keep[member]: value for member, value in own.items()}
        yield replace(Exchange.of((name, target), [body], how, answer), keep=own)


async def recording(name: str) -> tuple[list[Exchange], list[Exchange]]:
    """Return what a fresh service is asked over gRPC, and another one over REST."""
    with tempfile.TemporaryDirectory() as folder:
        async with deployed(name, Path(folder) / "grpc") as address:
            wire = [made async for made in over_grpc(name, address)]
        async with deployed(name, Path(folder) / "rest") as address, in_front(name, address) as http:
            rest = [made async for made in over_rest(name, http)]
    return wire, rest


async def main(version: str) -> None:
    """Record every service twice and write what both recordings share."""
    kept_contracts.write(version)
    found: dict[str, list[Exchange]] = {"wire": [], "rest": []}
    for name in AREAS_OF:
        first, second = await recording(name), await recording(name)
        for kind, one, other in zip(found, first, second, strict=True):
            found[kind] += [replace(a, answer=merged(a.answer, b.answer)) for a, b in zip(one, other, strict=True)]
            print(*(f"{kind} {a.target}: {a.how}, {b.how}" for a, b in zip(one, other, strict=True) if a.how != b.how))
    for kind, exchanges in found.items():
        save(version, kind, exchanges)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
