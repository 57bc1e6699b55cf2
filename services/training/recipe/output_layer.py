"""An adapter on the output layer, as one weight.

TRL's trainers compute log-probabilities from the weight of the output layer and never call the layer, so that an
adapter on it would not be trained; they refuse it. Here they find the weight that layer and adapter make together.
"""

from __future__ import annotations

from typing import Any

import torch


class OutputLayer:
    """The weight of an output layer with its adapters; gradients reach the adapters through it. ``layer`` is PEFT's."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    @property
    def weight(self) -> torch.Tensor:
        """The weight, vocabulary by hidden size, as the adapters that are active make it."""
        base: torch.Tensor = self._layer.get_base_layer().weight
        if self._layer.disable_adapters or self._layer.merged:
            return base
        made = base
        for name in self._layer.active_adapters:
            made = self._adapted(made, name)
        return made.to(base.dtype)

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias, which adapters leave as it is."""
        found: torch.Tensor | None = self._layer.get_base_layer().bias
        return found

    def _adapted(self, weight: torch.Tensor, name: str) -> torch.Tensor:
        sum_: torch.Tensor = weight + self._layer.get_delta_weight(name)
        if name not in self._layer.lora_magnitude_vector:
            return sum_
        magnitude = self._layer.lora_magnitude_vector[name].weight
        # as in the paper on weight decomposition (section 4.3), the length counts as a constant
        length = torch.linalg.vector_norm(sum_, dim=1).detach()
        turned: torch.Tensor = (magnitude / length)[:, None] * sum_
        return turned


def show_as_one(model: Any) -> None:
    """Have a model with adapters show its output layer and the adapter on it as one weight, in place."""
    inner = model.get_base_model()
    whole = OutputLayer(inner.get_output_embeddings())
    inner.get_output_embeddings = lambda: whole
