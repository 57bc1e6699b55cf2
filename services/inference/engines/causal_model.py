"""A causal language model of transformers and the sequences that it generates, one token at a time.

Everything here blocks and belongs into one thread. Knows nothing about queues and fairness; the caller decides which
sequence advances next.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from mesh.errors import InvalidField, OutOfRange
from services.inference.engine import (
    Delta,
    EngineInfo,
    FinishReason,
    GenerateRequest,
    ModelKind,
    Sampling,
    ScoredInput,
    Scores,
    TextPair,
    TokenLogprobs,
    Usage,
)
from services.inference.engines.precision import Precision, form_of
from services.inference.engines.text_assembly import TextAssembly
from services.inference.engines.token_choice import TokenChoice, token_logprobs

SCORED_AT_ONCE: Final = 8


class Checkpoint:
    """A model and its tokenizer, loaded from a folder onto the best device that torch has."""

    def __init__(self, folder: str, kind: ModelKind, precision: Precision, context_length: int | None) -> None:
        """Load the model; what transformers raises is passed on."""
        disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no types for it
        heads = {ModelKind.REWARD: AutoModelForSequenceClassification, ModelKind.LLM: AutoModelForCausalLM}
        head = heads.get(kind) or (heads[ModelKind.REWARD] if _classifies(folder) else heads[ModelKind.LLM])
        wanted = precision.dtype if precision.dtype == "auto" else getattr(torch, precision.dtype)
        self.device = _device()
        self.model: Any = head.from_pretrained(folder, dtype=wanted, local_files_only=True).to(self.device).eval()
        self._tokens: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.tokenizer: Tokenizer = self._tokens.backend_tokenizer
        self.context = min(context_length or 2**31, _positions(self.model.config))
        self.classifies = head is heads[ModelKind.REWARD]
        self.ends = _ends(self.model, self._tokens.eos_token_id)
        self._form = precision.form or form_of(self.model.dtype)
        self._keeps_logits = "logits_to_keep" in inspect.signature(self.model.forward).parameters

    def info(self, kind: ModelKind) -> EngineInfo:
        """Return what the model can do."""
        labels = tuple(self.model.config.id2label.values()) if self.classifies else ()
        return EngineInfo("transformers", kind, self.context, self._form, labels=labels)

    def ids_of(self, request: GenerateRequest) -> list[int]:
        """Return the prompt's tokens.

        Raises:
            OutOfRange: they leave no room in the context.
            InvalidField: there are none, or one is not in the vocabulary.
        """
        prompt = request.prompt
        ids = list(prompt.token_ids) if prompt.token_ids is not None else self.tokenizer.encode(prompt.text or "").ids
        if len(ids) >= self.context:
            raise OutOfRange(f"the prompt has {len(ids)} tokens and the context holds {self.context}")
        if not ids or not 0 <= min(ids) <= max(ids) < self.model.config.vocab_size:
            raise InvalidField("prompt", "at least one token, all of them of the model's vocabulary")
        return ids

    def forward(self, ids: Sequence[int], cache: Any, *, all_logits: bool = False) -> tuple[torch.Tensor, Any]:
        """Read tokens behind a cache and return the cache with them, and float32 logits of shape (tokens, vocabulary).

        Without ``all_logits`` there may be those of the last token alone.
        """
        options = {"logits_to_keep": 1} if self._keeps_logits and not all_logits else {}
        tokens = torch.tensor([ids], device=self.device)
        output = self.model(input_ids=tokens, past_key_values=cache, use_cache=True, **options)
        return output.logits[0].float(), output.past_key_values

    def name_of(self, token: int) -> str:
        """Return the text of one token."""
        return self.tokenizer.decode([token], skip_special_tokens=False)

    @torch.inference_mode()
    def scores(self, texts: Sequence[ScoredInput]) -> list[Scores]:
        """Return the raw outputs of the classification head; texts are cut at the context length, the longer first."""
        results = []
        # without a padding token texts of unlike lengths can't go together
        paddable = self._tokens.pad_token is not None and self.model.config.pad_token_id is not None
        size = SCORED_AT_ONCE if paddable else 1
        for begin in range(0, len(texts), size):
            some = [
                (text.first, text.second) if isinstance(text, TextPair) else text
                for text in texts[begin : begin + size]
            ]
            batch = self._tokens(
                some, padding=len(some) > 1, truncation=True, max_length=self.context, return_tensors="pt"
            ).to(self.device)
            rows = self.model(**batch).logits.float().tolist()
            counts = batch["attention_mask"].sum(-1).tolist()
            results += [Scores(tuple(row), count) for row, count in zip(rows, counts, strict=True)]
        return results


class Generation:
    """One request: its prompt is read by the first :meth:`advance`, each further one adds a token to every sequence."""

    def __init__(self, checkpoint: Checkpoint, request: GenerateRequest) -> None:
        """Take a request; the errors are those of :meth:`Checkpoint.ids_of`."""
        self._checkpoint = checkpoint
        self._sampling = request.sampling
        self._prompt = checkpoint.ids_of(request)
        self._sequences: list[_Sequence] = []
        self._generated = 0
        room = checkpoint.context - len(self._prompt)
        self._limit = min(room, request.sampling.max_tokens or room)

    @torch.inference_mode()
    def advance(self) -> tuple[list[Delta], bool]:
        """Return what each sequence gained, and whether all of them have ended."""
        prompt_logprobs: Sequence[TokenLogprobs | None] = ()
        if not self._sequences:
            prompt_logprobs = self._read_prompt()
        deltas = []
        for sequence in self._sequences:
            if not sequence.ended:
                self._generated += 1
                deltas.append(sequence.advance(self._limit))
        for delta in deltas:
            delta.usage = Usage(len(self._prompt), self._generated)
        if deltas:
            deltas[0].prompt_logprobs = prompt_logprobs
        return deltas, all(sequence.ended for sequence in self._sequences)

    def _read_prompt(self) -> Sequence[TokenLogprobs | None]:
        """Run the model over the prompt and begin the sequences; return the prompt's log probabilities if wanted."""
        wanted = self._sampling.prompt_logprobs
        checkpoint = self._checkpoint
        logits, cache = checkpoint.forward(self._prompt, None, all_logits=wanted is not None)
        for index in range(self._sampling.n):
            own = copy.deepcopy(cache) if index + 1 < self._sampling.n else cache
            choice = TokenChoice(self._sampling, index, self._prompt, checkpoint.device)
            text = TextAssembly(checkpoint.tokenizer, self._prompt, self._sampling.stop)
            self._sequences.append(_Sequence(checkpoint, self._sampling, index, (choice, text), (logits[-1], own)))
        if wanted is None:
            return ()
        rows = zip(logits, self._prompt[1:], strict=False)
        return [None, *(token_logprobs(row, token, wanted, checkpoint.name_of) for row, token in rows)]


