"""Whether a request leans on what was asked before it, judged by scores and arguments alone. Pure.

"And for MSFT?" says which value, not which tool: it is heard as the request before it. "How volatile was it?"
says which tool, not which value: it is heard by itself, and its value is taken over when the arguments are
filled in. No word decides that: only what retrieval scores for each request by itself, and which arguments
of the tools at hand each of them names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.specs import JsonSchema
from planwarden.tools.grounding import lacking_arguments, named_arguments, without_values

Scores = Mapping[str, float]
"""Tool → how well retrieval scores it for a text; only tools that share a word with it."""
Scored = Callable[[str], Scores]

AS_STRONG = 0.75
"""A request whose best score is at least this share of the earlier one's says by itself which tool."""
WEAK = 0.5
"""One below this share does not."""
NEAR = 0.9
"""Tools this near the best one count as what a request asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request of a conversation, as retrieval heard it."""

    text: str
    """What asks for tools: its own words, or the earlier request's where it only names a value."""
    scores: Scores

    @property
    def best(self) -> float:
        """Give the best score; 0 where no tool shares a word with it."""
        return max(self.scores.values(), default=0.0)

    @property
    def asked_for(self) -> tuple[str, ...]:
        """Give the tools near the best, best first."""
        near = [tool for tool, score in self.scores.items() if score >= NEAR * self.best > 0]
        return tuple(sorted(near, key=lambda tool: -self.scores[tool]))


def in_conversation(request: str, earlier: Sequence[str], catalog: Catalog, scored: Scored) -> Heard:
    """Hear a request in the light of the ones before it; as it is where it stands by itself.

    Args:
        request: what was asked.
        earlier: requests before it, oldest first; each may lean on the ones before it in turn.
        catalog: where the tools' parameters come from.
        scored: retrieval.
    """
    heard = Heard(text=request, scores=scored(request))
    if not earlier:
        return heard
    before = in_conversation(earlier[-1], earlier[:-1], catalog, scored)
    named = [tool for tool in before.asked_for if _names_value(tool, request, catalog)]
    if named and _leaves_the_tool_open(heard, named, before, catalog, scored):
        bare = without_values(catalog.tools[named[0]].parameters, request)
        return Heard(text=before.text, scores=_added(scored(bare), before.scores))
    return heard


def _leaves_the_tool_open(
    request: Heard, named: Sequence[str], before: Heard, catalog: Catalog, scored: Scored
) -> bool:
    """Say whether a request names a value for what was asked before, and beside it no tool as strongly.

    A request that names every argument of its own best tool, and says more than values, stands by itself.
    """
    bare = scored(without_values(catalog.tools[named[0]].parameters, request.text))
    if max(bare.values(), default=0.0) >= AS_STRONG * before.best:
        return False
    weak = request.best < WEAK * before.best
    complete = [
        tool
        for tool in request.asked_for
        if _required(tool, catalog) and not _lacking(tool, request.text, catalog)
    ]
    return weak or not any(tool in bare for tool in complete)


def _added(one: Scores, other: Scores) -> Scores:
    return {tool: one.get(tool, 0.0) + other.get(tool, 0.0) for tool in dict.fromkeys((*one, *other))}


def _names_value(tool: str, text: str, catalog: Catalog) -> bool:
    """Say whether a text names a value of a required argument, or of one with a closed set of values."""
    parameters = catalog.tools[tool].parameters
    properties = cast("dict[str, JsonSchema]", parameters.get("properties", {}))
    telling = _required(tool, catalog) | {
        name for name, wanted in properties.items() if wanted.keys() & {"enum", "examples"}
    }
    return bool(named_arguments(parameters, text) & telling)


def _required(tool: str, catalog: Catalog) -> frozenset[str]:
    return frozenset(cast("list[str]", catalog.tools[tool].parameters.get("required", [])))


def _lacking(tool: str, text: str, catalog: Catalog) -> frozenset[str]:
    return lacking_arguments(catalog.tools[tool].parameters, text)
