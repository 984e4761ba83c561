"""The forward pass of a llama-architecture model with LoRA on every linear layer, in PyTorch.

Tensors keep GGUF's names and layout (rotary pairs side by side), so the trained matrices go into an adapter
as they are. Sources: Hu et al. 2021 (LoRA); Touvron et al. 2023 (LLaMA).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planwarden.tuning.libraries import library
from planwarden.tuning.weights import OpenWeights

LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """The size of an adapter."""

    rank: int = 16
    alpha: float = 32.0

    @property
    def scale(self) -> float:
        """Give the factor of the low-rank product."""
        return self.alpha / self.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """The low-rank matrices of an adapter, by the weights that they change: NumPy arrays."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]


class AdaptedLlama:
    """Fixed weights in bfloat16, trainable low-rank matrices in float32."""

    def __init__(
        self, weights: OpenWeights, lora: Lora, *, device: str, seed: int, start: Matrices | None = None
    ) -> None:
        """Dequantise the weights and draw the matrices.

        Args:
            weights: that stay as they are.
            lora: the size of the adapter.
            device: where to train.
            seed: of what is drawn.
            start: an adapter of that size to go on from; without one it begins as no change at all.
        """
        self._torch: Any = library("torch")
        self._shape, self.lora, self._device = weights.shape, lora, device
        self._fixed = weights.tensors(device, self._torch.bfloat16)
        self.a: dict[str, Any] = {}
        self.b: dict[str, Any] = {}
        draw = self._torch.Generator().manual_seed(seed)
        for layer in range(self._shape.layers):
            for name in LINEAR:
                key = f"blk.{layer}.{name}.weight"
                if start is not None and key in start.a:
                    self.a[key], self.b[key] = self._given(start.a[key]), self._given(start.b[key])
                    continue
                outputs, inputs = self._fixed[key].shape
                first = self._torch.randn(lora.rank, inputs, generator=draw) / math.sqrt(inputs)
                self.a[key] = first.to(device).requires_grad_()
                self.b[key] = self._torch.zeros(outputs, lora.rank, device=device, requires_grad=True)

    def _given(self, matrix: Any) -> Any:  # noqa: ANN401 - tensors
        return self._torch.tensor(matrix, dtype=self._torch.float32, device=self._device, requires_grad=True)

    @property
    def parameters(self) -> list[Any]:
        """Give what is trained."""
        return [*self.a.values(), *self.b.values()]

    def logits(self, ids: Any, rows: Any, places: Any) -> Any:  # noqa: ANN401 - tensors
        """Give the logits after some tokens.

        Args:
            ids: (batch, length) token numbers.
            rows: of the tokens looked at, their rows.
            places: and their places in the row.

        Returns:
            (tokens, vocabulary) in float32.
        """
        hidden = self._hidden(ids)[rows, places]
        head = self._fixed.get("output.weight", self._fixed["token_embd.weight"])
        return self._torch.nn.functional.linear(hidden, head).float()

    def _hidden(self, ids: Any) -> Any:  # noqa: ANN401 - tensors
        torch, shape = self._torch, self._shape
        length = ids.shape[1]
        steps = torch.arange(0, shape.head_size, 2, device=self._device).float() / shape.head_size
        angles = torch.outer(torch.arange(length, device=self._device).float(), shape.rope_base**-steps)
        turn = angles.cos()[:, None].bfloat16(), angles.sin()[:, None].bfloat16()
        mask = torch.full((length, length), -math.inf, dtype=torch.bfloat16, device=self._device).triu(1)
        x = torch.nn.functional.embedding(ids, self._fixed["token_embd.weight"])
        for layer in range(shape.layers):
            x = x + self._attention(self._norm(x, f"blk.{layer}.attn_norm.weight"), layer, turn, mask)
            x = x + self._feed_forward(self._norm(x, f"blk.{layer}.ffn_norm.weight"), layer)
        return self._norm(x, "output_norm.weight")

    def _attention(self, x: Any, layer: int, turn: Any, mask: Any) -> Any:  # noqa: ANN401 - tensors
        torch, shape = self._torch, self._shape
        rows, length, _ = x.shape
        q, k, v = (
            self._linear(x, f"blk.{layer}.{name}.weight").view(rows, length, heads, shape.head_size)
            for name, heads in (
                ("attn_q", shape.heads),
                ("attn_k", shape.kv_heads),
                ("attn_v", shape.kv_heads),
            )
        )
        group = shape.heads // shape.kv_heads
        k, v = (each.repeat_interleave(group, 2) for each in (_turned(torch, k, *turn), v))
        q, k, v = (
            each.transpose(1, 2).reshape(rows * shape.heads, length, shape.head_size)
            for each in (_turned(torch, q, *turn), k, v)
        )
        # Sequences are short: on a processor plain matrices are twice as fast as the fused kernel's gradient.
        seen = torch.softmax(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=shape.head_size**-0.5), -1)
        out = (seen @ v).view(rows, shape.heads, length, shape.head_size).transpose(1, 2)
        return self._linear(out.reshape(rows, length, -1), f"blk.{layer}.attn_output.weight")

    def _feed_forward(self, x: Any, layer: int) -> Any:  # noqa: ANN401 - tensors
        gate = self._torch.nn.functional.silu(self._linear(x, f"blk.{layer}.ffn_gate.weight"))
        return self._linear(
            gate * self._linear(x, f"blk.{layer}.ffn_up.weight"), f"blk.{layer}.ffn_down.weight"
        )

    def _linear(self, x: Any, key: str) -> Any:  # noqa: ANN401 - tensors
        linear = self._torch.nn.functional.linear
        low = linear(x, self.a[key].to(x.dtype))
        return linear(x, self._fixed[key]) + linear(low, (self.b[key] * self.lora.scale).to(x.dtype))

    def _norm(self, x: Any, key: str) -> Any:  # noqa: ANN401 - tensors
        return self._torch.nn.functional.rms_norm(
            x, (x.shape[-1],), self._fixed[key], self._shape.norm_epsilon
        )


def _turned(torch: Any, x: Any, cos: Any, sin: Any) -> Any:  # noqa: ANN401 - tensors
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)
