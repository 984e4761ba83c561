"""A task's own tools as a catalog and a policy: all in the hands of one agent. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.specs import AgentSpec, JsonSchema, ToolSpec
from planwarden.evaluation.plan_tasks import OfferedTool, PlanTask
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

NO_PARAMETERS: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
MAX_NAME, MAX_DESCRIPTION = 64, 1_000
OFFERED_POLICY = ToolPolicy(
    agents={FALLBACK_AGENT: AgentPolicy(rules=(Rule(name="offered", says="allow", tools=("*",)),))}
)
"""The one agent may call whatever the task offers."""


def catalog_of(task: PlanTask) -> tuple[Catalog, Mapping[str, str]]:
    """Make a catalog of the offered tools, all of one agent; with it catalog name → offered name.

    Names are changed where the catalog's rule demands it; what is no schema becomes one without parameters.
    """
    names: dict[str, str] = {}
    specs: dict[str, ToolSpec] = {}
    for tool in task.tools:
        name = catalog_name(tool.name, names)
        names[name] = tool.name
        specs[name] = ToolSpec(
            name=name,
            description=(tool.description or tool.name)[:MAX_DESCRIPTION],
            effect="read",
            parameters=_parameters(tool),
        )
    agent = AgentSpec(name=FALLBACK_AGENT, description="Does the task.", tools=tuple(specs))
    return Catalog(agents={FALLBACK_AGENT: agent}, tools=specs), names


def catalog_name(offered: str, taken: Container[str] = ()) -> str:
    """Give a name that the catalog allows, and that is not taken, for one that was offered."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", offered)
    plain = (plain if plain[:1].isalpha() else f"t_{plain}")[:MAX_NAME]
    name, number = plain, 2
    while name in taken:
        name = f"{plain[: MAX_NAME - 4]}_{number}"
        number += 1
    return name


def _parameters(tool: OfferedTool) -> JsonSchema:
    schema = {**NO_PARAMETERS, **tool.parameters, "type": "object", "additionalProperties": False}
    return NO_PARAMETERS if schema_fault(schema) else schema
