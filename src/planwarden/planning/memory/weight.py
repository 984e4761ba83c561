"""How much a remembered plan counts: by who taught it and how long ago. Pure."""

from __future__ import annotations

from datetime import datetime

from planwarden.contracts.memory import Origin, RememberedPlan

HALF_LIFE_DAYS = 90.0
"""After so many days a remembered plan counts half: tools and habits change within months, not within days.
Chosen, not measured: no record of half a year's runs is at hand."""
BY_ORIGIN: dict[Origin, float] = {"edit": 3.0, "example": 2.0, "run": 1.0, "file": 1.0}
"""A person who wrote the plan that then worked knew best; then one who wrote an example; then a run that was
planned by a model and worked. Chosen, not measured."""


def weight(remembered: RememberedPlan, now: datetime) -> float:
    """Give the weight, above 0 and at most 3: origin × 0.5 ^ (age ÷ 90 days).

    One without a time has no age; neither has one from the future, which a clock that was set back leaves.
    """
    age_days = 0.0
    if remembered.at is not None:
        age_days = max(0.0, (now - remembered.at).total_seconds() / 86_400)
    return BY_ORIGIN[remembered.origin] * max(0.5 ** (age_days / HALF_LIFE_DAYS), 1e-9)
