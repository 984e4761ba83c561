"""Catalog ∩ policy, worked out once for the same digests: the policy is asked about every tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.verdict import Denied
from planwarden.policy.rules import ToolPolicy

KEPT = 16
"""Pairs of catalog and policy."""

Places = Mapping[str, int]
"""Tool → its place in an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """What agents may call."""

    pairs: Mapping[str, tuple[str, ...]]
    """Agent → tools it has and policy does not deny; only agents with any."""
    own: Mapping[str, Places]
    """The same, to look a tool up in."""
    usable: Places
    """Every tool that any agent may call, in the order of `pairs`."""

    def has(self, tool: str) -> bool:
        """Say whether any agent may call a tool."""
        return tool in self.usable


def permitted(catalog: Catalog, policy: ToolPolicy) -> Permitted:
    """Give catalog ∩ policy; what was worked out for the same digests is kept."""
    return _permitted(_Asked(catalog, policy, (catalog.digest, policy.digest)))


def allowed_pairs(catalog: Catalog, policy: ToolPolicy) -> dict[str, tuple[str, ...]]:
    """Give catalog ∩ policy: agent → tools it has and policy does not deny. Pure."""
    pairs = {
        agent: tuple(tool for tool in spec.tools if not isinstance(policy.decide(agent, tool), Denied))
        for agent, spec in catalog.agents.items()
    }
    return {agent: tools for agent, tools in pairs.items() if tools}


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    catalog: Catalog
    policy: ToolPolicy
    key: tuple[str, str]

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.key == other.key


@lru_cache(maxsize=KEPT)
def _permitted(asked: _Asked) -> Permitted:
    pairs = allowed_pairs(asked.catalog, asked.policy)
    usable = dict.fromkeys(tool for tools in pairs.values() for tool in tools)
    return Permitted(
        pairs=pairs,
        own={agent: {tool: place for place, tool in enumerate(tools)} for agent, tools in pairs.items()},
        usable={tool: place for place, tool in enumerate(usable)},
    )
