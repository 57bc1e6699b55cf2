"""From prompts to scored and filtered answers: sample, leave out duplicates, score, filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from mesh.errors import WrongState
from services.training.synthetic.answers import Answer, Outcome, draft, outcome
from services.training.synthetic.filtering import Filter
from services.training.synthetic.prompts import Prompt
from services.training.synthetic.sampling import Sampler, SampleSettings
from services.training.synthetic.scoring import Scorer

_SAMPLES: Final = 4
_DEFAULT: Final = SamplingParams(strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P, temperature=1.0, top_p=0.95)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a request wants prompts to be answered, with all defaults filled in."""

    sampling: SampleSettings
    reward: RewardFunction | None
    filter: Filter
    deduplicate: bool


class Generation:
    """Answers prompts. ``default_model`` answers where a request names none."""

    def __init__(self, sampler: Sampler, scorer: Scorer, default_model: str) -> None:
        """Keep the parts."""
        self.sampler = sampler
        self._scorer = scorer
        self._default_model = default_model

    def plan(self, model: str, function: pb.FilteringFunction.ValueType, settings: pb.GenerationSettings) -> Plan:
        """Return what a request asks for; an empty model is the default one.

        Raises:
            WrongState: the filtering function looks at scores, and nothing scores.
        """
        params = settings.filtering_params
        chosen = Filter(
            function,
            k=params.k if params.HasField("k") else 1,
            p=params.p if params.HasField("p") else 0.9,
            threshold=params.threshold,
            scale=params.scale if params.HasField("scale") else 1.0,
        )
        reward = self._scorer.reward(settings.reward if settings.HasField("reward") else None)
        if chosen.looks_at_scores and reward is None:
            raise WrongState("the filtering function looks at scores; settings.reward is needed to have some")
        sampling = SampleSettings(
            model=model or self._default_model,
            num_samples=settings.num_samples if settings.HasField("num_samples") else _SAMPLES,
            params=settings.sampling_params if settings.HasField("sampling_params") else _DEFAULT,
            seed=settings.seed if settings.HasField("seed") else None,
        )
        return Plan(sampling, reward, chosen, settings.deduplicate if settings.HasField("deduplicate") else True)

    async def generate(self, prompts: Sequence[Prompt], plan: Plan) -> list[Outcome]:
        """Return what becomes of each prompt.

        Raises:
            MeshError: what inference or reward scoring answers with.
        """
        numbered = dict(enumerate(prompts))
        answers = [answer async for answer in self.sampler.sample(numbered, plan.sampling)]
        return await self.judge(numbered, answers, plan)

    async def judge(self, prompts: Mapping[int, Prompt], answers: Sequence[Answer], plan: Plan) -> list[Outcome]:
        """Return what becomes of prompts, by their positions, with the answers that were sampled.

        Raises:
            MeshError: what reward scoring answers with.
        """
        by_prompt: dict[int, list[Answer]] = {position: [] for position in prompts}
        for answer in answers:
            by_prompt[answer.prompt].append(answer)
        drafts = {
            position: draft(prompts[position], several, deduplicate=plan.deduplicate)
            for position, several in by_prompt.items()
        }
        scored = await self._scorer.score(list(drafts.values()), plan.reward)
        return [
            outcome(made, found, plan.filter, _random(plan.sampling.seed, position))
            for (position, made), found in zip(drafts.items(), scored, strict=True)
        ]


def _random(seed: int | None, position: int) -> Random:
    """Return the numbers of a prompt; the same ones for the same seed, whenever its turn comes."""
    return Random() if seed is None else Random(f"{seed}/{position}")
