"""Sharding of parameters, gradients and optimizer state over the workers, by torch's ``fully_shard``.

Each transformer block is a unit of its own, so that a worker holds one whole block at a time. The trainer is told that
the model looks after its own placement, or it would wrap it in plain data parallelism.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

WHOLE: Final = StateDictOptions(full_state_dict=True, cpu_offload=True)
SPREAD: Final = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
OPTIMIZER: Final = "optimizer.pt"


def shard(model: Any, *, offload: bool) -> None:
    """Shard a model over the processes of the default group, in place; ``offload`` keeps the shards in host memory."""
    policy: OffloadPolicy = CPUOffloadPolicy(pin_memory=torch.cuda.is_available()) if offload else OffloadPolicy()
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    for block in inner.model.layers:
        fully_shard(block, offload_policy=policy)
    fully_shard(model, offload_policy=policy)


class Sharded:
    """Shards the trainer's model where the spec asks for it; to be mixed in before a trainer."""

    def _prepare_for_training(self: Any, max_steps: int, train_dataloader: Any, resume_from_checkpoint: Any) -> Any:
        if self.spec.loop.shard and not self.is_distributed_loading_by_transformers:
            shard(self.model, offload=self.spec.loop.offload)
            self.is_distributed_loading_by_transformers = True
        return super()._prepare_for_training(max_steps, train_dataloader, resume_from_checkpoint)  # type: ignore[misc]  # the trainer's

    def _sync_replicated_trainable_parameters(self: Any, model: Any) -> None:
        """Do nothing: no trained parameter is replicated."""
        if not self.spec.loop.shard:
            super()._sync_replicated_trainable_parameters(model)  # type: ignore[misc]  # the trainer's

    def _save_optimizer_and_scheduler(self: Any, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)  # type: ignore[misc]  # the trainer's
        if self.spec.loop.shard:
            state = get_optimizer_state_dict(self.model, self.optimizer.optimizer, options=WHOLE)
            if self.args.should_save:
                torch.save(state, Path(output_dir) / OPTIMIZER)

    def _load_optimizer_and_scheduler(self: Any, checkpoint: str | None) -> None:
        if not self.spec.loop.shard or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]  # the trainer's
            return
        first = dist.get_rank() == 0
        state = torch.load(Path(checkpoint) / OPTIMIZER, weights_only=True) if first else {}
        set_optimizer_state_dict(self.model, self.optimizer.optimizer, state, options=SPREAD)
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / "scheduler.pt", weights_only=True))

    def save_model(self: Any, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save whole weights, gathered from all workers."""
        if not self.spec.loop.shard:
            super().save_model(output_dir, _internal_call)  # type: ignore[misc]  # the trainer's
            return
        state = get_model_state_dict(self.model, options=WHOLE)
        for twin in getattr(self.model, "all_tied_weights_keys", None) or ():
            state.pop(twin, None)
        if self.args.should_save:
            self._save(output_dir, state_dict=state)
        dist.barrier()
