"""The data card beside a tuned adapter: what it was trained on, how, and what came of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from planwarden.evaluation.intervals import Estimate
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.planning.prompt import PROMPT_VERSION
from planwarden.tuning.judging import Tuned
from planwarden.tuning.training import Recipe


def data_card(tuned: Tuned, learned: Sequence[PlanTask], recipe: Recipe, base: str) -> str:
    """Write the card.

    Args:
        tuned: what came of the tuning.
        learned: the tasks that were trained on.
        recipe: how.
        base: digest of the weights.
    """
    sources = Counter(task.source for task in learned)
    counted = ", ".join(f"{source} ({count})" for source, count in sorted(sources.items()))
    verdict = tuned.verdict
    lines = (
        "# Tuned planner",
        "",
        f"- Adapter for the weights {base}, for prompts of version {PROMPT_VERSION}.",
        f"- Trained on {tuned.trained_on} tasks: {counted}. Held out and never trained on: {tuned.held_out}.",
        f"- Training {tuned.began}.",
        f"- LoRA of rank {recipe.lora.rank} on all linear layers.",
        f"- {_how_long(recipe)}, learning rate {recipe.learning_rate:g}, seed {recipe.seed}.",
        "- Node-F1 on the held-out tasks, the model alone:",
        f"  {_said(verdict.before)} before, {_said(verdict.after)} after; gain {_said(verdict.gain)}.",
        f"- Seconds a plan: {tuned.seconds_before:.2f} before, {tuned.seconds_after:.2f} after.",
        f"- {'Installed.' if tuned.installed else 'Not installed: it is not better beyond doubt.'}",
        "",
    )
    return "\n".join(lines)


def _how_long(recipe: Recipe) -> str:
    stopped = "" if recipe.most_steps is None else f", stopped after {recipe.most_steps} steps at the latest"
    return f"{recipe.epochs:g} {'epoch' if recipe.epochs == 1 else 'epochs'}{stopped}"


def _said(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
