"""Small trainings on the built-in model, run in this process without Ray."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from services.training.recipe import spec as recipe
from services.training.recipe.curves import points
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Adapter, Base, Kind, Loop, Optimizer, Preference, Rows, Spec

BASE: Final = Base(str(Path("models/builtin/weights/base").absolute()))
INSTRUCT: Final = Base(str(Path("models/builtin/weights/instruct").absolute()))
LEARNT: Final = ("red", "green", "blue", "black", "white", "pink", "brown", "gray")
HELD_OUT: Final = ("yellow", "orange", "purple", "gold")
LORA: Final = Adapter(("q_proj", "k_proj", "v_proj", "o_proj"), mlp=True, output=False, rank=8, alpha=16)


def write(file: Path, rows: Sequence[dict[str, Any]], **parts: str) -> Rows:
    """Write rows as a dataset; ``parts`` are those of :class:`Rows`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Rows((str(file),), len(rows), parts)


def dialogs(file: Path, words: Sequence[str]) -> Rows:
    """Write dialogs in which the assistant repeats a word."""
    rows = [
        {"dialog": [{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": f"I say {word}!"}]}
        for word in words
    ]
    return write(file, rows, dialog="dialog")


def examples(folder: Path, **changes: Any) -> Spec:
    """Return a training on examples; ``loop`` changes members of its loop."""
    made = Spec(
        job="small",
        kind=Kind.SFT,
        base=BASE,
        rows=dialogs(folder / "learnt.jsonl", LEARNT),
        validation=dialogs(folder / "watched.jsonl", HELD_OUT),
        optimizer=Optimizer("adamw", 2e-3, 1e-4, 0.0),
        loop=Loop(epochs=0, iterations=6, batch_size=4, evaluation_interval=6),
    )
    loop = changes.pop("loop", {})
    made = replace(made, **changes)
    return replace(made, loop=replace(made.loop, **loop))


def pairs(file: Path, words: Sequence[str]) -> Rows:
    """Write prompts, each with a better and a worse answer."""
    rows = [{"prompt": f"Say {word}. ", "chosen": f"I say {word}!", "rejected": "No, no."} for word in words]
    return write(file, rows, prompt="prompt", chosen="chosen", rejected="rejected")


def preferences(folder: Path, **changes: Any) -> Spec:
    """Return a training on preferences; see :func:`examples`."""
    return examples(
        folder,
        kind=Kind.DPO,
        rows=pairs(folder / "pairs.jsonl", LEARNT),
        validation=pairs(folder / "watched_pairs.jsonl", HELD_OUT),
        preference=Preference(beta=0.1, clip=0.0, smoothing=0.0, rejected_weight=1.0),
        **changes,
    )


def train(folder: Path, spec: Spec, *, attempt: int = 1, resume: Path | None = None, **around: Any) -> JobFolder:
    """Run a training to its end and return its folder."""
    with warnings.catch_warnings():
        # what the trainers' packages say of each other
        warnings.simplefilter("ignore")
        from services.training.recipe.run import Surroundings, run

        made = JobFolder(folder, attempt)
        made.write_spec(recipe.write(spec))
        made.fence(attempt)
        run(recipe.read(made.spec()), made, Surroundings(**around), resume)
    return made


def measured(folder: JobFolder, name: str) -> list[float]:
    """Return what was measured under a name, step by step."""
    return [value for _, value in points(folder.events_file)[name]]


def untrained(folder: Path, spec: Spec, name: str) -> float:
    """Return a validation value before anything was learnt: after a step that changes nothing."""
    still = replace(
        spec,
        optimizer=Optimizer("sgd", 1e-12, 0.0, 0.0),
        loop=replace(spec.loop, iterations=1, evaluation_interval=1, epochs=0),
    )
    return measured(train(folder, still), name)[-1]
