"""A GGUF file of the llama architecture, opened for training: numbers, dequantised tensors, tokenizer.

Training sits on the dequantised weights, so the adapter fits the very weights that llama.cpp will run.
Source: ggml, docs/gguf.md; llama.cpp, the `llama` architecture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planwarden.errors import ModelFileRejected
from planwarden.tuning.libraries import library

CONTROL = 3
"""The token type of marks like `<|im_end|>`."""
PRE_TOKENIZERS = ("smollm", "gpt-2")
MARK = "<|im_start|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The numbers of a model."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    rope_base: float
    norm_epsilon: float


class OpenWeights:
    """A model file whose tensors can be had as PyTorch's."""

    def __init__(self, path: Path) -> None:
        """Open the file; blocks.

        Raises:
            ModelFileRejected: it is not a model of the llama architecture with ChatML's marks.
            SettingsRejected: a library is missing.
        """
        try:
            self._reader: Any = library("gguf").GGUFReader(path)
        except (OSError, ValueError) as error:
            raise ModelFileRejected(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error
        template = str(self._fact("tokenizer.chat_template", ""))
        known = self._fact("tokenizer.ggml.pre", "") in PRE_TOKENIZERS
        if self._fact("general.architecture", "") != "llama" or MARK not in template or not known:
            raise ModelFileRejected(
                f"{path} is no model that can be tuned here: the llama architecture, ChatML's marks and one"
                f" of the tokenizers {', '.join(PRE_TOKENIZERS)} are understood.",
                remedy=_REMEDY,
            )
        heads = int(self._fact("llama.attention.head_count"))
        self.shape = Shape(
            layers=int(self._fact("llama.block_count")),
            heads=heads,
            kv_heads=int(self._fact("llama.attention.head_count_kv", heads)),
            head_size=int(self._fact("llama.embedding_length")) // heads,
            rope_base=float(self._fact("llama.rope.freq_base", 10_000.0)),
            norm_epsilon=float(self._fact("llama.attention.layer_norm_rms_epsilon")),
        )

    def tensors(self, device: str, dtype: Any) -> dict[str, Any]:  # noqa: ANN401 - a torch.dtype
        """Give every tensor, dequantised, by its GGUF name."""
        torch, dequantize = library("torch"), library("gguf.quants").dequantize
        return {
            tensor.name: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).to(
                device, dtype
            )
            for tensor in self._reader.tensors
        }

    def tokenizer(self) -> Tokens:
        """Give the tokenizer, which cuts text as llama.cpp does."""
        parts = library("tokenizers")
        words: list[str] = self._fact("tokenizer.ggml.tokens")
        kinds: list[int] = self._fact("tokenizer.ggml.token_type")
        merges = [tuple(merge.split(" ", 1)) for merge in self._fact("tokenizer.ggml.merges")]
        made = parts.Tokenizer(
            parts.models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges)
        )
        byte_level = parts.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        if self._fact("tokenizer.ggml.pre") == "smollm":
            digits = parts.pre_tokenizers.Digits(individual_digits=True)
            byte_level = parts.pre_tokenizers.Sequence([digits, byte_level])
        made.pre_tokenizer = byte_level
        marks = [word for word, kind in zip(words, kinds, strict=True) if kind == CONTROL]
        made.add_special_tokens([parts.AddedToken(mark, special=True, normalized=False) for mark in marks])
        return Tokens(made)

    def _fact(self, name: str, otherwise: object = None) -> Any:  # noqa: ANN401 - numbers, texts and lists
        field = self._reader.fields.get(name)
        if field is None and otherwise is None:
            raise ModelFileRejected(f"The model file says nothing of {name}.", remedy=_REMEDY)
        return otherwise if field is None else field.contents()


class Tokens:
    """A tokenizer."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - a tokenizers.Tokenizer
        self._inner = inner

    def ids(self, text: str) -> Sequence[int]:
        """Cut a text; marks like `<|im_end|>` are read as such."""
        return self._inner.encode(text).ids


_REMEDY = "Tune the pinned model, or another SmolLM2, in the GGUF format."
