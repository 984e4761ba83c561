"""What nobody works on: runs that are not over and have no living owner, and facts left in inboxes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much of each there is, as far as the index over runs is up to date."""

    interrupted: int = 0
    """Runs that could go on at once: they wait for no person, and their owner is gone."""
    waiting: int = 0
    """Runs that wait for a person's approval, with no owner."""
    in_doubt: int = 0
    """Runs that wait for a person to say whether a call happened, with no owner."""
    posted: int = 0
    """Facts that were left for the owner of a run and are not in its record yet."""
