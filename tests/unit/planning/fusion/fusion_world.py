"""What tests of fusion share: an offer, priors by probabilities, replies as tokens with alternatives."""

from __future__ import annotations

import math
from collections.abc import Mapping

from planwarden.llm.service import TokenAlternative, TokenChoice
from planwarden.planning.fusion.compose import Bounds
from planwarden.planning.notation.offer import Offer, OfferedTool, WaysOut
from planwarden.planning.prior import Prior, ToolPrior

WAYS = WaysOut(answer=True, ask=True)
NO_WAY = WaysOut(answer=False, ask=False)
NAMES = ("get_joke", "get_time", "encrypt", "search")


def offer(*names: str, ways_out: WaysOut = WAYS) -> Offer:
    return Offer(
        tools=tuple(OfferedTool(name=name, agents=("worker",)) for name in names or NAMES), ways_out=ways_out
    )


def prior(
    probabilities: Mapping[str, float] | None = None,
    *,
    links: Mapping[tuple[str, str], float] | None = None,
    agents: Mapping[str, tuple[tuple[str, float], ...]] | None = None,
    none: float = 0.02,
    **more: object,
) -> Prior:
    known = dict.fromkeys(NAMES, 0.3) if probabilities is None else probabilities
    tools = tuple(ToolPrior(name=name, probability=p) for name, p in known.items())
    callable_by = dict.fromkeys(known, (("worker", 1.0),)) | dict(agents or {})
    return Prior(
        tools=tuple(sorted(tools, key=lambda tool: -tool.probability)),
        agents=callable_by,
        links=dict(links or {}),
        none=none,
        ask=0.01,
        **more,  # pyright: ignore[reportArgumentType] - fields by name, each test gives the right type
    )


def bounds(
    *names: str,
    ways_out: WaysOut = WAYS,
    max_agents: int = 4,
    pairs: Mapping[str, tuple[str, ...]] | None = None,
) -> Bounds:
    return Bounds(pairs=pairs or {"worker": names or NAMES}, ways_out=ways_out, max_agents=max_agents)


def token(text: str, share: float = 1.0, others: Mapping[str, float] | None = None) -> TokenChoice:
    """Make a token that got `share`, beside others that got theirs; all before any grammar."""
    weights = {text: share, **(others or {})}
    alternatives = tuple(TokenAlternative(text=name, logprob=math.log(p)) for name, p in weights.items())
    return TokenChoice(text=text, logprob=math.log(share), alternatives=alternatives)


def certain(text: str) -> tuple[TokenChoice, ...]:
    """Make a reply of single characters, each without any rival."""
    return tuple(token(each) for each in text)
