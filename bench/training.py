"""Tokens per second of a training job against the bare TRL script on the same model and rows, in one run.

``python bench/training.py [--steps N]`` trains adapters on the built-in model, on one thread: the script, the job on a
local Ray head, the script again. Speeds are those after the first steps; the start-up before is printed apart.
The goal is a ratio of at least 0.95.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from services.training.cluster.cluster import Phase
from services.training.cluster.local_head import LocalHead
from services.training.cluster.ray_cluster import LocalPlace, RayCluster
from services.training.recipe import spec as recipe
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Adapter, Base, Kind, Loop, Optimizer, Rows, Spec

MODEL = ROOT / "models" / "builtin" / "weights" / "instruct"
WARM_STEPS = 10
BATCH = 8
ROWS = 256
RANK = 16
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BARE = """
import json, sys, time
import torch
torch.set_num_threads(1)
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

rows, model, out, steps, batch, rank, modules = json.loads(sys.argv[1])

class Times(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **_):
        if logs and "loss" in logs:
            with open(out, "a") as file:
                file.write(json.dumps({"time": time.time(), "tokens": logs["num_tokens"]}) + "\\n")

tokenizer = AutoTokenizer.from_pretrained(model)
texts = [{"text": tokenizer.apply_chat_template(json.loads(line)["dialog"], tokenize=False)} for line in open(rows)]
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
    args=SFTConfig(
        output_dir=out + ".d", max_steps=steps, per_device_train_batch_size=batch, logging_steps=1, learning_rate=2e-4,
        save_strategy="no", report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, disable_tqdm=True,
        max_length=None,
    ),
    train_dataset=Dataset.from_list(texts),
    processing_class=tokenizer,
    peft_config=LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(modules), task_type="CAUSAL_LM"),
    callbacks=[Times()],
)
trainer.train()
"""


def rows(file: Path, count: int = ROWS) -> Path:
    """Write dialogs of one size."""
    words = [f"{number} is the number after {number - 1}" for number in range(1, count + 1)]
    with file.open("w") as target:
        for number, word in enumerate(words):
            said = " ".join(words[(number + more) % count] for more in range(4))
            dialog = [{"role": "user", "content": f"Tell of {number}: {word}."}, {"role": "assistant", "content": said}]
            target.write(json.dumps({"dialog": dialog}) + "\n")
    return file


def speed(events: list[dict[str, Any]]) -> float:
    """Return the tokens per second after the first steps."""
    first, last = events[WARM_STEPS], events[-1]
    return float(last["tokens"] - first["tokens"]) / float(last["time"] - first["time"])


def read(file: Path) -> list[dict[str, Any]]:
    """Return the events of a file that stand for a step."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in found if "values" not in event or "loss" in event["values"]]


def bare(folder: Path, data: Path, steps: int, name: str) -> tuple[float, float]:
    """Run the script; return its tokens per second and its seconds of start-up."""
    out = folder / f"{name}.jsonl"
    arguments = json.dumps([str(data), str(MODEL), str(out), steps, BATCH, RANK, MODULES])
    began = time.time()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-c", BARE, arguments],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    events = read(out)
    return speed(events), events[0]["time"] - began


async def job(folder: Path, data: Rows, steps: int) -> tuple[float, float, float]:
    """Run the job; return tokens per second, and the seconds of start-up of the head and of the job."""
    head = LocalHead(folder / "ray", 2, 120.0)
    cluster = RayCluster(LocalPlace(head, 2))
    spec = Spec(
        job="bench",
        kind=Kind.SFT,
        base=Base(str(MODEL)),
        rows=data,
        optimizer=Optimizer("adamw", 2e-4, 0.0, 0.0),
        loop=Loop(epochs=0, iterations=steps, batch_size=BATCH, assistant_only=False, checkpoint_interval=10 * steps),
        adapter=Adapter(MODULES, mlp=False, output=False, rank=RANK, alpha=2 * RANK),
    )
    own = JobFolder(folder / "job", 1)
    own.write_spec(recipe.write(spec))
    own.fence(1)
    began = time.time()
    try:
        await head.ready()
        ready = time.time()
        command = [sys.executable, "-m", "services.training.recipe.driver", str(own.path), "1"]
        await cluster.submit("bench", command)
        while True:
            await asyncio.sleep(1.0)
            if (await cluster.look("bench")).phase is Phase.ENDED:
                break
    finally:
        await cluster.close()
    outcome = own.outcome(1)
    if outcome is None or outcome.state != "completed":
        raise SystemExit(own.log_file.read_text())
    events = read(own.events_file)
    return speed(events), ready - began, events[0]["time"] - ready


def main() -> None:
    """Print the speeds, their ratio and the times of start-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data = rows(folder / "rows.jsonl")
        first, first_start = bare(folder, data, steps, "first")
        own, head_start, job_start = asyncio.run(job(folder, Rows((str(data),), ROWS, {"dialog": "dialog"}), steps))
        second, second_start = bare(folder, data, steps, "second")
    script = (first + second) / 2
    print(f"script     {script:10.0f} tokens/s ({first:.0f} before, {second:.0f} after the job)")
    print(f"job        {own:10.0f} tokens/s")
    print(f"ratio      {own / script:10.3f} (goal 0.95)")
    print(f"start-up   script {(first_start + second_start) / 2:.1f} s, head {head_start:.1f} s, job {job_start:.1f} s")


if __name__ == "__main__":
    main()
