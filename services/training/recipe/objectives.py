"""What is learnt: the trainer for examples, for preferences and for rewards.

Each is TRL's own trainer with the contract's optimizer, course of the learning rate and order of rows put under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # it has no types
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from services.training.recipe import rows, schedule, sharding, weights
from services.training.recipe.spec import Kind, Preference, Rows, Spec, steps_of

Reward = Callable[..., list[float | None]]
LEARNT: Final = "default"
REFERENCE: Final = "ref"
"""What adapters are called, by PEFT and by TRL."""
_FOREVER: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a trainer works, among how many, who watches it, and what answers are worth where that is learnt from."""

    folder: Path
    workers: int
    callbacks: list[TrainerCallback]
    reward: Reward | None = None


class Contracted:
    """Puts the contract's rules in place of a trainer's own; to be mixed in before it."""

    spec: Spec
    setting: Setting

    def create_optimizer(self: Any, model: Any = None) -> torch.optim.Optimizer:
        """Make the optimizer that the spec asks for."""
        if self.optimizer is None:
            target = model or self.model
            decayed = set(self.get_decay_parameter_names(target))
            self.optimizer = schedule.optimizer(target, self.spec.optimizer, decayed)
        return self.optimizer  # type: ignore[no-any-return]  # the trainer's attribute

    def create_scheduler(self: Any, num_training_steps: int, optimizer: Any = None) -> LRScheduler:
        """Make the course of the learning rate that the spec asks for."""
        if self.lr_scheduler is None:
            self.lr_scheduler = schedule.schedule(optimizer or self.optimizer, num_training_steps, self.spec.optimizer)
            self._created_lr_scheduler = True
        return self.lr_scheduler  # type: ignore[no-any-return]  # the trainer's attribute

    def _get_train_sampler(self: Any, train_dataset: Any = None) -> Sampler[int]:
        found = train_dataset if train_dataset is not None else self.train_dataset
        return schedule.Order(found, self.spec.loop.seed, shuffle=self.spec.loop.shuffle)

    def _load_from_checkpoint(self: Any, checkpoint: str, model: Any = None) -> None:
        trained = {name: weight.dtype for name, weight in self.model.named_parameters() if weight.requires_grad}
        super()._load_from_checkpoint(checkpoint, model)  # type: ignore[misc]  # the trainer's
        # with a copy of the first adapter beside it as the reference, the trainer loads the copy alone
        if REFERENCE in getattr(self.model, "peft_config", ()):
            self.model.load_adapter(checkpoint, LEARNT, is_trainable=True)
        # adapters on weights in 4 bits are trained in half precision, and loaded in full
        for name, weight in self.model.named_parameters():
            if name in trained and weight.dtype != trained[name]:
                weight.data = weight.data.to(trained[name])

    def create_model_card(self, *args: Any, **options: Any) -> None:
        """Write none: the checkpoint's record says where it comes from."""


class Examples(sharding.Sharded, Contracted, SFTTrainer):  # type: ignore[misc]  # the rules replace the trainer's
    """Learns examples."""


class Preferences(sharding.Sharded, Contracted, DPOTrainer):  # type: ignore[misc]  # the rules replace the trainer's
    """Learns preferences by the loss that ``DpoAlignmentConfig`` states."""

    def _compute_loss(self: Any, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        preference = self.spec.preference
        assert preference is not None
        mode = "train" if self.model.training else "eval"
        asked = {name: value for name, value in inputs.items() if name != "completion_mask"}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, rows.IGNORED)
        outputs = model(**asked, labels=labels, use_cache=False, fused_lm_head=True)
        length = inputs["completion_mask"].size(1) - 1
        chosen, rejected = outputs.log_probs[:, -length:].sum(dim=1).chunk(2, dim=0)
        reference = self.compute_ref_log_probs(model if self.ref_model is None else self.ref_model, inputs)
        ratios = (chosen - reference[0], rejected - reference[1])
        margin = margins(ratios[0], ratios[1], preference)
        loss = preference_loss(margin, preference).mean()
        told = self._metrics[mode]
        gather = self.accelerator.gather_for_metrics
        told["margin"].append(gather(margin.detach()).mean().item())
        told["accuracy"].append(gather((margin.detach() > 0).float()).mean().item())
        told["logps/chosen"].append(gather(chosen.detach()).mean().item())
        told["logps/rejected"].append(gather(rejected.detach()).mean().item())
        if mode == "train":
            self._total_train_tokens += gather(inputs["attention_mask"].sum()).sum().item()
        told["num_tokens"] = [self._total_train_tokens]
        return (loss, outputs) if return_outputs else loss


