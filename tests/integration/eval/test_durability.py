"""A process that is killed in the middle of an evaluation loses nothing and scores nothing twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import uuid
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2, job_pb2
from llamastack.observability.v1 import artifact_pb2
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from mesh.client import Client, ClientConfig
from mesh.testing import mesh_of
from tests.integration.eval.peers import Scripted
from tests.integration.eval.serving import Evaluating, question, questions

pytestmark = pytest.mark.timeout(300)

SAMPLES = 1000
KILLS = 2


@asynccontextmanager
async def process(
    folder: Path, peers: Scripted, behind: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Process, Evaluating]]:
    """Run the service as a process of its own for the time of the block."""
    # one of its own each time: connections of this process share how long they wait before they try an address again
    socket = f"unix:{folder}/{uuid.uuid4().hex[:8]}.sock"
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.eval"),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ALTIPLANO_EVAL_BIND": socket,
            "ALTIPLANO_EVAL_DATA": str(folder / "data"),
            "ALTIPLANO_EVAL_JOB_POLL_S": "0.3",
            "ALTIPLANO_EVAL_JOB_LEASE_S": "1",
            "ALTIPLANO_EVAL_LOG_LEVEL": "error",
            **{f"ALTIPLANO_{name}_ADDRESS": behind for name in ("INFERENCE", "TRAINING")},
            **(settings or {}),
        },
    )
    try:
        async with Client(ClientConfig()) as client:
            await asyncio.wait_for(client.channel(socket).channel_ready(), 60)
            yield started, Evaluating(client, socket, peers)
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def test_every_sample_is_scored_exactly_once_however_often_the_process_is_killed(tmp_path: Path) -> None:
    peers = Scripted()
    peers.datasets.rows["qa"] = [question(f"number {number}", f"number {number}") for number in range(SAMPLES)]
    seen: set[int] = set()
    async with mesh_of(peers.services()) as behind:
        for turn in range(KILLS):
            async with process(tmp_path, peers, behind.address) as (started, service):
                if turn == 0:
                    await service.stub.EvaluateQuestionAnswering(questions("job", concurrency=8))
                # the moment of the kill is random, the answer is not
                await service.scored("job", len(seen) + random.randint(20, 300))
                seen = {sample.index for sample in await service.samples("job")}
                started.kill()
                await started.wait()
        async with process(tmp_path, peers, behind.address) as (_, service):
            status = await service.ended("job")
            assert (status.state, status.samples.done) == (common_pb.JOB_STATE_COMPLETED, SAMPLES), status.failure
            assert (status.num_errors, status.metrics["em"].num_samples) == (0, SAMPLES)
            request = job_pb2.GetEvaluationJobArtifactsRequest(job_uuid="job")
            files = {file.name: file for file in (await service.stub.GetJobArtifacts(request)).files}
            assert len(files) == 6
            download = artifact_pb2.DownloadArtifactRequest(artifact_id=files["samples.jsonl"].artifact_id)
            data = b"".join([piece.chunk async for piece in service.record.DownloadArtifact(download)])
            scored = Counter(sample.index for sample in await service.samples("job"))
    assert len(data.splitlines()) == SAMPLES
    assert scored == Counter(range(SAMPLES))
    # a sample whose answer was on its way at the moment of a kill is asked for once more, and no other
    assert peers.inference.asked.total() <= SAMPLES + KILLS * 8


CAPITALS = """
task: capitals
dataset_path: json
dataset_kwargs:
  data_files: {{test: "{data}"}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{country}}}}:"
doc_to_target: " yes"
generation_kwargs: {{until: ["."], do_sample: false, max_gen_toks: 4}}
metric_list:
  - metric: exact_match
"""


@dataclass
class Completions:
    """An OpenAI-compatible server that answers so many prompts and no more, until somebody has stopped waiting."""

    free: int
    answered: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        [prompt] = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        if len(self.answered) >= self.free and not self.left.is_set():
            self.held.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        self.answered.append(prompt)
        return web.json_response({"choices": [{"index": 0, "text": " yes", "finish_reason": "stop"}]})


@asynccontextmanager
async def completing(server: Completions) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/completions", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_harness_that_is_killed_asks_for_no_answer_twice(tmp_path: Path) -> None:
    countries = [f"country {number}" for number in range(12)]
    data, tasks, peers, server = tmp_path / "data.jsonl", tmp_path / "tasks", Scripted(), Completions(free=5)
    data.write_text("".join(json.dumps({"country": country}) + "\n" for country in countries))
    tasks.mkdir()
    (tasks / "capitals.yaml").write_text(CAPITALS.format(data=data))
    async with mesh_of(peers.services()) as behind, completing(server) as url:
        settings = {"ALTIPLANO_EVAL_LM_EVAL_TASKS": str(tasks), "ALTIPLANO_EVAL_LM_EVAL_URL": url}
        async with process(tmp_path, peers, behind.address, settings) as (started, service):
            options = evaluation_pb2.EvaluationOptions(concurrency=1)
            await service.stub.EvaluateHarness(
                more.EvaluateHarnessRequest(
                    job_uuid="job", checkpoint=Checkpoint(model="llama"), task="capitals", options=options
                )
            )
            await asyncio.wait_for(server.held.wait(), 120)
            started.kill()
            await started.wait()
        # the harness goes with its service
        await asyncio.wait_for(server.left.wait(), 30)
        async with process(tmp_path, peers, behind.address, settings) as (_, service):
            status = await service.ended("job")
    assert (status.state, status.samples.done) == (common_pb.JOB_STATE_COMPLETED, len(countries)), status.failure
    assert Counter(server.answered) == Counter(f"{country}:" for country in countries)
    assert list((tmp_path / "data" / "harness").iterdir()) == []
