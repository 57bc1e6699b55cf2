"""Train the built-in model from nothing: `python -m models.builtin.train --out FOLDER`.

Two phases: a base model on drills and plain passages, then the dialogs, whose learning rate decays and starts again as
often as there are cycles. Every phase saves its progress and goes on from there when started again with the same
folder; the folder `base` holds the model before the dialogs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .batches import Batch, batches
from .checkpoint import export, load_progress, save_progress
from .model import Decoder, Pointer, Shape, initialize
from .optimizer import Muon
from .pointers import ANSWERS, COPIED, ID_BEGIN, ID_END, QUOTED
from .scoring import quick_table
from .tokenizer import build, corpus, spelling


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; steps are optimizer steps, tokens are padded tokens of a batch.

    `cycles` are the numbers of dialog steps after which the learning rate has decayed and starts again.
    """

    seed: int = 7
    base_steps: int = 250
    cycles: tuple[int, ...] = (9500, 12_200, 17_200, 34_400, 38_200, 45_300)
    tokens: int = 3072
    matrix_rate: float = 0.008
    vector_rate: float = 0.001
    decay: float = 0.63
    later_peak: float = 0.7
    save_every: int = 100


# Heads that copy look at the next token of their source, as the induction heads of layer 1 do, but with all that the
# layers between have read; heads 0 and 2 of a layer have keys of their own.
POINTERS = (
    Pointer(COPIED, 3, 2, 0.3),
    Pointer(COPIED, 4, 2, 0.3),
    Pointer(COPIED, 5, 2, 0.3),
    Pointer(QUOTED, 3, 0, 0.3),
    Pointer(QUOTED, 4, 0, 0.3),
    Pointer(ID_BEGIN, 2, 0, 0.1),
    Pointer(ID_END, 2, 2, 0.1),
    Pointer(ANSWERS, 3, 1, 0.3),
)


def rate(step: int, total: int, decay: float) -> float:
    """Return the share of the full learning rate: short warm-up, plateau, linear decay to almost nothing."""
    return min(1.0, (step + 1) / 40, max(0.02, (total - step) / (total * decay)))


@dataclass(frozen=True)
class Stage:
    """Steps of a phase from `first` up to `last`, over which the learning rate runs once; `seed` is that of its data.

    `peak` is the share of the full rate at its height; without decay it lasts to the end.
    """

    phase: str
    first: int
    last: int
    seed: int
    decay: float | None
    peak: float = 1.0


def stages(plan: Plan) -> list[Stage]:
    """Return the stages of a plan in order.

    The base keeps its full rate, because the dialogs go on from it. Every cycle after the first runs at a lower rate: a
    model that already does much loses more to a high rate than it learns.
    """
    firsts = (0, *plan.cycles[:-1])
    found = [Stage("base", 0, plan.base_steps, plan.seed, None)]
    for index, (first, last) in enumerate(zip(firsts, plan.cycles, strict=True)):
        found.append(Stage("dialogs", first, last, plan.seed + index, plan.decay, plan.later_peak if index else 1.0))
    return found


