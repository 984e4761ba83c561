"""The checked set of agents, tools and tool aliases. Immutable; has a digest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.specs import AgentSpec, ToolSpec
from planwarden.contracts.value import Contract, canonical_json, digest_bytes
from planwarden.errors import CatalogRejected

FALLBACK_AGENT = "general_agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogProblem:
    """One mistake: where (path of keys in the catalog file), what, and what to do."""

    path: tuple[str | int, ...]
    message: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Agents and tools by name; every reference between them resolves."""

    agents: Mapping[str, AgentSpec]
    tools: Mapping[str, ToolSpec]
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def digest(self) -> str:
        """Name this catalog by its content, the order too, in which a planner model is shown it.

        Worked out once, for it takes long for thousands of tools.
        """
        return digest_bytes(self.body)

    @cached_property
    def body(self) -> bytes:
        """Write this catalog as canonical JSON; `read_catalog` reads it back."""
        return canonical_json(
            {
                "agents": [agent.model_dump(mode="json") for agent in self.agents.values()],
                "tools": [tool.model_dump(mode="json") for tool in self.tools.values()],
                "aliases": dict(self.aliases),
            }
        )

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Give each tool's place in the catalog's order."""
        return {name: place for place, name in enumerate(self.tools)}

    def canonical(self, tool: str) -> str:
        """Give the tool's own name where an alias was used; other names come back as they are."""
        return self.aliases.get(tool, tool)

    def tools_of(self, agent: str) -> tuple[str, ...]:
        """Give the names of the agent's tools; empty for an agent that is not there."""
        spec = self.agents.get(agent)
        return spec.tools if spec else ()


class _Body(Contract):
    agents: tuple[AgentSpec, ...]
    tools: tuple[ToolSpec, ...]
    aliases: dict[str, str]


def read_catalog(body: bytes) -> Catalog:
    """Read a catalog back from its canonical JSON: the very same, with the same digest.

    Raises:
        ValueError: these bytes are not a catalog as this Planwarden writes one.
    """
    read = _Body.model_validate(json.loads(body.decode("utf-8", "surrogatepass")))
    catalog = Catalog(
        agents={agent.name: agent for agent in read.agents},
        tools={tool.name: tool for tool in read.tools},
        aliases=read.aliases,
    )
    if catalog.body != body:
        msg = "it was written by another version of Planwarden"
        raise ValueError(msg)
    return catalog


def catalog_problems(
    agents: Iterable[AgentSpec], tools: Iterable[ToolSpec], aliases: Mapping[str, str]
) -> tuple[CatalogProblem, ...]:
    """Find every mistake in a would-be catalog. Pure."""
    agent_list, tool_list = tuple(agents), tuple(tools)
    names = {tool.name for tool in tool_list}
    return (
        *_duplicates("agents", [agent.name for agent in agent_list]),
        *_duplicates("tools", [tool.name for tool in tool_list]),
        *(problem for tool in tool_list for problem in _tool_problems(tool, names)),
        *(problem for agent in agent_list for problem in _agent_problems(agent, names, aliases)),
        *_alias_problems(aliases, names),
    )


def build_catalog(
    agents: Iterable[AgentSpec], tools: Iterable[ToolSpec], aliases: Mapping[str, str] | None = None
) -> Catalog:
    """Check and build a catalog; aliases in agents' tool lists are resolved.

    Raises:
        CatalogRejected: the first mistake, with its place.
    """
    agent_list, tool_list, alias_map = tuple(agents), tuple(tools), dict(aliases or {})
    for problem in catalog_problems(agent_list, tool_list, alias_map):
        place = ".".join(str(part) for part in problem.path)
        raise CatalogRejected(f"Catalog, {place}: {problem.message}.", remedy=problem.remedy)

    def resolved(agent: AgentSpec) -> AgentSpec:
        own = tuple(dict.fromkeys(alias_map.get(name, name) for name in agent.tools))
        return agent.model_copy(update={"tools": own})

    return Catalog(
        agents={agent.name: resolved(agent) for agent in agent_list},
        tools={tool.name: tool for tool in tool_list},
        aliases=alias_map,
    )


def _duplicates(section: str, names: list[str]) -> Iterable[CatalogProblem]:
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        yield CatalogProblem(
            path=(section, name),
            message=f"'{name}' is declared twice",
            remedy="Rename or remove one of them.",
        )


def _tool_problems(tool: ToolSpec, names: set[str]) -> Iterable[CatalogProblem]:
    here = ("tools", tool.name)
    for alternative in tool.alternatives:
        if alternative not in names or alternative == tool.name:
            yield CatalogProblem(
                path=(*here, "alternatives"),
                message=f"'{alternative}' is not another tool of this catalog",
                remedy=f"Name one of: {', '.join(sorted(names - {tool.name}))}.",
            )
    for which, schema in (("parameters", tool.parameters), ("output", tool.output)):
        if isinstance(schema, str):
            continue
        if fault := schema_fault(schema):
            yield CatalogProblem(
                path=(*here, which),
                message=f"not a JSON Schema: {fault}",
                remedy="Write a JSON Schema of draft 2020-12.",
            )
    if tool.parameters.get("type") != "object" or tool.parameters.get("additionalProperties") is not False:
        yield CatalogProblem(
            path=(*here, "parameters"),
            message="not a closed object",
            remedy="Give it 'type: object' and 'additionalProperties: false'.",
        )


def _agent_problems(
    agent: AgentSpec, names: set[str], aliases: Mapping[str, str]
) -> Iterable[CatalogProblem]:
    for position, tool in enumerate(agent.tools):
        if tool not in names and tool not in aliases:
            yield CatalogProblem(
                path=("agents", agent.name, "tools", position),
                message=f"agent '{agent.name}' names tool '{tool}', which this catalog does not have",
                remedy=f"Name one of: {', '.join(sorted(names))}; or declare it under 'tools'.",
            )
    if not agent.tools and not agent.may_answer_without_tools:
        yield CatalogProblem(
            path=("agents", agent.name),
            message=f"agent '{agent.name}' has no tools and may not answer without any, so it can do nothing",
            remedy="Give it tools, or 'may_answer_without_tools: true'.",
        )


def _alias_problems(aliases: Mapping[str, str], names: set[str]) -> Iterable[CatalogProblem]:
    for alias, target in aliases.items():
        if target not in names:
            yield CatalogProblem(
                path=("aliases", alias),
                message=f"'{alias}' points at '{target}', which is no tool of this catalog",
                remedy=f"Point it at one of: {', '.join(sorted(names))}.",
            )
        if alias in names:
            yield CatalogProblem(
                path=("aliases", alias),
                message=f"'{alias}' is both an alias and a tool",
                remedy="Rename the alias.",
            )
