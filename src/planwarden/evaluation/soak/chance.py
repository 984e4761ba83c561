"""Chance that repeats: the same names, the same numbers."""

from __future__ import annotations

from random import Random


def chance(*names: object) -> Random:
    """Give a source of numbers that is told by these names alone."""
    return Random("/".join(map(str, names)))  # noqa: S311 - it has to repeat, not to be secret
