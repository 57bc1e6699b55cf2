"""Calls the dataset and synthetic data resources of llama-stack 0.0.1a5 and prints what they give, as JSON.

Runs in an environment of its own that holds that client alone: ``datasets_client.py BASE_URL``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import llama_stack
from llama_stack import LlamaStack

DATASET = {
    "columns": {"prompt": "text", "score": "number"},
    "content_url": "data:text/csv,prompt,score%0Ahello,0.5%0A",
    "metadata": {"who": "me", "version": 3},
}
DIALOGS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one"},
    {"role": "user", "content": "two"},
]


def calls(client: LlamaStack) -> dict[str, Callable[[], Any]]:
    """Return the calls by name, in the order in which they are made."""
    datasets, generate = client.datasets, client.synthetic_data_generation.generate
    return {
        "create": lambda: datasets.create(uuid="qa", dataset=DATASET),
        "create again": lambda: datasets.create(uuid="qa", dataset=DATASET),
        "create another": lambda: datasets.create(uuid="qa", dataset={**DATASET, "metadata": {}}),
        "create bad": lambda: datasets.create(uuid="bad", dataset={**DATASET, "columns": {"prompt": "number"}}),
        "get": lambda: datasets.get(dataset_uuid="qa"),
        "delete": lambda: datasets.delete(dataset_uuid="qa"),
        "get deleted": lambda: datasets.get(dataset_uuid="qa"),
        "generate": lambda: generate(dialogs=DIALOGS, filtering_function="none"),
        "generate by model": lambda: generate(dialogs=DIALOGS, filtering_function="top_k", model="llama"),
        "generate unknown": lambda: generate(dialogs=DIALOGS, filtering_function="random", model="nobody"),
    }


def result(call: Callable[[], Any]) -> Any:
    """Return what a call gives, with the name of its class, or what it raises."""
    try:
        given = call()
    except llama_stack.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code, "message": error.body["error"]["message"]}
    return given and {type(given).__name__: given.model_dump(mode="json", exclude_unset=True)}


def main(base_url: str) -> None:
    """Make the calls one after the other."""
    with LlamaStack(base_url=base_url, max_retries=0) as client:
        json.dump({name: result(call) for name, call in calls(client).items()}, sys.stdout)


main(sys.argv[1])
