"""Runs one task of the lm-eval harness: ``python -m services.eval.evaluations.harness_run FOLDER PARENT``.

The folder holds ``order.json``; ``samples.json`` is written into it, or ``failure.txt`` with a sentence for a person.
What the model answers is kept in the order's file of answers as it comes, and is not asked for again by a later run.
Exit code 3 says that there is no such task.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import requests
from lm_eval import simple_evaluate
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mesh.parentage import die_with

_UNKNOWN_TASK: Final = 3
_TIMEOUT_S: Final = 300
_TRIES: Final = 6
_BUSY: Final = (429, 502, 503)


class EchoCompletions(LocalCompletionsAPI):  # type: ignore[misc]  # the package has no types
    """The harness's own client of completions, which reads likelihoods off the echoed prompt.

    Where a continuation begins is told by the offsets that the server sends with the tokens, so that no tokenizer is
    needed here.
    """

    def __init__(self, url: str, model: str, concurrency: int) -> None:
        super().__init__(
            base_url=f"{url}/v1/completions",
            tokenizer_backend=None,
            tokenized_requests=False,
            model=model,
            num_concurrent=concurrency,
            timeout=_TIMEOUT_S,
        )
        self._workers = concurrency

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return the log-likelihood of each continuation, and whether it is what greedy decoding gives."""
        return self._all("loglikelihood", [request.args for request in requests])

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of each text, without its first token where nothing precedes it."""
        return [loss for loss, _ in self._all("loglikelihood_rolling", [request.args for request in requests])]

    def _all(self, kind: str, asked: Sequence[tuple[str, ...]]) -> list[tuple[float, bool]]:
        with ThreadPoolExecutor(self._workers) as pool, _patient(self._workers) as session:

            def one(texts: tuple[str, ...]) -> tuple[float, bool]:
                found = self._likelihood(session, *(texts if len(texts) > 1 else ("", *texts)))
                # as the harness reads it back: of a whole text the number alone
                self.cache_hook.add_partial(kind, texts, found if len(texts) > 1 else found[0])
                return found

            return list(pool.map(one, asked))

    def _likelihood(self, session: requests.Session, context: str, continuation: str) -> tuple[float, bool]:
        body = self._create_payload(context + continuation, generate=False, gen_kwargs={}, seed=self._seed)
        answer = session.post(self.base_url, json=body, headers=self.header, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        found = answer.json()["choices"][0]["logprobs"]
        end = len(context) + len(continuation)
        total, greedy = 0.0, True
        columns = zip(found["text_offset"], found["token_logprobs"], found["top_logprobs"], strict=True)
        for offset, logprob, top in columns:
            if len(context) <= offset < end and logprob is not None:
                total += logprob
                greedy = greedy and logprob >= max((top or {"": logprob}).values())
        return total, greedy


def _patient(connections: int) -> requests.Session:
    """Return a session that asks again while the server is away or busy."""
    again = Retry(total=_TRIES, backoff_factor=0.5, status_forcelist=_BUSY, allowed_methods=None)
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=again))
    return session


def main(folder: Path) -> int:
    """Run the task and return the exit code."""
    order = json.loads((folder / "order.json").read_text())
    manager = TaskManager(include_path=order["tasks"], include_defaults=False)
    if order["task"] not in manager.all_tasks:
        return _UNKNOWN_TASK
    try:
        found = simple_evaluate(
            model=EchoCompletions(order["url"], order["model"], order["concurrency"]),
            tasks=[order["task"]],
            num_fewshot=order["num_fewshot"],
            limit=order["limit"],
            system_instruction=order["system"],
            task_manager=manager,
            bootstrap_iters=0,
            log_samples=True,
            use_cache=order["answers"],
            random_seed=order["seed"],
            numpy_random_seed=order["seed"],
            torch_random_seed=order["seed"],
            fewshot_random_seed=order["seed"],
        )
    except requests.RequestException:
        (folder / "failure.txt").write_text("the model's endpoint can't be reached, or refused")
        return 1
    samples = list(_samples(found["samples"]))
    (folder / "samples.json").write_text(json.dumps(samples, default=str))
    return 0


def _samples(by_task: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield each document once, with the scores of every filter; several tasks tell their scores apart by name."""
    for task in sorted(by_task):
        documents: dict[int, dict[str, Any]] = {}
        for sample in by_task[task]:
            made = documents.setdefault(
                sample["doc_id"],
                {
                    "doc": sample["doc"] if isinstance(sample["doc"], dict) else {"doc": sample["doc"]},
                    "target": str(sample["target"]),
                    "output": _output(sample["filtered_resps"]),
                    "scores": {},
                },
            )
            for name in sample["metrics"]:
                value = sample.get(name)
                if isinstance(value, bool | int | float):
                    made["scores"][_named(name, sample["filter"], task, len(by_task))] = float(value)
        yield from (documents[number] for number in sorted(documents))


def _named(metric: str, filtered: str, task: str, tasks: int) -> str:
    name = metric if filtered == "none" else f"{metric},{filtered}"
    return name if tasks == 1 else f"{task}/{name}"


def _output(responses: Any) -> str:
    first = responses[0] if isinstance(responses, list) and len(responses) == 1 else responses
    return first if isinstance(first, str) else json.dumps(first, default=str)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) if die_with(int(sys.argv[2])) else 1)
