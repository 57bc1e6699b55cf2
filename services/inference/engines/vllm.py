"""vLLM in process: ``AsyncLLM`` with its engine core in a child process, on a GPU or with the CPU build alike.

Knows nothing about restarts: an engine whose core has died raises ``BackendUnavailable`` from then on, and
:mod:`services.inference.host` makes a new one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, cast

from mesh.errors import BackendUnavailable, InvalidField, NotSupported, OutOfRange, ResourceNotFound, WrongState
from services.inference.engine import (
    Delta,
    EngineInfo,
    GenerateRequest,
    ModelKind,
    Prompt,
    ScoredInput,
    Scores,
    TextInput,
    Vectors,
)
from services.inference.engines.pace import Pace
from services.inference.engines.precision import form_of, precision_of
from services.inference.engines.structured import structured_outputs
from services.inference.engines.vllm_launch import RESTART_SECONDS, VllmSettings, first_line, launched
from services.inference.engines.vllm_outputs import deltas_of

if TYPE_CHECKING:
    from vllm import RequestOutput
    from vllm import SamplingParams as VllmSampling
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.output_processor import RequestOutputCollector


class VllmEngine:
    """An :class:`~services.inference.engine.Engine` on vLLM."""

    def __init__(self, settings: VllmSettings) -> None:
        """Keep the settings; nothing is imported or loaded before :meth:`start`."""
        self._settings = settings
        self._engine: AsyncLLM | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._adapters: dict[str, LoRARequest] = {}
        self._next_adapter = 1
        self._pace = Pace(settings.pieces_per_second)
        self._held = 0
        self._capacity = 0

    async def start(self) -> EngineInfo:
        """Load the model in vLLM's engine core process; half a minute even for a small one."""
        self._folder = TemporaryDirectory(prefix="altiplano-engine-")
        given = self._settings
        precision = await asyncio.to_thread(precision_of, Path(given.model), given.quantization, given.dtype)
        settings = replace(given, dtype=precision.dtype)
        self._engine = await asyncio.to_thread(launched, settings, Path(self._folder.name))
        config, cache = self._engine.model_config, self._engine.vllm_config.cache_config
        self._capacity = (cache.num_gpu_blocks or 0) * cache.block_size
        pooling = self._settings.kind is not ModelKind.LLM and config.runner_type == "pooling"
        return EngineInfo(
            name="vllm",
            kind=self._settings.kind,
            context_length=config.max_model_len,
            quantization=config.quantization or precision.form or form_of(config.dtype),
            dimension=config.get_hidden_size() if self._settings.kind is ModelKind.EMBEDDING else None,
            labels=tuple((config.hf_config.id2label or {}).values()) if pooling else (),
            multimodal=config.is_multimodal_model,
            adapters=self._settings.max_adapters > 0,
        )

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        """Yield deltas; those that a slow caller has not taken yet are one, and so are those of a stream's pause."""
        engine = self._alive()
        room = self._room(engine, request.prompt)
        try:
            collector = await engine.add_request(
                request.request_id,
                _vllm_prompt(request.prompt),
                _sampling(request, room),
                lora_request=self._adapter(request.adapter),
                priority=request.priority,
            )
        except Exception as error:
            raise _translated(error) from error
        counts = [0] * request.sampling.n
        held = len(request.prompt.token_ids or ())
        self._held += held
        finished = False
        with self._pace.voice(request.sampling.n, lambda: _ended(collector)) as voice:
            try:
                while not finished:
                    output = cast("RequestOutput", collector.get_nowait() or await collector.get())
                    finished = output.finished
                    fresh = sum(len(part.token_ids) for part in output.outputs)
                    held += fresh
                    self._held += fresh
                    for delta in deltas_of(output, counts, request.sampling):
                        yield delta
                    if not finished:
                        await voice.rest()
            except Exception as error:
                # an engine that has died can't be told, and need not be
                raise _translated(error) from error
            finally:
                self._held -= held
                if not finished and not engine.errored:
                    await engine.abort(collector.request_id, internal=True)

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        """Ask vLLM's tokenizer; quick enough for the event loop."""
        return self._alive().get_tokenizer().decode(list(token_ids), skip_special_tokens=False)

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        """Run the texts through a pooling model, all at once; vLLM batches them."""
        results = await self._pool(inputs, "embed")
        values = [output.data.tolist() for output, _ in results]
        return Vectors(values=values, prompt_tokens=sum(tokens for _, tokens in results))

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        """Run the texts through a classification or reward head and return raw logits."""
        plain = [text for text in texts if isinstance(text, str)]
        if len(plain) < len(texts):
            raise NotSupported("this engine reads no pairs of texts; serve a cross-encoder by ENGINE=transformers")
        results = await self._pool(plain, "classify")
        return [Scores(logits=tuple(output.data.tolist()), prompt_tokens=tokens) for output, tokens in results]

    async def load_adapter(self, name: str, folder: str) -> int:
        """Load a LoRA adapter into the engine core."""
        engine = self._alive()
        if self._settings.max_adapters == 0:
            raise WrongState("this engine was started without adapters; set max_adapters")
        config = Path(folder) / "adapter_config.json"
        if not config.is_file():
            raise InvalidField("source", "a folder with adapter_config.json")
        from vllm.lora.request import LoRARequest  # owned by this adapter and heavy

        lora = LoRARequest(lora_name=name, lora_int_id=self._next_adapter, lora_path=folder)
        self._next_adapter += 1
        try:
            loaded = await engine.add_lora(lora)
        except Exception as error:
            translated = _translated(error)
            if isinstance(translated, BackendUnavailable):
                raise translated from error
            raise WrongState(f"the adapter does not fit the model: {first_line(error)}") from error
        if not loaded:
            raise WrongState("the engine did not accept the adapter")
        self._adapters[name] = lora
        rank = json.loads(config.read_text()).get("r", 0)
        return int(rank)

    async def unload_adapter(self, name: str) -> None:
        """Remove a LoRA adapter from the engine core."""
        engine = self._alive()
        lora = self._adapters.pop(name, None)
        if lora is None:
            raise ResourceNotFound("adapter", name)
        await engine.remove_lora(lora.lora_int_id)

    async def check(self) -> None:
        """Look whether the engine core process is alive."""
        self._alive()

    def running(self) -> int:
        """Return the number of unfinished requests in vLLM."""
        return 0 if self._engine is None else self._engine.get_num_unfinished_requests()

    def cache_use(self) -> float:
        """Return the share of the cache that requests fill, each counted whole though prefixes are shared."""
        return min(1.0, self._held / self._capacity) if self._capacity else 0.0

    async def stop(self) -> None:
        """End the engine core process."""
        engine, self._engine = self._engine, None
        folder, self._folder = self._folder, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown)
            del engine
            # its sockets and their threads hang on a cycle of objects
            await asyncio.to_thread(gc.collect)
        if folder is not None:
            await asyncio.to_thread(folder.cleanup)

    def _alive(self) -> AsyncLLM:
        if self._engine is None or self._engine.errored:
            raise BackendUnavailable("the engine is not running", retry_after_s=RESTART_SECONDS)
        return self._engine

    def _adapter(self, name: str | None) -> LoRARequest | None:
        if name is None:
            return None
        if name not in self._adapters:
            raise ResourceNotFound("adapter", name)
        return self._adapters[name]

    def _room(self, engine: AsyncLLM, prompt: Prompt) -> int | None:
        """Return how many tokens fit behind the prompt, or None where only vLLM can tell."""
        if prompt.token_ids is None or prompt.images:
            return None
        context = engine.model_config.max_model_len
        room: int = context - len(prompt.token_ids)
        if room < 1:
            raise OutOfRange(f"the prompt has {len(prompt.token_ids)} tokens and the context holds {context}")
        return room

    async def _pool(self, inputs: Sequence[TextInput], task: Literal["embed", "classify"]) -> list[tuple[Any, int]]:
        engine = self._alive()
        if task not in await engine.get_supported_tasks():
            raise NotSupported(f"this model does not {task}")
        from vllm import PoolingParams  # owned by this adapter and heavy

        params = PoolingParams(task=task, use_activation=task == "embed")

        async def one(text: TextInput) -> tuple[Any, int]:
            options = {"truncate_prompt_tokens": -1}
            prompt = Prompt(text=text) if isinstance(text, str) else Prompt(token_ids=text)
            stream = engine.encode(_vllm_prompt(prompt), params, _request_id(), tokenization_kwargs=options)
            results = [result async for result in stream]
            return results[-1].outputs, len(results[-1].prompt_token_ids)

        try:
            return list(await asyncio.gather(*(one(text) for text in inputs)))
        except Exception as error:
            raise _translated(error) from error


