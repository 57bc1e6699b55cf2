"""The network of the built-in model: a plain Llama decoder in torch, small enough to train on one core.

It knows nothing about tokenization, dialogs or files; `checkpoint.py` writes it as a `LlamaForCausalLM` folder.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .pointers import NOWHERE

# Only the fastest rotations tell neighbours apart; the slow ones would weigh tokens by their norm instead.
FAST_PAIRS = 5
# What a token that is no target counts where a head is told what to look at from it.
UNLEARNED = 0.1


@dataclass(frozen=True)
class Shape:
    """The sizes of the network, named as in a Llama configuration."""

    vocab_size: int
    hidden_size: int = 256
    num_hidden_layers: int = 5
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    intermediate_size: int = 640
    rope_theta: float = 500_000.0
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-5


@dataclass(frozen=True)
class Pointer:
    """A head that training tells where to look: at the places of one kind; `weight` is that of its loss."""

    kind: int
    layer: int
    head: int
    weight: float


def rotary_angles(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the rotary embedding, each of shape (length, head_dim), halves repeated."""
    inverse = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), inverse)
    doubled = torch.cat((angles, angles), dim=-1)
    return doubled.cos(), doubled.sin()


def rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Apply the rotary embedding to heads of shape (batch, heads, length, head_dim)."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cosines + torch.cat((-second, first), dim=-1) * sines


class Norm(nn.Module):
    """Root-mean-square normalization with a learned gain."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the input scaled to unit root mean square over its last dimension, times the gain."""
        wide = hidden.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (scaled * self.weight).to(hidden.dtype)


class Attention(nn.Module):
    """Causal grouped-query attention over right-padded batches."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size, dim = shape.hidden_size, shape.head_dim
        self.shape = shape
        self.q_proj = nn.Linear(size, shape.num_attention_heads * dim, bias=False)
        self.k_proj = nn.Linear(size, shape.num_key_value_heads * dim, bias=False)
        self.v_proj = nn.Linear(size, shape.num_key_value_heads * dim, bias=False)
        self.o_proj = nn.Linear(shape.num_attention_heads * dim, size, bias=False)

    def forward(self, hidden: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention output for hidden states of shape (batch, length, hidden_size), and the scores.

        The scores before their softmax have the shape (batch, heads, length, length).
        """
        batch, length, _ = hidden.shape
        shape = self.shape

        def heads(projected: Tensor, count: int) -> Tensor:
            return projected.view(batch, length, count, shape.head_dim).transpose(1, 2)

        queries = rotate(heads(self.q_proj(hidden), shape.num_attention_heads), cosines, sines)
        keys = rotate(heads(self.k_proj(hidden), shape.num_key_value_heads), cosines, sines)
        values = heads(self.v_proj(hidden), shape.num_key_value_heads)
        repeats = shape.num_attention_heads // shape.num_key_value_heads
        keys, values = (part.repeat_interleave(repeats, dim=1).flatten(0, 1) for part in (keys, values))
        # Two plain products: the backward pass of the fused CPU kernel takes four times as long at these lengths.
        scores = torch.baddbmm(mask, queries.flatten(0, 1), keys.transpose(1, 2), alpha=shape.head_dim**-0.5)
        mixed = torch.bmm(scores.softmax(-1), values).view(batch, -1, length, shape.head_dim)
        attended = cast(Tensor, self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1)))
        return attended, scores.view(batch, -1, length, length)


class Block(nn.Module):
    """One decoder layer: attention, then a gated feed-forward network, each on a normalized residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size, inner = shape.hidden_size, shape.intermediate_size
        self.input_layernorm = Norm(size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = Norm(size, shape.rms_norm_eps)
        self.gate_proj = nn.Linear(size, inner, bias=False)
        self.up_proj = nn.Linear(size, inner, bias=False)
        self.down_proj = nn.Linear(inner, size, bias=False)

    def attend(self, hidden: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the attention, same shape as the input, and the scores of the heads."""
        attended, scores = self.self_attn(self.input_layernorm(hidden), cosines, sines, mask)
        return hidden + attended, scores

    def feed(self, hidden: Tensor) -> Tensor:
        """Return the residual stream after the feed-forward network; every position is on its own here."""
        inner = self.post_attention_layernorm(hidden)
        gated: Tensor = self.down_proj(F.silu(self.gate_proj(inner)) * self.up_proj(inner))
        return hidden + gated


