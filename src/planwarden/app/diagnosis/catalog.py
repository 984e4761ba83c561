"""The catalog and its policies: who may do what, who can do nothing, what could not be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planwarden.app.trials import Trial
from planwarden.catalog.catalog import FALLBACK_AGENT
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.contracts.finding import Finding
from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.verdict import Allowed, Denied
from planwarden.tools.builtin import NETWORK_TOOLS

_DISABLED = "disabled in the catalog file"


def look_at_catalog(world: AssembledCatalog) -> tuple[Finding, ...]:
    """Look at agents, aliases and policies."""
    catalog = world.catalog
    pairs = [(agent, tool) for agent, spec in catalog.agents.items() for tool in spec.tools]
    allowed = sum(isinstance(world.policy.decide(agent, tool), Allowed) for agent, tool in pairs)
    loads = Finding(
        check="catalog",
        status="ok",
        detail=f"{len(catalog.agents)} agents, {len(catalog.tools)} tools, {len(catalog.aliases)} aliases;"
        f" policy allows {allowed} of {len(pairs)} pairs of agent and tool; {catalog.digest[:19]}…",
        figures={
            "agents": len(catalog.agents),
            "tools": len(catalog.tools),
            "aliases": {**catalog.aliases},
            "allowed_pairs": allowed,
            "digest": catalog.digest,
        },
    )
    return (loads, *_idle_agents(world), *_no_fallback(world))


def _idle_agents(world: AssembledCatalog) -> Iterator[Finding]:
    for name, spec in world.catalog.agents.items():
        if name not in world.policy.agents:
            yield Finding(
                check=f"policy of {name}",
                status="warning",
                detail=f"nobody wrote a policy for agent '{name}': it may call nothing",
                remedy=f"In planwarden.yaml, under `policies`: {name}: {{rules: [{{name: own-tools,"
                f" allow: [{', '.join(spec.tools)}]}}]}}",
            )
        elif spec.tools and all(isinstance(world.policy.decide(name, tool), Denied) for tool in spec.tools):
            reasons = {world.policy.decide(name, tool).reason for tool in spec.tools}
            yield Finding(
                check=f"policy of {name}",
                status="warning",
                detail=f"policy denies agent '{name}' every tool it has ({'; '.join(sorted(reasons))})",
                remedy=f"In planwarden.yaml, under `policies`, let a rule of {name} allow one of:"
                f" {', '.join(spec.tools)}; or remove the agent.",
            )


def _no_fallback(world: AssembledCatalog) -> Iterator[Finding]:
    if FALLBACK_AGENT not in world.catalog.agents:
        yield Finding(
            check="fallback plan",
            status="warning",
            detail=f"there is no agent '{FALLBACK_AGENT}': where the planner fails, no plan can be made",
            remedy=f"Add an agent {FALLBACK_AGENT} to planwarden.yaml; `planwarden init` writes one to copy.",
        )


def look_at_tools(world: AssembledCatalog, trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """Look at every tool, how it did in its own examples, and at every one that was left out."""
    tools = [_tried(_tool(world, name), trials) for name in world.catalog.tools]
    left_out = [_left_out(name, reason, world) for name, reason in world.left_out.items()]
    return (*tools, *left_out)


def _tool(world: AssembledCatalog, name: str) -> Finding:
    spec = world.catalog.tools[name]
    owners = [agent for agent, each in world.catalog.agents.items() if name in each.tools]
    users = [agent for agent in owners if not isinstance(world.policy.decide(agent, name), Denied)]
    fault = schema_fault(spec.parameters)
    if fault is None and spec.output != "opaque":
        fault = schema_fault(spec.output)
    if fault is not None:
        return Finding(
            check=name,
            status="bad",
            detail=f"its schema cannot be used: {fault}",
            remedy=f"Mend the types in the function of {name}; see docs/guides/tool.md.",
        )
    if not owners:
        return Finding(
            check=name,
            status="warning",
            detail="no agent has it, so it is never planned",
            remedy=f"In planwarden.yaml, add {name} to the `tools` of an agent and allow it in its policy.",
        )
    if not users:
        return Finding(
            check=name,
            status="warning",
            detail=f"policy denies it to every agent that has it ({', '.join(owners)})",
            remedy=f"In planwarden.yaml, under `policies`: {owners[0]}: let a rule allow {name}.",
        )
    return Finding(
        check=name, status="ok", detail=f"{spec.effect}, for {', '.join(users)}", figures={"agents": [*users]}
    )


def _tried(found: Finding, trials: Sequence[Trial]) -> Finding:
    """Add to what was found of a tool how its own examples went."""
    own = [trial for trial in trials if trial.tool == found.check]
    failed = [trial for trial in own if trial.outcome == "failed"]
    if failed and found.status != "bad":
        said = f"its example '{failed[0].request}' fails: {failed[0].problems[0]}"
        remedy = f"planwarden tools test {found.check}"
        return found.model_copy(update={"status": "bad", "detail": said, "remedy": remedy})
    worked = sum(trial.outcome == "ok" for trial in own)
    said = f"{worked} of its examples tried" if worked else "none of its examples could be tried here"
    return found.model_copy(update={"detail": f"{found.detail}; {said}"})


def _left_out(name: str, reason: str, world: AssembledCatalog) -> Finding:
    off = reason == _DISABLED or name in NETWORK_TOOLS
    remedy = "" if off else "planwarden doctor --data PATH, with a file that has what is missing"
    kind = "tool" if "." in name or name in world.tools else "agent"
    return Finding(
        check=name,
        status="skipped" if off else "warning",
        detail=f"{kind} left out: {reason}",
        remedy=remedy,
    )