def _sampling(request: GenerateRequest, room: int | None) -> VllmSampling:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    wanted = request.sampling
    limit = wanted.max_tokens if room is None or wanted.max_tokens is None else min(wanted.max_tokens, room)
    try:
        return SamplingParams(
            n=wanted.n,
            temperature=wanted.temperature,
            top_p=wanted.top_p,
            top_k=wanted.top_k,
            max_tokens=room if limit is None else limit,
            repetition_penalty=wanted.repetition_penalty,
            presence_penalty=wanted.presence_penalty,
            frequency_penalty=wanted.frequency_penalty,
            seed=wanted.seed,
            stop=list(wanted.stop) or None,
            stop_token_ids=list(wanted.stop_token_ids) or None,
            logit_bias=dict(wanted.logit_bias) or None,
            logprobs=wanted.logprobs,
            prompt_logprobs=wanted.prompt_logprobs,
            structured_outputs=structured_outputs(request.guidance),
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.DELTA if request.stream else RequestOutputKind.FINAL_ONLY,
        )
    except ValueError as error:
        raise InvalidField("sampling_params", first_line(error)) from error


def _vllm_prompt(prompt: Prompt) -> Any:
    if prompt.token_ids is None:
        made: dict[str, Any] = {"prompt": prompt.text or ""}
    else:
        made = {"prompt_token_ids": list(prompt.token_ids)}
    if prompt.images:
        from io import BytesIO

        from PIL import Image

        made["multi_modal_data"] = {"image": [Image.open(BytesIO(image)).convert("RGB") for image in prompt.images]}
    return made


def _ended(collector: RequestOutputCollector) -> bool:
    """Tell whether the end of the request, good or bad, is among what has not been taken yet."""
    output = collector.output
    return output is not None and (isinstance(output, Exception) or output.finished)


def _translated(error: Exception) -> Exception:
    """Return our error for one of vLLM's; what is ours already, or a defect, passes through."""
    from vllm.exceptions import VLLMClientError
    from vllm.v1.engine.exceptions import EngineDeadError

    if isinstance(error, EngineDeadError):
        return BackendUnavailable("the engine has died and is being restarted", retry_after_s=RESTART_SECONDS)
    if isinstance(error, VLLMClientError | ValueError):
        return InvalidField("request", first_line(error))
    return error


def _request_id() -> str:
    return os.urandom(8).hex()
