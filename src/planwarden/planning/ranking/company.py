"""What speaks for each tool beside the others that are likely: rivals, partners, suppliers. Pure."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.lessons import PairKind, Recalled
from planwarden.planning.ranking.signals import Signals
from planwarden.planning.ranking.tool_index import ToolIndex

Floats: TypeAlias = NDArray[np.float32]
Probabilities: TypeAlias = NDArray[np.float64]

COMPANY = (
    "logit", "rank", "behind_best", "expected", "second", "partner", "follower", "forerunner", "supplies",
    "is_supplied", "like_a_likelier", "same_clause", "outbid", "outfitted", "likely_tools",
)  # fmt: skip
"""The columns of `company`."""
_LIKELY = 8
_DOUBT = 3.0
"""Added to counts, so that a pair seen once is not yet a rule."""


def company(probability: Probabilities, signals: Signals, tools: ToolIndex, recalled: Recalled) -> Floats:
    """Give the signals of each tool beside the likeliest ones, shape (tools, len(COMPANY)).

    Args:
        probability: of each tool by itself.
        signals: of each tool by itself.
        tools: the tools.
        recalled: what lessons say of pairs.
    """
    count = len(tools.names)
    order = np.argsort(-probability, kind="stable")
    likely = order[:_LIKELY]
    weight = probability[likely][:, None]

    def strongest(pairs: Floats) -> Floats:
        """Give the largest value over the likely tools, each weighted by its probability; none for itself."""
        weighted = pairs * weight
        weighted[np.arange(len(likely)), likely] = 0.0
        return weighted.max(0)

    logit = np.log(np.clip(probability, 1e-5, 1 - 1e-5) / np.clip(1 - probability, 1e-5, 1 - 1e-5))
    rank = np.empty(count)
    rank[order] = 1.0 / np.arange(1, count + 1)
    partner, follower, forerunner = _pairs(tools, likely, recalled)
    meaning = np.maximum(tools.embeddings[likely] @ tools.embeddings.T, 0.0)
    fit = signals.by_clause
    place = fit.argmax(0)
    own_fit = fit[place, np.arange(count)]
    same = (place[likely][:, None] == place[None, :]) * meaning
    others = likely[:, None] != np.arange(count)[None, :]
    rival_fit = fit[place][:, likely].T
    outbid = np.where(others, weight * rival_fit, 0.0).max(0) - probability * own_fit
    outfitted = np.where(others, rival_fit - own_fit, -np.inf).max(0) if count > 1 else np.zeros(count)
    columns = [
        logit, rank, logit - logit[order[0]], _all(float(probability.sum()), count),
        _all(float(probability[order[min(1, count - 1)]]), count), strongest(partner), strongest(follower),
        strongest(forerunner), strongest(supplied(tools, likely, giving=False)),
        strongest(supplied(tools, likely, giving=True)), strongest(meaning.copy()), strongest(same), outbid,
        outfitted, _all(float((probability > 0.3).sum()), count),
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def supplied(tools: ToolIndex, likely: NDArray[np.int64], *, giving: bool) -> Floats:
    """Give how alike names of tools and parameters of others are, shape (likely, tools).

    Args:
        tools: the tools.
        likely: rows of the likely ones.
        giving: a likely tool's name beside every tool's parameters; else every name beside a likely one's.
    """
    mine, theirs = (
        (tools.name_letters, tools.parameter_letters)
        if giving
        else (tools.parameter_letters, tools.name_letters)
    )
    return np.stack([theirs.likeness(mine.row(int(row)).spread()) for row in likely])


def _pairs(tools: ToolIndex, likely: NDArray[np.int64], recalled: Recalled) -> tuple[Floats, Floats, Floats]:
    """Give, for each likely tool, how often each tool stood with it, right after it, and right before it."""
    paired = recalled.book.paired
    some = [(place, tools.names[int(row)]) for place, row in enumerate(likely)]
    ours = [(place, name) for place, name in some if name in paired]
    others = [(row, name) for row, name in enumerate(tools.names) if name in paired]

    def table(kind: PairKind, *, turned: bool = False) -> Floats:
        found = np.zeros((len(some), len(tools.names)), np.float32)
        for place, a in ours:
            for row, b in others:
                found[place, row] = recalled.count(kind, (b, a) if turned else (a, b))
        return found

    together, after, ahead = table("together"), table("next"), table("next", turned=True)
    return _shares(together), _shares(after), _shares(ahead)


def _shares(table: Floats) -> Floats:
    return table / (table.sum(1, keepdims=True) + np.float32(_DOUBT))


def _all(value: float, count: int) -> NDArray[np.float64]:
    return np.full(count, value)