def margins(chosen: torch.Tensor, rejected: torch.Tensor, preference: Preference) -> torch.Tensor:
    """Return the margin of each pair out of its two log-ratios: ``m`` of ``DpoAlignmentConfig``."""
    if preference.clip > 0:
        chosen, rejected = (ratio.clamp(-preference.clip, preference.clip) for ratio in (chosen, rejected))
    return preference.beta * (chosen - preference.rejected_weight * rejected)


def preference_loss(margin: torch.Tensor, preference: Preference) -> torch.Tensor:
    """Return the loss of each pair out of its margin, as ``DpoAlignmentConfig`` states it."""
    right, wrong = functional.logsigmoid(margin), functional.logsigmoid(-margin)
    return -(1 - preference.smoothing) * right - preference.smoothing * wrong


def trainer(spec: Spec, setting: Setting) -> Any:
    """Return the trainer of a spec, with its model and its rows in place.

    Raises:
        BadRow: a row can't be learnt from.
    """
    tokenizer = weights.tokenizer(spec.base)
    torch.manual_seed(spec.loop.seed)
    model = weights.load(spec.base, spec.adapter)
    model.train()
    if spec.kind is Kind.GRPO:
        # it brings an inference engine with it, which takes longer to load than most trainings here
        from services.training.recipe.sampling import rewards

        made = rewards(spec, setting, model, tokenizer)
    else:
        make = {Kind.SFT: _examples, Kind.DPO: _preferences}[spec.kind]
        made = make(spec, setting, model, tokenizer)
    made.spec, made.setting = spec, setting
    return made


def both(spec: Spec, read: Callable[[Rows], Dataset]) -> tuple[Dataset, Dataset | None]:
    """Return the rows to learn and those to watch as they are read.

    Raises:
        BadRow: a row can't be learnt from; it names the dataset.
    """
    learnt = read(spec.rows)
    try:
        return learnt, spec.validation and read(spec.validation)
    except rows.BadRow as error:
        error.field = "validation_dataset"
        raise


def longest_row(spec: Spec, model: Any) -> int | None:
    """Return the tokens that a row may have: as was asked, and never more than the model bears; None for any number."""
    context = getattr(model.config, "max_position_embeddings", None)
    asked = spec.loop.max_sequence_length
    return min(asked, context) if asked and context else asked or context


def _examples(spec: Spec, setting: Setting, model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    longest = longest_row(spec, model)
    learnt, watched = both(spec, lambda found: rows.examples(found, tokenizer, longest, spec.loop.assistant_only))
    settings = SFTConfig(max_length=None, **arguments(spec, setting))
    return Examples(
        model=model,
        args=settings,
        train_dataset=learnt,
        eval_dataset=watched,
        processing_class=tokenizer,
        callbacks=setting.callbacks,
    )


def _preferences(spec: Spec, setting: Setting, model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    learnt, watched = both(spec, lambda found: rows.pairs(found, tokenizer))
    reference = None if spec.adapter is not None else weights.load(spec.base).requires_grad_(False)
    settings = DPOConfig(max_length=longest_row(spec, model), disable_dropout=True, **arguments(spec, setting))
    return Preferences(
        model=model,
        ref_model=reference,
        args=settings,
        train_dataset=learnt,
        eval_dataset=watched,
        processing_class=tokenizer,
        callbacks=setting.callbacks,
    )


def arguments(spec: Spec, setting: Setting) -> dict[str, Any]:
    """Return what all trainers are told."""
    loop = spec.loop
    each = loop.batch_size // (setting.workers * loop.accumulation)
    half = weights.precision() is torch.bfloat16
    return {
        "output_dir": str(setting.folder),
        "per_device_train_batch_size": each,
        "per_device_eval_batch_size": each,
        "gradient_accumulation_steps": loop.accumulation,
        "num_train_epochs": loop.epochs or _FOREVER,
        "max_steps": steps_of(spec, spec.rows.count) if loop.iterations else -1,
        "max_grad_norm": spec.optimizer.max_gradient_norm,
        "learning_rate": spec.optimizer.lr,
        "gradient_checkpointing": loop.activation_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "seed": loop.seed,
        "bf16": half,
        "use_cpu": not torch.cuda.is_available(),
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "ddp_find_unused_parameters": False,
    }
