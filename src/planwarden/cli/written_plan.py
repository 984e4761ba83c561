"""A plan as a person types it on a command line: `--tools [AGENT/]TOOL,…`, once for each step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.verdict import Denied
from planwarden.errors import InputError
from planwarden.policy.rules import ToolPolicy


def written_plan(steps: Sequence[str], catalog: Catalog, policy: ToolPolicy, *, parallel: bool) -> str:
    """Write the plan of schema version 2 that these words mean, still to be validated. Pure.

    Args:
        steps: each `[AGENT/]TOOL,…`; without any, the way out: nothing fits.
        catalog: finds the agent of a step that names none.
        policy: likewise.
        parallel: no step builds on another; else each on the one before.

    Raises:
        InputError: the agent that is meant cannot be told.
    """
    written: list[dict[str, Any]] = []
    for position, step in enumerate(steps, start=1):
        agent, _, listed = step.rpartition("/")
        tools = [catalog.canonical(name.strip()) for name in listed.split(",") if name.strip()]
        if not tools:
            raise InputError(
                f"--tools '{step}' names no tool.", remedy="For example --tools finance.snapshot."
            )
        after = [f"s{position - 1}"] if position > 1 and not parallel else []
        name = agent.strip() or _agent_of(tools, catalog, policy)
        written.append({"id": f"s{position}", "agent": name, "tools": tools, "depends_on": after})
    metadata = {"source": "edited", "handoff_strategy": "parallel" if parallel else "sequential"}
    if not written:
        written = [{"id": "s1", "agent": FALLBACK_AGENT}]
        metadata["way_out"] = "answer_without_tools"
    return json.dumps({"schema_version": 2, "steps": written, "metadata": metadata, "confidence": 0.0})


def _agent_of(tools: Sequence[str], catalog: Catalog, policy: ToolPolicy) -> str:
    """Give the one agent that has all these tools and may call them.

    Raises:
        InputError: there is none, or several.
    """
    unknown = [tool for tool in tools if tool not in catalog.tools]
    if unknown:
        raise InputError(
            f"There is no tool '{unknown[0]}'.", remedy="`planwarden tools` lists them; check the spelling."
        )
    able = [
        agent
        for agent in catalog.agents
        if all(
            tool in catalog.tools_of(agent) and not isinstance(policy.decide(agent, tool), Denied)
            for tool in tools
        )
    ]
    named = ",".join(tools)
    if len(able) == 1:
        return able[0]
    if able:
        choices = ", ".join(f"{agent}/{named}" for agent in able)
        raise InputError(f"Several agents may call {named}.", remedy=f"Say which: {choices}.")
    raise InputError(
        f"No agent may call {named} in one step.",
        remedy="Give each step its own --tools; `planwarden tools` lists who may call what.",
    )
