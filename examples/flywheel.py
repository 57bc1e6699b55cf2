"""The flywheel: what an agent is asked becomes data, the data an adapter, and a better adapter the agent's model.

An agent answers questions about some places by looking them up in a memory bank. Its sessions are collected; each
question is answered several times with the passage at hand, and the answers that are the passage word for word, with
its source, are kept. Of these a low-rank adapter learns to answer without looking anything up. Base and adapter are
evaluated on questions in words that nobody had used, and the adapter is put into service if it is better beyond the
interval of the paired difference. A second candidate, trained with an absurd learning rate, then has to pass the same
gate against it.

python -m examples.flywheel [--start]      --start brings a mesh up and stops it again; make flywheel does that
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from cli.chat import DEFAULT_MODEL
from examples.own_mesh import INTERRUPTED, own_mesh, ready
from examples.town import ASKED, HELD_OUT, questions
from examples.wheel import Candidate, Flywheel, Mesh, dialog, name_of, question_of
from llamastack.datasets.v1.dataset_pb2 import DatasetRevision
from llamastack.evaluations.v1 import comparison_pb2
from llamastack.evaluations.v1.job_pb2 import EvaluationJobStatusResponse
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint

TUNED = Candidate("tuned", steps=200, learning_rate=4e-3)
ABSURD = Candidate("absurd", steps=1, learning_rate=10.0)
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Judged:
    """A model with its evaluation, and the job that trained it, if one did."""

    name: str
    checkpoint: Checkpoint
    evaluation: EvaluationJobStatusResponse
    training: str | None = None


def collect(wheel: Flywheel, bank_id: str) -> DatasetRevision:
    """Have an agent asked, and return what its sessions are as a dataset."""
    agent = wheel.agent(DEFAULT_MODEL, bank_id)
    asked = [question for _, question in questions(ASKED)]
    answers = [wheel.ask(agent, question) for question in asked]
    console.print(f"1 {len(asked)} sessions of agent {agent} with memory bank {bank_id}")
    console.print(f"    user> {asked[0]}\n    assistant> {answers[0]}", markup=False)
    dialogs = wheel.collected(agent)
    console.print(f"2 {dialogs.num_rows} dialogs collected: {name_of(dialogs)}")
    return dialogs


def synthesize(wheel: Flywheel, dialogs: DatasetRevision, bank_id: str) -> DatasetRevision:
    """Return the revision of the dataset that holds the questions with right answers and without passages."""
    asked = [question_of(row) for row in wheel.rows(dialogs)]
    job = wheel.synthesized(wheel.prompts(asked, bank_id))
    told = {name: value.integer_value for name, value in job.statistics.items()}
    console.print(
        f"3 {told['num_samples']} answers sampled, {told['num_kept']} kept, {told['num_dialogs_kept']} of "
        f"{told['num_dialogs']} questions: job {job.job_uuid}, {name_of(job.output)}"
    )
    rows = [{"dialog": dialog(question_of(row), row["dialog"][-1]["content"])} for row in wheel.rows(job.output)]
    data = wheel.revised(dialogs.dataset_uuid, rows)
    console.print(f"4 {data.num_rows} rows without passages: {name_of(data)}, sha256 {data.content_hash[:12]}")
    return data


def train(wheel: Flywheel, candidate: Candidate, data: DatasetRevision, held_out: DatasetRevision) -> Judged:
    """Train and evaluate a candidate."""
    began = time.monotonic()
    job = wheel.trained(candidate, data, held_out)
    checkpoint = job.checkpoints[-1]
    ray_job = job.resources_allocated["ray_job_id"].string_value
    console.print(
        f"  {candidate.name}: {checkpoint.iters} steps in {time.monotonic() - began:.0f} s, "
        f"loss {job.progress.loss:.3f}: job {job.job_uuid}, Ray job {ray_job}, run {job.run_id}, "
        f"checkpoint {checkpoint.checkpoint_id}"
    )
    which = Checkpoint(checkpoint_id=checkpoint.checkpoint_id)
    return Judged(candidate.name, checkpoint, wheel.evaluated(candidate.name, which, held_out), job.job_uuid)


def gate(wheel: Flywheel, champion: Judged, challenger: Judged) -> bool:
    """Return whether a challenger is better than what is in service, beyond the interval."""
    found = wheel.compared(champion.evaluation.job_uuid, challenger.evaluation.job_uuid)
    passed = found.verdict == comparison_pb2.COMPARISON_VERDICT_BETTER
    verdict = comparison_pb2.ComparisonVerdict.Name(found.verdict).rpartition("_")[2].lower()
    console.print(
        f"  gate: {challenger.name} against {champion.name}: em {found.difference:+.3f}, "
        f"95 % interval {found.low:+.3f} to {found.high:+.3f} over {found.num_pairs} pairs: {verdict}, "
        f"[bold]{'promoted' if passed else 'not promoted'}[/]"
    )
    return passed


def table(judged: list[Judged]) -> Table:
    """Return the numbers of all models."""
    made = Table("model", "em", "95 % interval", "f1", "questions")
    for one in judged:
        em, f1 = one.evaluation.metrics["em"], one.evaluation.metrics["f1"]
        interval = f"{em.low:.3f} to {em.high:.3f}"
        made.add_row(one.name, f"{em.value:.3f}", interval, f"{f1.value:.3f}", str(em.num_samples))
    return made


def link(wheel: Flywheel, judged: Judged) -> None:
    """Print the ids under which everything about a model is found again, and fetch every file that is linked."""
    job = judged.evaluation
    console.print(
        f"{judged.name}: {judged.checkpoint.checkpoint_id or judged.checkpoint.model}, evaluation {job.job_uuid}, "
        f"run {job.run_id}"
    )
    trained = wheel.training_files(judged.training) if judged.training else []
    for name, artifact_id in [*trained, *wheel.evaluation_files(job.job_uuid)]:
        console.print(f"    {name:22} {wheel.url(artifact_id)}  {len(wheel.fetched(artifact_id)):,} bytes")


def spin(run: str) -> bool:
    """Turn the wheel once; return whether the tuned model was promoted and the absurd one was not."""
    wheel = Flywheel(Mesh(), run)
    bank_id = wheel.bank()
    data = synthesize(wheel, collect(wheel, bank_id), bank_id)
    held_out = wheel.held_out()
    console.print(f"5 {held_out.num_rows} questions in other words: {name_of(held_out)}; training on Ray")
    untrained = Checkpoint(model=DEFAULT_MODEL)
    base = Judged("base", untrained, wheel.evaluated("base", untrained, held_out))
    tuned = train(wheel, TUNED, data, held_out)
    promoted = gate(wheel, base, tuned)
    if promoted:
        serve(wheel, tuned)
    absurd = train(wheel, ABSURD, data, held_out)
    worse = gate(wheel, tuned if promoted else base, absurd)
    console.print(table([base, tuned, absurd]))
    for judged in (base, tuned, absurd):
        link(wheel, judged)
    console.print("The links answer while the mesh is up; `altiplano up` brings it back with all that it keeps.")
    return promoted and not worse


def serve(wheel: Flywheel, judged: Judged) -> None:
    """Load an adapter onto the running model and have an agent use it, without any memory."""
    before = wheel.agent(DEFAULT_MODEL)
    model = wheel.promoted(judged.checkpoint)
    after = wheel.agent(model)
    lineage = wheel.lineage(judged.checkpoint)
    console.print(f"6 served as {model}; agent {after} uses it")
    asked = list(questions(HELD_OUT))
    said = {agent: [wheel.ask(agent, question) for _, question in asked] for agent in (before, after)}
    right = {
        agent: sum(answer.strip() == fact.answer for answer, (fact, _) in zip(answers, asked, strict=True))
        for agent, answers in said.items()
    }
    console.print(f"    user> {asked[0][1]}", markup=False)
    for name, agent in ((DEFAULT_MODEL, before), (model, after)):
        console.print(f"    {name}> {said[agent][0]}", markup=False)
    console.print(
        f"    of the evaluation's {len(asked)} questions, asked as a user does: {right[before]} right before, "
        f"{right[after]} right after, word for word"
    )
    console.print(
        f"    lineage of {lineage.checkpoint.checkpoint_id}: base {lineage.base_model}, "
        f"dataset:{lineage.dataset.dataset_uuid}@{lineage.dataset.revision}, run {lineage.run_id}, "
        f"evaluations {', '.join(lineage.evaluation_job_uuids)}, code {lineage.code_version}"
    )


def main() -> int:
    """Return 0 when the better candidate was promoted and the worse one was not."""
    options = argparse.ArgumentParser(description="Turn the flywheel once.")
    options.add_argument("--start", action="store_true", help="Start a mesh and stop it afterwards.")
    try:
        with own_mesh() if options.parse_args().start else nullcontext() as mesh:
            if not ready(mesh):
                console.print("flywheel: the mesh did not become ready; see .altiplano/logs")
                return 1
            began = time.monotonic()
            turned = spin(f"flywheel-{int(time.time())}")
            console.print(f"{time.monotonic() - began:.0f} s")
            return 0 if turned else 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
