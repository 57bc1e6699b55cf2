"""Tokens per second and time to first token: the engine called directly, our gRPC, our REST, and ``vllm serve``.

All of them run the same random checkpoint (of the built-in model's size, so that no answer ends early) with the same
engine settings on the same machine, and take turns: each round measures one after the other while the rest is idle.
The load is N streams at once, each of TOKENS tokens; the time to first token is the slowest one's. Clients read bytes
and count, so that they cost little. With ``--compiled`` all of them compile the model first, as ``vllm serve`` does
when it is not told otherwise. They compute in single precision, or in what ``--dtype`` says.

Usage: ``python bench/inference.py [--tokens 128] [--streams 1,8,32,64] [--rounds 3]
[--only direct,grpc,rest,vllm,vllm/4] [--compiled] [--dtype bfloat16]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import grpc.aio

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from gateway.http2.channel import Http2Channel
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1 import inference_pb2 as pb
from services.inference.engines.vllm_launch import VllmSettings, launched
from tests.tiny_model import Shape, make_checkpoint

SHAPE = Shape(hidden=256, layers=6, heads=4, kv_heads=2, head_size=64, feed_forward=512)
PROMPT = "Tell me about the high plain. "
INFERENCE, GATEWAY, VLLM = 50951, 8951, 8952
MODEL = "bench"
# vLLM's worker process goes on in a busy loop for a second after its last step, which would be the next one's loss
REST_S = 1.5
VLLM_SERVE = {"vllm": (), "vllm/4": ("--stream-interval", "4")}
"""`vllm serve` as it comes, and with pieces of four tokens, which is about what our service does at 64 streams."""


@dataclass(frozen=True)
class Execution:
    """How all engines run the model."""

    dtype: Literal["float32", "bfloat16"]
    compiled: bool


@dataclass(frozen=True)
class Figures:
    """One measurement: tokens a second over all streams, and seconds to the first token of the slowest one."""

    rate: float
    first: float


Stream = Callable[[int], Awaitable[float]]
"""Runs one stream to its end and returns the seconds to its first token."""


async def measure(stream: Stream, streams: int, tokens: int) -> Figures:
    """Run several streams at once."""
    began = time.perf_counter()
    firsts = await asyncio.gather(*(stream(index) for index in range(streams)))
    return Figures(streams * tokens / (time.perf_counter() - began), max(firsts))


@asynccontextmanager
async def direct(checkpoint: Path, tokens: int, execution: Execution) -> AsyncIterator[Stream]:
    """The engine in this process: vLLM's own ``AsyncLLM``, without a line of ours between it and the reader."""
    from vllm import SamplingParams as VllmSampling
    from vllm.sampling_params import RequestOutputKind

    folder = checkpoint.parent
    settings = VllmSettings(model=str(checkpoint), dtype=execution.dtype, max_adapters=0, compiled=execution.compiled)
    engine = await asyncio.to_thread(launched, settings, folder)

    async def stream(index: int) -> float:
        began = time.perf_counter()
        first = 0.0
        params = VllmSampling(temperature=0, max_tokens=tokens, output_kind=RequestOutputKind.DELTA)
        async for _ in engine.generate({"prompt": f"{index} {PROMPT}"}, params, f"{index}-{began}"):
            first = first or time.perf_counter() - began
        return first

    try:
        yield stream
    finally:
        await asyncio.to_thread(engine.shutdown)


@asynccontextmanager
async def process(command: list[str], environment: dict[str, str], url: str) -> AsyncIterator[None]:
    """A server process, from the moment that the URL answers 200."""
    log = (Path(tempfile.gettempdir()) / f"bench-{command[2]}-{os.getpid()}.log").open("wb")
    running = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True)
    try:
        while True:
            if running.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended early; see {log.name}")
            try:
                if (await http_get(url)).startswith(b"HTTP/1.1 200"):
                    break
            except OSError:
                pass
            await asyncio.sleep(0.5)
        yield
    finally:
        running.terminate()
        await asyncio.to_thread(running.wait)


