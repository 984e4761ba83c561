"""What was measured of a model: how well it writes answers from evidence."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from planwarden.contracts.model import AnswerStyle, ModelIdentity
from planwarden.contracts.value import Contract, Probability

MIN_RIGHT = 0.8
"""Share of items that a model has to answer right for its prose to be used."""
MAX_INVENTED = 0.05
"""Share of items in which it may state a number that no evidence contains."""


class AnswerMeasurement(Contract):
    """How a model answered the items of `planwarden models measure`."""

    model: str
    """`measurement_key` of the model."""
    label: str
    """Its provider and name, for people."""
    items: Annotated[int, Field(ge=1)]
    items_digest: str
    """Of the items: figures of other items are not comparable."""
    right: Probability
    """Share answered right: the value stated, or said that the evidence lacks it; in the language asked in,
    with no number invented."""
    stated: Probability
    """Of the items whose evidence holds the answer: share in which it is stated."""
    cited: Probability
    """Of the same: share in which the model itself cited the right call."""
    admitted: Probability
    """Of the items whose evidence lacks the answer: share in which the model said so."""
    invented: Probability
    """Share of items with a number that no evidence contains."""
    language: Probability
    """Share answered in the language asked in."""
    failed: Probability
    """Share without any usable reply."""
    planwarden_version: str
    measured_on: str
    """Day, as YYYY-MM-DD."""

    @property
    def style(self) -> AnswerStyle:
        """Say whether these figures carry prose."""
        return "prose" if self.right >= MIN_RIGHT and self.invented <= MAX_INVENTED else "evidence"

    @property
    def summary(self) -> str:
        """Say the deciding figures in a few words."""
        return f"{self.right:.0%} of {self.items} items right, invented numbers in {self.invented:.0%}"


def measurement_key(identity: ModelIdentity) -> str:
    """Name a model for its measurement: by the digest of its weights, else by provider, endpoint and name."""
    return identity.digest or f"{identity.provider} {identity.endpoint or '-'} {identity.model}"