class _Sequence:
    """One of the sequences of a request: the logits for its next token and the cache behind them."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        sampling: Sampling,
        index: int,
        parts: tuple[TokenChoice, TextAssembly],
        state: tuple[torch.Tensor, Any],
    ) -> None:
        self._checkpoint = checkpoint
        self._sampling = sampling
        self._index = index
        self._choice, self._text = parts
        self._logits, self._cache = state
        self._length = 0
        self.ended = False

    def advance(self, limit: int) -> Delta:
        """Add a token, and read it if another one is to come; ``limit`` is the number of tokens at most."""
        token = self._choice.choose(self._logits)
        self._length += 1
        delta = Delta(self._index, "", [token], Usage(0, 0))
        if self._sampling.logprobs is not None:
            delta.logprobs = [token_logprobs(self._logits, token, self._sampling.logprobs, self._checkpoint.name_of)]
        if token in self._checkpoint.ends or token in self._sampling.stop_token_ids:
            delta.stop = token if token in self._sampling.stop_token_ids else None
            delta.finish, delta.text = FinishReason.STOP, self._text.rest()
        else:
            delta.text, delta.stop = self._text.push(token)
            if delta.stop is not None:
                delta.finish = FinishReason.STOP
            elif self._length >= limit:
                delta.finish = FinishReason.LENGTH
                delta.text += self._text.rest()
        self.ended = delta.finish is not None
        if self.ended:
            self._cache = None
        else:
            logits, self._cache = self._checkpoint.forward([token], self._cache)
            self._logits = logits[-1]
        return delta


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _classifies(folder: str) -> bool:
    """Tell whether the checkpoint of a guard has a classification head; those that judge in words have none."""
    settings = (Path(folder) / "config.json").read_text(encoding="utf-8")
    return "ForSequenceClassification" in settings


def _positions(config: Any) -> int:
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2**31)


def _ends(model: Any, of_tokenizer: int | None) -> frozenset[int]:
    """Return the tokens that end a text by themselves."""
    settings = getattr(model, "generation_config", None)
    stated = getattr(settings, "eos_token_id", None)
    several = stated if isinstance(stated, list) else [stated]
    return frozenset(token for token in (*several, of_tokenizer) if token is not None)