async def http_get(url: str) -> bytes:
    """Return the head of the answer to a GET."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return await reader.readline()
    finally:
        writer.close()


@asynccontextmanager
async def ours(checkpoint: Path, execution: Execution) -> AsyncIterator[None]:
    """Our inference service and gateway."""
    with tempfile.TemporaryDirectory() as data:
        service = {
            "ALTIPLANO_INFERENCE_BIND": f"127.0.0.1:{INFERENCE}",
            "ALTIPLANO_INFERENCE_MODEL": str(checkpoint),
            "ALTIPLANO_INFERENCE_MODEL_ID": MODEL,
            "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
            "ALTIPLANO_INFERENCE_DTYPE": execution.dtype,
            "ALTIPLANO_INFERENCE_MAX_ADAPTERS": "0",
            "ALTIPLANO_INFERENCE_COMPILED": str(execution.compiled).lower(),
            "ALTIPLANO_INFERENCE_DATA": data,
        }
        gateway = {
            "ALTIPLANO_GATEWAY_BIND": f"127.0.0.1:{GATEWAY}",
            "ALTIPLANO_GATEWAY_UPSTREAMS": f"inference=127.0.0.1:{INFERENCE}",
        }
        python = [sys.executable, "-m"]
        path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"}
        async with AsyncExitStack() as stack:
            inference = subprocess.Popen([*python, "services.inference"], env=os.environ | service | path)
            stack.callback(inference.wait)
            stack.callback(inference.terminate)
            await stack.enter_async_context(
                process([*python, "gateway"], gateway | path, f"http://127.0.0.1:{GATEWAY}/readyz")
            )
            await serving()
            yield


async def serving() -> None:
    """Return when the model answers."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{INFERENCE}") as channel:
        call: Any = channel.unary_unary("/llamastack.inference.v1.InferenceService/Completion")
        request = pb.CompletionRequest(
            model=MODEL, content=Content(text="x"), sampling_params=SamplingParams(max_tokens=1)
        )
        while True:
            try:
                await call(request.SerializeToString())
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.5)
            else:
                return


@asynccontextmanager
async def grpc_streams(tokens: int) -> AsyncIterator[Stream]:
    """Streams over one gRPC connection, read by the client that the gateway has."""
    channel = Http2Channel(f"127.0.0.1:{INFERENCE}", 1 << 20)
    try:
        call: Any = channel.unary_stream("/llamastack.inference.v1.InferenceService/StreamCompletion")

        async def stream(index: int) -> float:
            began = time.perf_counter()
            first = 0.0
            params = SamplingParams(max_tokens=tokens)
            request = pb.CompletionRequest(
                model=MODEL, content=Content(text=f"{index} {PROMPT}"), sampling_params=params
            )
            reading = call(request.SerializeToString(), timeout=None, metadata=())
            while await reading.read():
                first = first or time.perf_counter() - began
            return first

        yield stream
    finally:
        await channel.close()


def http_streams(port: int, path: str, body: dict[str, object]) -> Stream:
    """Return streams over HTTP, a connection each, as browsers and SDKs open them."""

    async def stream(index: int) -> float:
        began = time.perf_counter()
        payload = json.dumps({name: f"{index} {PROMPT}" if value is ... else value for name, value in body.items()})
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n{payload}".encode())
        first = 0.0
        seen = b""
        while chunk := await reader.read(65536):
            seen = (seen + chunk)[-4096:] if first else seen + chunk
            if not first and b"data: " in seen:
                first = time.perf_counter() - began
        writer.close()
        if not first:
            raise SystemExit(f"{path} did not stream: {seen[:500]!r}")
        return first

    return stream


Runs = dict[int, list[Figures]]
"""The rounds for each number of streams."""