class Trainer:
    """The model with its optimizers and the record of how far training has come."""

    def __init__(self, plan: Plan, out: Path, device: str) -> None:
        self.plan, self.out, self.device = plan, out, device
        self.dtype = torch.bfloat16
        tokenizer_file = out / "tokenizer.json"
        if not tokenizer_file.exists():
            out.mkdir(parents=True, exist_ok=True)
            build(corpus(plan.seed, 12_000)).save(str(tokenizer_file))
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        shape = Shape(vocab_size=self.tokenizer.get_vocab_size(), num_hidden_layers=6, intermediate_size=512)
        self.model = Decoder(shape, *spelling(self.tokenizer), POINTERS)
        initialize(self.model, plan.seed)
        self.model.to(device)
        self.loss: Callable[..., torch.Tensor] = self.model.loss
        matrices = [parameter for parameter in self.model.layers.parameters() if parameter.ndim == 2]
        known = {id(parameter) for parameter in matrices}
        vectors = [parameter for parameter in self.model.parameters() if id(parameter) not in known]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, plan.matrix_rate, dtype=self.dtype),
            torch.optim.AdamW(vectors, plan.vector_rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.full_rates = [plan.matrix_rate, plan.vector_rate]

    def state(self, phase: str, step: int) -> dict[str, object]:
        """Return everything a resumed training needs."""
        return {
            "phase": phase,
            "step": step,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def resume(self) -> tuple[str, int]:
        """Load the saved progress and return its phase and step."""
        saved = load_progress(self.out / "progress.pt")
        if saved is None:
            return "base", 0
        self.model.load_state_dict(saved["model"])  # type: ignore[arg-type]  # what state() wrote
        for optimizer, content in zip(self.optimizers, saved["optimizers"], strict=True):  # type: ignore[call-overload]
            optimizer.load_state_dict(content)
        return str(saved["phase"]), int(saved["step"])  # type: ignore[call-overload]  # what state() wrote

    def step(self, batch: Batch, share: float) -> torch.Tensor:
        """Take one optimizer step and return the parts of the loss."""
        for optimizer, full in zip(self.optimizers, self.full_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = full * share
        with torch.autocast(self.device, self.dtype):
            losses = self.loss(*(part.to(self.device) for part in batch), self.dtype)
        losses.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self.optimizers[1].param_groups[0]["params"], 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return losses.detach()

    def run(self, stage: Stage, done: int) -> None:
        """Train one stage, of whose phase `done` steps are taken."""
        started, seen, recent = time.monotonic(), 0, torch.zeros(1)
        first = max(done, stage.first)
        source = batches(self.tokenizer, stage.phase, stage.seed, self.plan.tokens, skip=first - stage.first)
        for step, batch in zip(range(first, stage.last), source, strict=False):
            place, total = step - stage.first, stage.last - stage.first
            share = min(1.0, (place + 1) / 40) if stage.decay is None else rate(place, total, stage.decay)
            share *= stage.peak
            loss = self.step(batch, share).cpu()
            seen += batch.tokens.numel()
            recent = loss if step == first else recent.lerp(loss, 0.03)
            if (step + 1) % 25 == 0:
                speed = seen / (time.monotonic() - started)
                parts = " ".join(f"{part:.3f}" for part in recent.tolist())
                told = f"loss {parts} rate {share:.2f} {speed:,.0f} tokens/s"
                print(f"{stage.phase} {step + 1}/{stage.last} {told}", flush=True)
            if (step + 1) % self.plan.save_every == 0 or step + 1 == stage.last:
                save_progress(self.out / "progress.pt", self.state(stage.phase, step + 1))
                if stage.phase == "dialogs" and (step + 1) % (8 * self.plan.save_every) == 0:
                    print(quick_table(self.model, self.tokenizer, 20), flush=True)


def main() -> None:
    """Run both phases, write the two model folders and print what the second one gets right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for progress and the finished models")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--base-steps", type=int, default=Plan.base_steps)
    parser.add_argument("--cycles", type=int, nargs="+", default=Plan.cycles, help="dialog steps at each end of decay")
    parser.add_argument("--compile", action="store_true", help="compile the network: a tenth faster after two minutes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    plan = Plan(seed=arguments.seed, base_steps=arguments.base_steps, cycles=tuple(arguments.cycles))
    trainer = Trainer(plan, arguments.out, arguments.device)
    if arguments.compile:
        trainer.loss = torch.compile(trainer.model.loss, dynamic=True)
    phase, done = trainer.resume()
    for stage in stages(plan):
        if phase == "dialogs" and stage.phase == "base":
            continue
        if stage.phase != phase:
            export(trainer.model, trainer.tokenizer, arguments.out / "base")
            phase, done = stage.phase, 0
        trainer.run(stage, done)
    export(trainer.model, trainer.tokenizer, arguments.out / "instruct")
    print(quick_table(trainer.model, trainer.tokenizer, 300), flush=True)


if __name__ == "__main__":
    main()
