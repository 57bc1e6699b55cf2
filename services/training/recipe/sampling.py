"""Learning from rewards: the trainer that samples answers and learns which of them were worth more.

It is apart from the other objectives because the package that it stands on loads an inference engine.
"""

from __future__ import annotations

import warnings
from typing import Any

from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase

from services.training.recipe import rows, sharding
from services.training.recipe.objectives import Contracted, Setting, arguments, both, longest_row
from services.training.recipe.spec import Spec

with warnings.catch_warnings():
    # the version of an engine that is not used here
    warnings.filterwarnings("ignore", message="TRL currently supports vLLM")
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.utils import RepeatSampler


class Rewards(sharding.Sharded, Contracted, GRPOTrainer):  # type: ignore[misc]  # the rules replace the trainer's
    """Learns rewards; a prompt's answers stay together in a batch."""

    def _get_train_sampler(self: Any, dataset: Any = None) -> Sampler[int]:
        loop = self.spec.loop
        return Repeated(
            data_source=dataset if dataset is not None else self.train_dataset,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=self.num_iterations * self.args.steps_per_generation,
            shuffle=loop.shuffle,
            seed=loop.seed,
        )


class Repeated(RepeatSampler):
    """TRL's order of prompts, with a shuffle that the seed and the epoch determine."""

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, from 0."""
        if self.shuffle:
            self.generator.manual_seed((self.seed or 0) * 1_000_003 + epoch)


def rewards(spec: Spec, setting: Setting, model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Return the trainer that learns from rewards."""
    settings = spec.reinforcement
    assert settings is not None
    assert setting.reward is not None
    longest = longest_row(spec, model)
    room = None if longest is None else longest - settings.max_new_tokens
    learnt, watched = both(spec, lambda found: rows.prompts(found, tokenizer, room))
    options = arguments(spec, setting)
    options["per_device_eval_batch_size"] = settings.generations
    return Rewards(
        model=model,
        reward_funcs=setting.reward,
        args=GRPOConfig(
            num_generations=settings.generations,
            max_completion_length=settings.max_new_tokens,
            temperature=settings.temperature,
            beta=settings.beta,
            epsilon=settings.epsilon,
            shuffle_dataset=spec.loop.shuffle,
            **options,
        ),
        train_dataset=learnt,
        eval_dataset=watched,
        processing_class=tokenizer,
        callbacks=setting.callbacks,
    )
