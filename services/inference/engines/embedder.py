"""Embedding models by ``transformers`` on torch: for encoders, which need no scheduler and no cache.

The pooling follows the sentence-transformers layout: ``1_Pooling/config.json`` beside the weights says mean or CLS,
mean where there is none; vectors are scaled to unit length. One thread computes; calls are cut into batches that take
turns, so that a single query does not wait behind a whole document set.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mesh.errors import BackendUnavailable, InvalidField, NotSupported, WrongState
from services.inference.engine import (
    Delta,
    EngineInfo,
    GenerateRequest,
    ModelKind,
    ScoredInput,
    Scores,
    TextInput,
    Vectors,
)
from services.inference.engines.importing import IMPORTING

BATCH_TOKENS = 4096


class EmbeddingEngine:
    """An :class:`~services.inference.engine.Engine` that embeds and does nothing else."""

    def __init__(self, folder: str, *, threads: int = 1) -> None:
        """``folder`` holds configuration, tokenizer and weights; ``threads`` is torch's count for an operation."""
        self._folder = folder
        self._threads = threads
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._model: Any = None
        self._tokenizer: Any = None
        self._context = 0
        self._cls_pooling = False
        self._running = 0

    async def start(self) -> EngineInfo:
        """Load tokenizer and weights."""
        try:
            await self._in_thread(self._load)
        except (OSError, ValueError) as error:
            raise WrongState(f"the embedding model could not be loaded: {str(error).splitlines()[0]}") from error
        return EngineInfo(
            name="transformers",
            kind=ModelKind.EMBEDDING,
            context_length=self._context,
            quantization="fp32",
            dimension=self._model.config.hidden_size,
        )

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        """Refuse: an encoder generates nothing."""
        raise NotSupported("this is an embedding model; it does not generate text")
        yield  # makes this a generator, as the protocol asks

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        """Return the text of tokens."""
        if self._model is None:
            raise BackendUnavailable("the embedding model is not loaded", retry_after_s=1.0)
        text: str = await self._in_thread(self._tokenizer.decode, list(token_ids))
        return text

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        """Return unit vectors, one per input in order; inputs are cut at the context length."""
        if self._model is None:
            raise BackendUnavailable("the embedding model is not loaded", retry_after_s=1.0)
        self._running += 1
        try:
            ids: list[list[int]] = await self._in_thread(self._encode, list(inputs))
            values: list[Sequence[float]] = [()] * len(ids)
            for batch in _batches([len(row) for row in ids]):
                rows = await self._in_thread(self._forward, [ids[index] for index in batch])
                for index, row in zip(batch, rows, strict=True):
                    values[index] = row
            return Vectors(values=values, prompt_tokens=sum(map(len, ids)))
        finally:
            self._running -= 1

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        """Refuse: an encoder without a head scores nothing."""
        raise NotSupported("this is an embedding model; it does not score")

    async def load_adapter(self, name: str, folder: str) -> int:
        """Refuse: there are no adapters here."""
        raise WrongState("an embedding model takes no adapters")

    async def unload_adapter(self, name: str) -> None:
        """Refuse: there are no adapters here."""
        raise WrongState("an embedding model has no adapters")

    async def check(self) -> None:
        """Return at once: the model lives in this process."""

    def running(self) -> int:
        """Return the number of calls under way."""
        return self._running

    def cache_use(self) -> float:
        """Return 0: nothing is kept between tokens."""
        return 0.0

    async def stop(self) -> None:
        """Forget the model and end the thread."""
        self._model = None
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def _load(self) -> None:
        with IMPORTING:
            import torch
            from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(self._threads)
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        model = AutoModel.from_pretrained(self._folder, local_files_only=True, dtype=torch.float32)
        self._context = _context_length(Path(self._folder), model.config.max_position_embeddings)
        self._cls_pooling = _cls_pooling(Path(self._folder))
        self._model = model.eval()

    def _encode(self, inputs: list[TextInput]) -> list[list[int]]:
        texts = [text for text in inputs if isinstance(text, str)]
        encoded: list[list[int]] = []
        if texts:
            encoded = self._tokenizer(texts, truncation=True, max_length=self._context)["input_ids"]
        rows = iter(encoded)
        return [next(rows) if isinstance(item, str) else self._checked(item) for item in inputs]

    def _checked(self, token_ids: Sequence[int]) -> list[int]:
        """Return the tokens of an input that came tokenized, cut at the context length."""
        size = self._model.config.vocab_size
        if any(token_id >= size for token_id in token_ids):
            raise InvalidField("input", f"token ids below {size}, the size of the model's vocabulary")
        return list(token_ids[: self._context])

    def _forward(self, rows: list[list[int]]) -> list[list[float]]:
        import torch

        longest = max(map(len, rows))
        padding = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
            if self._cls_pooling:
                pooled = states[:, 0]
            else:
                weights = mask.unsqueeze(-1).to(states.dtype)
                pooled = (states * weights).sum(1) / weights.sum(1)
            vectors: list[list[float]] = torch.nn.functional.normalize(pooled, dim=1).tolist()
        return vectors


def is_decoder(folder: str) -> bool:
    """Tell whether a checkpoint is that of a language model, whose last token's state is the vector of a text."""
    settings = Path(folder) / "config.json"
    if not settings.is_file():
        return False
    architectures = json.loads(settings.read_text()).get("architectures") or ()
    return any(str(name).endswith("ForCausalLM") for name in architectures)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the positions in groups of like length, each within BATCH_TOKENS when padded."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda position: lengths[position]):
        if groups and (len(groups[-1]) + 1) * lengths[index] <= BATCH_TOKENS:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _context_length(folder: Path, positions: int) -> int:
    settings = folder / "sentence_bert_config.json"
    if settings.is_file():
        return min(positions, int(json.loads(settings.read_text()).get("max_seq_length") or positions))
    return positions


def _cls_pooling(folder: Path) -> bool:
    settings = folder / "1_Pooling" / "config.json"
    return settings.is_file() and bool(json.loads(settings.read_text()).get("pooling_mode_cls_token"))
