"""What a training tells while it runs: measurements, checkpoints and its log, in the job's folder.

It decides when to look at the validation rows and when to save, by the spec.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from services.training.recipe.folder import JobFolder, Saved
from services.training.recipe.spec import Spec

NAMES: Final = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "margin": "margin",
    "accuracy": "accuracy",
    "mean_token_accuracy": "token_accuracy",
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "answer_tokens",
}
_LAST_STEPS: Final = 10
_EVALUATION: Final = "eval_"


class Logger(Protocol):
    """Somewhere else that metrics go."""

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        ...

    def close(self, *, failed: bool) -> None:
        """Send what is left, and say how the training ended."""
        ...


class Reporting(TrainerCallback):
    """Watches a training; writes from the first worker alone.

    Args:
        spec: when to save and look at the validation rows.
        folder: the job's.
        loggers: where metrics go besides.
        saved: called by every worker after each checkpoint that counts, with the checkpoint on the first one.
    """

    def __init__(
        self,
        spec: Spec,
        folder: JobFolder,
        loggers: Sequence[Logger] = (),
        saved: Callable[[Saved | None], None] = lambda saved: None,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._loggers = list(loggers)
        self._on_saved = saved
        self._latest: dict[str, float] = {}
        self._speed: deque[tuple[float, float]] = deque(maxlen=_LAST_STEPS)
        self._began = 0.0
        self._busy = 0.0
        self._tokens = 0.0
        self._saved_at = -1
        self._evaluated_at = -1

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say what begins."""
        if state.is_world_process_zero:
            done = f" from step {state.global_step}" if state.global_step else ""
            self._folder.log("INFO", f"training of {state.max_steps} steps begins{done}")

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin to measure a step."""
        self._began = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Measure a step, and decide whether to look at the validation rows and to save."""
        self._busy = time.perf_counter() - self._began
        loop = self._spec.loop
        last = state.global_step >= state.max_steps
        due = loop.checkpoint_interval and state.global_step % loop.checkpoint_interval == 0
        control.should_save = bool(last or due)
        every = loop.evaluation_interval or loop.checkpoint_interval
        control.should_evaluate = self._spec.validation is not None and bool(
            last or (every and state.global_step % every == 0)
        )
        return self._mark(state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Save at the end of an epoch where no interval was asked for."""
        loop = self._spec.loop
        ended = state.epoch is not None and math.isclose(state.epoch, round(state.epoch), abs_tol=1e-6)
        control.should_save = loop.checkpoint_interval is None and ended and self._saved_at != state.global_step
        control.should_evaluate = (
            self._spec.validation is not None
            and (loop.evaluation_interval or loop.checkpoint_interval) is None
            and ended
            and self._evaluated_at != state.global_step
        )
        return self._mark(state, control)

    def _mark(self, state: TrainerState, control: TrainerControl) -> TrainerControl:
        if control.should_save:
            self._saved_at = state.global_step
        if control.should_evaluate:
            self._evaluated_at = state.global_step
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write down what was measured."""
        values = named(logs or {})
        if not values or not state.is_world_process_zero:
            return
        if "loss" in values:
            tokens = float((logs or {}).get("num_tokens", 0.0))
            self._speed.append((self._busy, tokens - self._tokens))
            self._tokens = tokens
            spent = sum(seconds for seconds, _ in self._speed)
            values["tokens_per_second"] = sum(count for _, count in self._speed) / spent if spent else 0.0
        self._latest |= values
        event = {"step": state.global_step, "steps": state.max_steps, "epoch": state.epoch or 0.0}
        self._folder.measured({**event, "tokens": int(self._tokens), "values": values})
        shown = " ".join(f"{name}={value:.4g}" for name, value in sorted(values.items()))
        self._folder.log("INFO", f"step {state.global_step}/{state.max_steps} {shown}")
        for logger in self._loggers:
            logger.log(state.global_step, values)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Make what was saved a checkpoint."""
        if dist.is_initialized():
            # every worker adds its own random state to the folder
            dist.barrier()
        saved = None
        if state.is_world_process_zero:
            made = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            record = Saved(
                "",
                made,
                state.global_step,
                int((state.epoch or 0.0) + 1e-6),
                {name: value for name, value in self._latest.items() if math.isfinite(value)},
                adapter=self._spec.adapter is not None,
            )
            saved = self._folder.keep(made, record)
            if self._spec.loop.max_checkpoints is not None:
                self._folder.forget(self._spec.loop.max_checkpoints)
            self._folder.log("INFO", f"checkpoint after step {state.global_step}")
        self._on_saved(saved)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say that it is done."""
        for logger in self._loggers:
            logger.close(failed=False)


def named(logs: dict[str, float]) -> dict[str, float]:
    """Return what a trainer logged under the contract's names; validation values begin with ``validation_``."""
    values = {}
    for name, value in logs.items():
        watched = name.startswith(_EVALUATION)
        known = NAMES.get(name.removeprefix(_EVALUATION))
        if known is not None:
            values[f"validation_{known}" if watched else known] = float(value)
    return values
