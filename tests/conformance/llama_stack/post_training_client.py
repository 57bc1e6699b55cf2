"""Drives the post-training resource of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``post_training_client.py BASE_URL ROWS MODEL``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import llama_stack
from llama_stack import LlamaStack


def settings(rows: str, columns: dict[str, str]) -> dict[str, Any]:
    """Return what both kinds of job are told."""
    dataset = {"columns": columns, "content_url": rows}
    return {
        "dataset": dataset,
        "validation_dataset": dataset,
        "optimizer_config": {"optimizer_type": "adamw", "lr": 1e-3, "lr_min": 1e-4, "weight_decay": 0.01},
        "training_config": {
            "n_epochs": 1,
            "batch_size": 2,
            "shuffle": True,
            "n_iters": 100000,
            "enable_activation_checkpointing": False,
            "memory_efficient_fsdp_wrap": False,
            "fsdp_cpu_offload": False,
        },
        "hyperparam_search_config": {},
        "logger_config": {},
    }


def calls(client: LlamaStack, rows: str, model: str) -> dict[str, Callable[[], Any]]:
    """Return the calls by name, in the order in which they are made."""
    training = client.post_training
    lora = {
        "lora_attn_modules": ["q_proj", "v_proj"],
        "apply_lora_to_mlp": True,
        "apply_lora_to_output": False,
        "rank": 4,
        "alpha": 8,
    }
    preference = {"reward_scale": 0.1, "reward_clip": 0.0, "epsilon": 0.0, "gamma": 1.0}
    tuned = {"model": "base", "algorithm": "lora", "algorithm_config": lora}
    preferred = {"finetuned_model": model, "algorithm": "dpo", "algorithm_config": preference}
    examples = settings(rows, {"prompt": "text", "completion": "text"})
    pairs = settings(rows, {"prompt": "text", "chosen": "text", "rejected": "text"})
    return {
        "tune": lambda: training.supervised_fine_tune(job_uuid="tune", **tuned, **examples),
        "tune, again": lambda: training.supervised_fine_tune(job_uuid="tune", **tuned, **examples),
        "tune, another": lambda: training.supervised_fine_tune(job_uuid="tune", **tuned, **pairs),
        "prefer": lambda: training.preference_optimize(job_uuid="prefer", **preferred, **pairs),
        "cancel": lambda: training.jobs.cancel(job_uuid="tune"),
        "cancel, other": lambda: training.jobs.cancel(job_uuid="prefer"),
        "list": lambda: training.jobs.list(),
        "status": lambda: training.jobs.status(job_uuid="tune"),
        "logs": lambda: training.jobs.logs(job_uuid="tune"),
        "artifacts": lambda: training.jobs.artifacts(job_uuid="tune"),
        "nobody": lambda: training.jobs.status(job_uuid="nobody"),
        "refused": lambda: training.supervised_fine_tune(
            job_uuid="no",
            **tuned,
            **{**examples, "training_config": {**examples["training_config"], "fsdp_cpu_offload": True}},
        ),
    }


def result(call: Callable[[], Any]) -> Any:
    """Return what a call gives, or what it raises."""
    try:
        given = call()
    except llama_stack.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code}
    return given.model_dump(mode="json", exclude_unset=True) if hasattr(given, "model_dump") else given


def main(base_url: str, rows: str, model: str) -> None:
    """Make the calls one after the other."""
    with LlamaStack(base_url=base_url, max_retries=0, timeout=60.0) as client:
        json.dump({name: result(call) for name, call in calls(client, rows, model).items()}, sys.stdout)


main(*sys.argv[1:])