class Embedding(nn.Module):
    """Token vectors as the sum of a stem shared by spelling variants, a variant mark and a token's own part.

    ` tara`, `tara` and `Tara` share the stem, so that what is learned for one spelling holds for the others;
    `table()` is the plain matrix that an exported model holds.
    """

    def __init__(self, stems: Tensor, marks: Tensor, size: int) -> None:
        super().__init__()
        self.stems: Tensor
        self.marks: Tensor
        self.register_buffer("stems", stems)
        self.register_buffer("marks", marks)
        self.stem = nn.Parameter(torch.zeros(int(stems.max()) + 1, size))
        self.mark = nn.Parameter(torch.zeros(int(marks.max()) + 1, size))
        self.own = nn.Parameter(torch.zeros(len(stems), size))

    def table(self) -> Tensor:
        """Return the embedding matrix of shape (vocab_size, hidden_size)."""
        return self.stem[self.stems] + self.mark[self.marks] + self.own


class Decoder(nn.Module):
    """The whole network with its input and output embeddings tied."""

    def __init__(self, shape: Shape, stems: Tensor, marks: Tensor, pointers: tuple[Pointer, ...] = ()) -> None:
        super().__init__()
        self.shape, self.pointers = shape, pointers
        self.embedding = Embedding(stems, marks, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_hidden_layers))
        self.norm = Norm(shape.hidden_size, shape.rms_norm_eps)
        cosines, sines = rotary_angles(shape, shape.max_position_embeddings)
        self.cosines: Tensor
        self.sines: Tensor
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    @property
    def blocks(self) -> list[Block]:
        """The decoder layers, typed."""
        return [cast(Block, layer) for layer in self.layers]

    def attended(self, tokens: Tensor, table: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the residual stream before the last feed-forward network, and the scores of every layer's heads.

        `tokens` are ids of shape (batch, length).
        """
        length = tokens.shape[1]
        hidden = F.embedding(tokens, table)
        cosines, sines = self.cosines[:length].to(hidden.dtype), self.sines[:length].to(hidden.dtype)
        future = torch.ones(length, length, dtype=torch.bool, device=hidden.device).triu(1)
        mask = torch.zeros(length, length, dtype=hidden.dtype, device=hidden.device).masked_fill(future, -torch.inf)
        hidden, scores = self.blocks[0].attend(hidden, cosines, sines, mask)
        seen = [scores]
        for before, layer in itertools.pairwise(self.blocks):
            hidden, scores = layer.attend(before.feed(hidden), cosines, sines, mask)
            seen.append(scores)
        return hidden, seen

    def logits(self, stream: Tensor, table: Tensor) -> Tensor:
        """Return logits for positions of the residual stream that `attended` returned."""
        normalized: Tensor = self.norm(self.blocks[-1].feed(stream))
        return normalized @ table.T

    def loss(self, tokens: Tensor, weights: Tensor, places: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the weighted mean cross-entropy of predicting tokens[:, 1:], and that of where each pointer looks.

        `weights` has the shape of `tokens[:, 1:]`; positions of weight zero cost no output projection. `places` has it
        once per kind of pointer: the position that the head should look at while it predicts, or NOWHERE. The first
        number of the result is that of the tokens, the others are in the order of the pointers.
        """
        table = self.embedding.table().to(dtype)
        stream, scores = self.attended(tokens[:, :-1], table)
        chosen = weights.reshape(-1).nonzero().squeeze(1)
        scale = weights.reshape(-1)[chosen]
        logits = self.logits(stream.reshape(-1, self.shape.hidden_size)[chosen], table).float()
        losses = F.cross_entropy(logits, tokens[:, 1:].reshape(-1)[chosen], reduction="none")
        parts = [(losses * scale).sum() / scale.sum()]
        for pointer in self.pointers:
            wanted = places[pointer.kind].reshape(-1)
            known = (wanted != NOWHERE).nonzero().squeeze(1)
            rows = scores[pointer.layer][:, pointer.head].reshape(len(wanted), -1)[known].float()
            missed = F.cross_entropy(rows, wanted[known], reduction="none")
            importance = weights.reshape(-1)[known].clamp(min=UNLEARNED)
            parts.append(pointer.weight * (missed * importance).sum() / importance.sum().clamp(min=UNLEARNED))
        return torch.stack(parts)


def slow_pairs(shape: Shape, count: int) -> list[int]:
    """Return `count` head dimensions whose rotation is slowest, so that a match there ignores distance."""
    half = shape.head_dim // 2
    firsts = range(half - count // 2, half)
    return [*firsts, *(first + half for first in firsts)]


@torch.no_grad()
def initialize(model: Decoder, seed: int) -> None:
    """Initialize the network so that layers 0 and 1 already form induction heads.

    Layer 0 writes the identity of the previous token and of the one before into subspaces of their own; layer 1
    looks for the place where the current token (and the pair of last tokens) came before and copies what followed.
    Every other output projection starts at zero, so the heads work undisturbed until training needs more.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = model.shape
    size, dim = shape.hidden_size, shape.head_dim

    def noise(*sizes: int, scale: float) -> Tensor:
        return torch.randn(*sizes, generator=generator) * scale

    for layer in model.blocks:
        for name, parameter in layer.named_parameters():
            if parameter.ndim == 2:
                zero = name.endswith(("o_proj.weight", "down_proj.weight"))
                parameter.copy_(noise(*parameter.shape, scale=0.0 if zero else parameter.shape[1] ** -0.5))
    identity = size - 2 * dim
    stem, mark = model.embedding.stem, model.embedding.mark
    stem[:, 1:identity] = F.normalize(noise(len(stem), identity - 1, scale=1.0), dim=-1)
    stem[:, 0] = 0.6
    mark[:, 1:identity] = noise(len(mark), identity - 1, scale=0.2 * (identity - 1) ** -0.5)
    basis, _ = torch.linalg.qr(noise(identity - 1, identity - 1, scale=1.0))
    _previous_token_heads(model, basis[:dim])
    _copy_heads(model, basis[:dim])


def _previous_token_heads(model: Decoder, basis: Tensor) -> None:
    shape = model.shape
    size, dim = shape.hidden_size, shape.head_dim
    identity, half = size - 2 * dim, dim // 2
    attention = model.blocks[0].self_attn
    query, key = attention.q_proj.weight, attention.k_proj.weight
    value, output = attention.v_proj.weight, attention.o_proj.weight
    inverse = shape.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
    query[: 2 * dim] = 0.0
    key[:dim] = 0.0
    key[:FAST_PAIRS, 0] = 1.0
    value[:dim] = 0.0
    value[:dim, 1:identity] = basis
    for head, distance in enumerate((1, 2)):
        rows = query[head * dim : (head + 1) * dim]
        rows[:half, 0] = 2.5 * torch.cos(-inverse * distance)
        rows[half:, 0] = 2.5 * torch.sin(-inverse * distance)
        target = identity + head * dim
        output[target : target + dim, head * dim : (head + 1) * dim] = 0.07 * torch.eye(dim)


def _copy_heads(model: Decoder, basis: Tensor) -> None:
    shape = model.shape
    size, dim = shape.hidden_size, shape.head_dim
    identity = size - 2 * dim
    attention = model.blocks[1].self_attn
    query, key = attention.q_proj.weight, attention.k_proj.weight
    value, output = attention.v_proj.weight, attention.o_proj.weight
    slow = slow_pairs(shape, 36)
    unit = torch.eye(dim)
    query[: 3 * dim], key[: 2 * dim], value[: 2 * dim] = 0.0, 0.0, 0.0
    sharpness = math.sqrt(5.0)
    for index, row in enumerate(slow):
        query[row, 1:identity] = sharpness * basis[index]
        key[row, identity : identity + dim] = sharpness * unit[index]
        feature = index // 2
        if index % 2 == 0:
            query[2 * dim + row, 1:identity] = sharpness * basis[feature]
            key[dim + row, identity : identity + dim] = sharpness * unit[feature]
        else:
            query[2 * dim + row, identity : identity + dim] = sharpness * unit[feature]
            key[dim + row, identity + dim :] = sharpness * unit[feature]
    for group, head in ((0, 0), (1, 2)):
        value[group * dim : (group + 1) * dim, 1:identity] = basis
        output[1:identity, head * dim : (head + 1) * dim] = 0.15 * basis.T
