"""What a policy says about one call: a closed union, always with the rule and the reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planwarden.contracts.value import Contract


class Allowed(Contract):
    """The call may go ahead."""

    verdict: Literal["allowed"] = "allowed"
    rule: str
    reason: str


class Denied(Contract):
    """The call must not happen."""

    verdict: Literal["denied"] = "denied"
    rule: str
    reason: str


class NeedsApproval(Contract):
    """The call waits for a person."""

    verdict: Literal["needs_approval"] = "needs_approval"
    rule: str
    reason: str


Verdict = Annotated[Allowed | Denied | NeedsApproval, Field(discriminator="verdict")]
