"""Sentence embeddings: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019) in NumPy, 8 bits.

Six transformer layers over WordPiece tokens, mean-pooled, of length 1. The weights are those of the model
all-MiniLM-L6-v2 (Apache-2.0), each row rounded to 8 bits; see `weights/minilm/README.md`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from planwarden.planning.ranking.wordpiece import WordPiece

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "minilm"
WIDTH = 384
"""Numbers in an embedding."""
LAYERS, HEADS = 6, 12
MAX_TOKENS = 128
"""Of one text; what is beyond is not read."""
BATCH_TOKENS = 2_048
"""Tokens worked on at once, padding included."""
MAX_PADDED = 1.4
"""How much longer than the shortest text of a batch the longest may be."""
KEPT_TEXTS = 20_000
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        return x @ self.weight + self.bias


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + _EPSILON)
        return centred / spread * self.weight + self.bias


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: _Dense
    join: _Dense
    after_join: _Norm
    widen: _Dense
    narrow: _Dense
    after_narrow: _Norm

    def __call__(self, x: Floats, blocked: Floats) -> Floats:
        """Work on `x` (texts, tokens, WIDTH); `blocked` is −∞ where there is padding."""
        texts, tokens, _ = x.shape
        parts = self.attend(x).reshape(texts, tokens, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(WIDTH // HEADS)) + blocked
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        seen = (shares @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, WIDTH)
        x = self.after_join(x + self.join(seen))
        return self.after_narrow(x + self.narrow(_gelu(self.widen(x))))


class SentenceEncoder:
    """Embeds texts; keeps the newest embeddings. Loads its weights when it is first asked."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Take the folder of the weights."""
        self._folder = weights
        self._model: _Model | None = None
        self._threads: ThreadpoolController | None = None
        self._kept: OrderedDict[str, Floats] = OrderedDict()
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Give the embeddings, shape (len(texts), WIDTH), each of length 1."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
            found = dict(zip(missing, self._fresh(missing), strict=True)) if missing else {}
            self._kept |= found
            rows = [self._kept[text] for text in texts]
            while len(self._kept) > KEPT_TEXTS:
                self._kept.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, WIDTH), np.float32)

    def keep(self, texts: Sequence[str], embeddings: Floats) -> None:
        """Take embeddings that were made before, so that they are not made again."""
        with self._lock:
            self._kept |= dict(zip(texts, embeddings, strict=True))

    def _fresh(self, texts: Sequence[str]) -> Floats:
        if self._model is None or self._threads is None:
            self._model, self._threads = _load(self._folder), ThreadpoolController()
        # More threads than one wait for each other on a busy machine.
        one: Any = self._threads.limit(limits=1, user_api="blas")  # pyright: ignore[reportUnknownMemberType]
        with one:
            return self._model.encode(texts)


@dataclass(frozen=True, slots=True)
class _Model:
    cut: WordPiece
    words: NDArray[np.int8]
    word_scales: Floats
    positions: Floats
    first_norm: _Norm
    layers: tuple[_Layer, ...]

    def encode(self, texts: Sequence[str]) -> Floats:
        cut = [self.cut.ids(text, limit=MAX_TOKENS) for text in texts]
        out = np.empty((len(texts), WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda at: len(cut[at]))
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and _goes_with(len(cut[order[end]]), len(cut[order[start]]), end - start):
                end += 1
            chosen = order[start:end]
            out[chosen] = self._batch([cut[at] for at in chosen])
            start = end
        return out

    def _batch(self, cut: Sequence[Sequence[int]]) -> Floats:
        length = max(map(len, cut))
        ids = np.zeros((len(cut), length), np.int64)
        there = np.zeros((len(cut), length), np.float32)
        for row, own in enumerate(cut):
            ids[row, : len(own)] = own
            there[row, : len(own)] = 1.0
        x = self.words[ids].astype(np.float32) * self.word_scales[ids][..., None]
        x = self.first_norm(x + self.positions[:length])
        blocked = ((1.0 - there) * np.float32(-1e9))[:, None, None, :]
        for layer in self.layers:
            x = layer(x, blocked)
        pooled = (x * there[..., None]).sum(1) / there.sum(1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def _goes_with(length: int, shortest: int, count: int) -> bool:
    """Say whether one more text is worth working on together with `count` shorter ones: padding costs too."""
    return length * (count + 1) <= BATCH_TOKENS and length <= MAX_PADDED * shortest


def _load(folder: Path) -> _Model:
    vocabulary = {
        token: place for place, token in enumerate((folder / "vocab.txt").read_text("utf-8").split("\n"))
    }
    with np.load(folder / "layers.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}

    def dense(name: str) -> _Dense:
        weight = arrays[f"{name}_q"].astype(np.float32) * arrays[f"{name}_s"][:, None]
        return _Dense(np.ascontiguousarray(weight.T), arrays[f"{name}_b"])

    def norm(name: str) -> _Norm:
        return _Norm(arrays[f"{name}_w"], arrays[f"{name}_b"])

    layers = tuple(
        _Layer(
            attend=dense(f"{at}_qkv"),
            join=dense(f"{at}_out"),
            after_join=norm(f"{at}_n1"),
            widen=dense(f"{at}_up"),
            narrow=dense(f"{at}_down"),
            after_narrow=norm(f"{at}_n2"),
        )
        for at in range(LAYERS)
    )
    return _Model(
        cut=WordPiece(vocabulary),
        words=np.load(folder / "words.npy", mmap_mode="r"),
        word_scales=arrays["words_scale"],
        positions=arrays["positions"].astype(np.float32) + arrays["type0"],
        first_norm=norm("norm"),
        layers=layers,
    )


def _gelu(x: Floats) -> Floats:
    """Give the Gaussian error linear unit (Hendrycks & Gimpel 2016); erf by Abramowitz & Stegun, 7.1.26."""
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * z)
    series = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series *= t
        series += np.float32(factor)
    series *= t
    series *= np.exp(-z * z)
    return np.float32(0.5) * x * (np.float32(1) + np.copysign(np.float32(1) - series, x))
