"""Training an adapter: epochs of freshly drawn examples, AdamW, a cosine schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from planwarden.tuning.batches import END, Encoded, batched, chat
from planwarden.tuning.examples import TrainingExample, examples
from planwarden.tuning.lessons import Lesson
from planwarden.tuning.libraries import library
from planwarden.tuning.llama import AdaptedLlama, Lora, Matrices
from planwarden.tuning.weights import OpenWeights, Tokens

WARM_UP = 20
"""Steps until the learning rate is reached."""
LAST_SHARE = 0.05
"""Of the learning rate, at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train; the defaults are those of the adapter that ships."""

    epochs: int = 8
    learning_rate: float = 4e-4
    lora: Lora = field(default_factory=Lora)
    batch_tokens: int = 2_048
    longest: int = 460
    """Tokens of prompt and reply; longer examples are left out."""
    seed: int = 7
    device: str = "cpu"
    most_steps: int | None = None
    """Stop there, for a try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far training is."""

    number: int
    of: int
    loss: float
    """Cross-entropy per token of the replies of this batch, in nats; replies weigh by the root of their
    length."""


def train(
    lessons: Sequence[Lesson],
    weights: OpenWeights,
    recipe: Recipe,
    progress: Callable[[Step], None],
    start: Matrices | None = None,
) -> AdaptedLlama:
    """Teach a model; blocks for minutes to hours. Goes on from the adapter `start`, where there is one.

    Raises:
        SettingsRejected: PyTorch is missing.
    """
    torch = library("torch")
    random = Random(recipe.seed)  # noqa: S311 - drawing examples, not secrets
    tokens = weights.tokenizer()
    plan = [
        batch
        for _ in range(recipe.epochs)
        for batch in batched(
            [encode(each, tokens) for each in examples(lessons, random)],
            tokens=recipe.batch_tokens,
            longest=recipe.longest,
            random=random,
        )
    ][: recipe.most_steps]
    model = AdaptedLlama(weights, recipe.lora, device=recipe.device, seed=recipe.seed, start=start)
    optimiser = torch.optim.AdamW(model.parameters, weight_decay=0.01, betas=(0.9, 0.98))
    for number, batch in enumerate(plan):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _share(number, len(plan))
        loss = _loss(torch, model, batch, recipe.device)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters, 1.0)
        optimiser.step()
        progress(Step(number=number + 1, of=len(plan), loss=loss.item()))
    return model


def encode(example: TrainingExample, tokens: Tokens) -> Encoded:
    """Cut an example into tokens; the reply's end belongs to it."""
    prompt, reply = tokens.ids(chat(example.messages)), tokens.ids(example.target + END)
    return Encoded(tuple(prompt), tuple(reply))


def _share(step: int, of: int) -> float:
    falling = LAST_SHARE + (1.0 - LAST_SHARE) * 0.5 * (1.0 + math.cos(math.pi * step / of))
    return min(1.0, (step + 1) / WARM_UP) * falling


def _loss(torch: Any, model: AdaptedLlama, batch: Sequence[Encoded], device: str) -> Any:  # noqa: ANN401 - tensors
    """Give the cross-entropy over the replies; padding stands behind them, where nothing looks at it."""
    widest = max(map(len, batch))
    ids = torch.tensor(
        [[*each.prompt, *each.reply, *[0] * (widest - len(each))] for each in batch], device=device
    )
    learned = [
        (row, len(each.prompt) - 1 + place, token, len(each.reply) ** -0.5)
        for row, each in enumerate(batch)
        for place, token in enumerate(each.reply)
    ]
    rows, places, wanted, weights = (
        torch.tensor(column, device=device) for column in zip(*learned, strict=True)
    )
    logits = model.logits(ids, rows, places)
    each = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    return (each * weights).sum() / weights.sum()