async def run(options: argparse.Namespace) -> dict[str, Runs]:
    """Measure everything that was asked for, in turns: what else goes on at the machine hits all of them alike."""
    execution = Execution(options.dtype, options.compiled)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = make_checkpoint(Path(folder) / MODEL, shape=SHAPE)
        async with AsyncExitStack() as stack:
            peers: dict[str, Stream] = {}
            if "direct" in options.only:
                peers["direct"] = await stack.enter_async_context(direct(checkpoint, options.tokens, execution))
            if {"grpc", "rest"} & set(options.only):
                await stack.enter_async_context(ours(checkpoint, execution))
                peers["grpc"] = await stack.enter_async_context(grpc_streams(options.tokens))
                params = {"strategy": "greedy", "max_tokens": options.tokens}
                body = {"model": MODEL, "content": ..., "sampling_params": params, "stream": True}
                peers["rest"] = http_streams(GATEWAY, "/inference/completion", body)
            for position, (name, more) in enumerate(VLLM_SERVE.items()):
                if name in options.only:
                    port = VLLM + position
                    await stack.enter_async_context(vllm_serve(checkpoint, port, more, execution))
                    body = {"model": MODEL, "prompt": ..., "max_tokens": options.tokens, "temperature": 0}
                    peers[name] = http_streams(port, "/v1/completions", body | {"stream": True})
            return await rounds({name: peers[name] for name in options.only if name in peers}, options)


async def rounds(peers: dict[str, Stream], options: argparse.Namespace) -> dict[str, Runs]:
    """Return what each peer did in each round."""
    found: dict[str, Runs] = {name: {streams: [] for streams in options.streams} for name in peers}
    for stream in peers.values():
        await measure(stream, 8, options.tokens)
    for streams in options.streams:
        for _ in range(options.rounds):
            for name, stream in peers.items():
                await asyncio.sleep(REST_S)
                found[name][streams].append(await measure(stream, streams, options.tokens))
    return found


@asynccontextmanager
async def vllm_serve(checkpoint: Path, port: int, more: Sequence[str], execution: Execution) -> AsyncIterator[None]:
    """What `vllm serve` runs; that command itself does not know the name of the CPU build's package."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    command += ["--served-model-name", MODEL, "--dtype", execution.dtype, "--port", str(port), "--host", "127.0.0.1"]
    eager = [] if execution.compiled else ["--enforce-eager"]
    command += ["--max-num-seqs", "64", *eager, "--disable-log-stats", *more]
    async with process(command, {"VLLM_CPU_KVCACHE_SPACE": "1"}, f"http://127.0.0.1:{port}/health"):
        yield


def report(found: dict[str, Runs], options: argparse.Namespace) -> None:
    """Print a table of medians and the ratios that the goals are about, each the median of the rounds' ratios."""
    print(f"\n{'':12}" + "".join(f"{f'{streams} streams':>22}" for streams in options.streams))
    for name, runs in found.items():
        rates = [median(run.rate for run in runs[streams]) for streams in options.streams]
        firsts = [median(run.first for run in runs[streams]) for streams in options.streams]
        cells = (f"{rate:9.0f} tok/s {first * 1000:5.0f} ms" for rate, first in zip(rates, firsts, strict=True))
        print(f"{name:12}" + "".join(f"{cell:>22}" for cell in cells))
    pairs = [("grpc", "direct"), *((ours, peer) for ours in ("grpc", "rest") for peer in VLLM_SERVE), ("rest", "grpc")]
    for over, under in pairs:
        if over in found and under in found:
            cells = (ratio(found[over][s], found[under][s], "rate") for s in options.streams)
            print(f"{f'{over} / {under}':20}" + "".join(f"{cell:8.2f}x" for cell in cells) + "  tokens/s")
    for name in found:
        if name != "direct" and "direct" in found:
            cells = (ratio(found[name][s], found["direct"][s], "first") for s in options.streams)
            print(f"{f'{name} / direct':20}" + "".join(f"{cell:8.2f}x" for cell in cells) + "  time to first token")


def ratio(over: list[Figures], under: list[Figures], what: str) -> float:
    """Return the median of the ratios of each round."""
    return median(getattr(a, what) / getattr(b, what) for a, b in zip(over, under, strict=True))


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=lambda text: [int(part) for part in text.split(",")], default=[1, 8, 32, 64])
    parser.add_argument("--only", type=lambda text: text.split(","), default=["direct", "grpc", "rest", *VLLM_SERVE])
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    report(asyncio.run(run(options)), options)


if __name__ == "__main__":
    main()
