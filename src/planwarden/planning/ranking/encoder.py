"""Sentence embeddings: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), tuned, in NumPy, 8 bits.

Six transformer layers over WordPiece tokens, mean-pooled, of length 1. The weights are those of the model
all-MiniLM-L6-v2 (Apache-2.0), tuned so that requests lie near the tools that do them (decision 0029), each
row rounded to 8 bits; see `weights/minilm/README.md`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.threads import HANDS, Hands, one_blas_thread
from planwarden.planning.ranking.wordpiece import WordPiece

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "minilm"
FORM = "minilm-l6-q8-90c24180a79f"
"""Names the weights by their digest: embeddings by others, and what was learned of them, are of no use."""
WIDTH = 384
"""Numbers in an embedding."""
LAYERS, HEADS = 6, 12
MAX_TOKENS = 128
"""Of one text; what is beyond is not read."""
BATCH_TOKENS = 512
"""Tokens worked on at once."""
WORTH_SHARING = 24
"""Tokens; fewer are not shared out."""
KEPT_TEXTS = 20_000
_EPSILON = 1e-12
_GELU_ROWS = 64


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        made = x @ self.weight
        made += self.bias
        return made


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + _EPSILON)
        centred /= spread
        centred *= self.weight
        centred += self.bias
        return centred


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: _Dense
    join: _Dense
    after_join: _Norm
    widen: _Dense
    narrow: _Dense
    after_narrow: _Norm

    def __call__(self, x: Floats, groups: Sequence[_Alike]) -> Floats:
        """Work on `x` (tokens, WIDTH), the tokens of all texts one after the other."""
        parts = self.attend(x)
        seen = np.empty_like(x)
        for group in groups:
            seen[group.first : group.end] = group.attended(parts[group.first : group.end])
        x = self.after_join(x + self.join(seen))
        return self.after_narrow(x + self.narrow(_gelu(self.widen(x))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alike:
    """Texts of one length that stand one after the other; only attention looks at texts apart."""

    texts: int
    length: int
    first: int
    """The first token of them all."""

    @property
    def end(self) -> int:
        """Give where they end."""
        return self.first + self.texts * self.length

    def attended(self, parts: Floats) -> Floats:
        """Give what each token sees of its text, from queries, keys and values, shape (tokens, 3 · WIDTH)."""
        shape = (self.texts, self.length, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.reshape(shape).transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2)
        scores /= np.float32(math.sqrt(WIDTH // HEADS))
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        return (scores @ value).transpose(0, 2, 1, 3).reshape(-1, WIDTH)


class SentenceEncoder:
    """Embeds texts; keeps the newest embeddings. Loads its weights when it is first asked."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Take the folder of the weights."""
        self._folder = weights
        self._model: _Model | None = None
        self._hands = Hands()
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
        if self._model is None:
            self._model = _load(self._folder)
        with one_blas_thread():
            return self._model.encode(texts, self._hands)


@dataclass(frozen=True, slots=True)
class _Model:
    cut: WordPiece
    words: NDArray[np.int8]
    word_scales: Floats
    positions: Floats
    first_norm: _Norm
    layers: tuple[_Layer, ...]

    def encode(self, texts: Sequence[str], hands: Hands) -> Floats:
        cut = [self.cut.ids(text, limit=MAX_TOKENS) for text in texts]
        out = np.empty((len(texts), WIDTH), np.float32)

        def work(chosen: Sequence[int]) -> None:
            out[chosen] = self._batch([cut[at] for at in chosen])

        hands.work(list(_batches([len(own) for own in cut])), work)
        return out

    def _batch(self, cut: Sequence[Sequence[int]]) -> Floats:
        """Embed texts that are sorted by length."""
        ids = np.array([each for own in cut for each in own], np.int64)
        groups: list[_Alike] = []
        for length, own in groupby(map(len, cut)):
            first = groups[-1].end if groups else 0
            groups.append(_Alike(texts=len(list(own)), length=length, first=first))
        places = np.concatenate([np.tile(np.arange(each.length), each.texts) for each in groups])
        x = self.words[ids].astype(np.float32) * self.word_scales[ids][:, None]
        x = self.first_norm(x + self.positions[places])
        for layer in self.layers:
            x = layer(x, groups)
        pooled = np.concatenate(
            [x[each.first : each.end].reshape(each.texts, each.length, WIDTH).mean(1) for each in groups]
        )
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Share texts out into batches of texts of like length: two at least, so that two processors can work."""
    whole = sum(lengths)
    most = BATCH_TOKENS if whole > HANDS * BATCH_TOKENS else max(WORTH_SHARING, -(-whole // HANDS))
    batch, tokens = list[int](), 0
    for at in sorted(range(len(lengths)), key=lambda at: lengths[at]):
        if batch and tokens + lengths[at] > most:
            yield batch
            batch, tokens = [], 0
        batch.append(at)
        tokens += lengths[at]
    yield batch


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
    """Give the Gaussian error linear unit (Hendrycks & Gimpel 2016); erf by Abramowitz & Stegun, 7.1.26.

    A few rows at a time, so that what is worked on stays in the processor's own memory.
    """
    out = np.empty_like(x)
    for at in range(0, len(x), _GELU_ROWS):
        _gelu_into(x[at : at + _GELU_ROWS], out[at : at + _GELU_ROWS])
    return out


def _gelu_into(x: Floats, out: Floats) -> None:
    z = np.abs(x)
    z *= np.float32(0.7071067811865476)
    t = z * np.float32(0.3275911)
    t += np.float32(1)
    np.divide(np.float32(1), t, out=t)
    series = t * np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += np.float32(factor)
        series *= t
    z *= z
    np.negative(z, out=z)
    np.exp(z, out=z)
    series *= z
    np.subtract(np.float32(1), series, out=series)
    np.copysign(series, x, out=series)
    series += np.float32(1)
    np.multiply(x, np.float32(0.5), out=out)
    out *= series
