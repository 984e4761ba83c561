"""How made-up tools behave: as they should, or in a way in which tools go wrong or turn against you."""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

from planwarden.evaluation.soak.world.archetypes import Archetype

Habit = Literal[
    "honest",
    "fails",
    "fails_first",
    "crashes",
    "hangs",
    "leaves",
    "cancels",
    "no_json",
    "not_finite",
    "huge",
    "deep",
    "mutates",
    "keeps",
    "injects",
    "steals",
]
"""`leaves`: raises what ends a program; `cancels`: what stops a task; `mutates`: writes into its arguments;
`keeps`: changes its result after it gave it; `injects`: its result tells the model to call something;
`steals`: takes the session out of its caller's hands and calls by itself."""

HABITS: tuple[Habit, ...] = get_args(Habit)
READ_ONLY: frozenset[Habit] = frozenset({"no_json", "not_finite", "huge", "deep"})
"""Not of tools with an effect: each would only be in doubt, and a person be asked, over and over."""


def habit_of(tool: Archetype, rng: Random) -> Habit:
    """Choose how a tool behaves; half of them behave."""
    if rng.random() < 0.4:
        return "honest"
    usual: tuple[Habit, ...] = ("injects", "injects", "steals", "steals", "steals", "fails", "fails_first")
    habits: list[Habit] = [
        each for each in (*HABITS, *usual) if tool.effect == "read" or each not in READ_ONLY
    ]
    return rng.choice(habits)
