"""Everything that a plan is made of, before anything is weighed: for calibration, which finds the weights."""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.planning.fusion.compose import Bounds
from planwarden.planning.fusion.evidence import ModelEvidence
from planwarden.planning.notation.offer import Offer
from planwarden.planning.prior import Prior


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What was known of a task, what the model said of it, and what a plan must keep within."""

    prior: Prior
    evidence: ModelEvidence | None
    """None where the model gave nothing usable."""
    bounds: Bounds
    offer: Offer
    """What the model was shown."""
