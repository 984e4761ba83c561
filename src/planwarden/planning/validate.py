"""Whether a plan may be followed: contract, live catalog, policy, limits. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.plan import (
    CallBinding,
    LiteralValue,
    PlannedAgentStep,
    PlannerPlan,
    Refusal,
    ResultReference,
    Rung,
    TypedExtraction,
)
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.verdict import Denied
from planwarden.errors import PlanRejected
from planwarden.policy.rules import ToolPolicy

MAX_PLAN_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """Limits on every plan, whoever wrote it."""

    max_agents: int = 4


def read_plan(text: str | bytes) -> PlannerPlan | Refusal:
    """Read a plan in the contract's own JSON; a typed refusal for anything else, never an exception."""
    if len(text) > MAX_PLAN_BYTES:
        return _refusal("parse", "too_large", "", f"more than {MAX_PLAN_BYTES} bytes")
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        return _refusal("parse", "not_json", "", f"not JSON: {error}")
    if isinstance(value, dict) and "agents" in value:
        message = "the legacy 'agents' array is not accepted: a plan is steps, metadata, confidence"
        return _refusal("schema", "legacy_agents", "agents", message)
    try:
        return PlannerPlan.model_validate_json(json.dumps(value, allow_nan=False), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = _field(first["loc"])
        return _refusal("schema", "contract_broken", field, f"{field or 'plan'}: {first['msg']}")
    except (ValueError, RecursionError) as error:
        return _refusal("schema", "contract_broken", "", str(error))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: which of the two a reader means would be anyone's guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        msg = f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object"
        raise ValueError(msg)
    return found


def _field(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def canonical_plan(plan: PlannerPlan, catalog: Catalog) -> PlannerPlan:
    """Give the plan with tool aliases resolved. Pure.

    Raises:
        PlanRejected: an alias stands for a tool that the same step names as well.
    """

    def resolved(step: PlannedAgentStep) -> PlannedAgentStep:
        return step.model_copy(
            update={
                "tools": tuple(catalog.canonical(tool) for tool in step.tools),
                "fallback_tools": tuple(catalog.canonical(tool) for tool in step.fallback_tools),
                "bindings": tuple(
                    binding.model_copy(update={"tool": catalog.canonical(binding.tool)})
                    for binding in step.bindings
                ),
            }
        )

    steps = tuple(resolved(step) for step in plan.steps)
    try:
        return PlannerPlan.model_validate(plan.model_copy(update={"steps": steps}).model_dump())
    except ValidationError as error:
        raise PlanRejected(
            f"The plan names one tool twice, once by an alias: {error.errors(include_url=False)[0]['msg']}.",
            remedy="Name each tool once in a step; `planwarden tools` lists the aliases.",
        ) from error


def plan_issues(
    plan: PlannerPlan, catalog: Catalog, policy: ToolPolicy, limits: PlanLimits
) -> tuple[Refusal, ...]:
    """Find everything for which this plan must not be followed; empty when it may be.

    Args:
        plan: well-formed by the contract, aliases resolved.
        catalog: as it is now.
        policy: as it is now.
        limits: how many distinct agents.
    """
    agents = {step.agent for step in plan.steps}
    issues: list[Refusal] = []
    if len(agents) > limits.max_agents:
        message = f"{len(agents)} distinct agents, at most {limits.max_agents} are allowed"
        issues.append(_refusal("semantics", "too_many_agents", "steps", message))
    if plan.metadata.way_out is not None and (len(plan.steps) > 1 or any(step.tools for step in plan.steps)):
        message = "a way out is one step without tools; leave it out of a plan that does something"
        issues.append(_refusal("semantics", "way_out_mismatch", "metadata.way_out", message))
    for position, step in enumerate(plan.steps):
        issues += _step_issues(step, f"steps[{position}]", plan, catalog, policy)
    return tuple(issues)


def _step_issues(
    step: PlannedAgentStep, where: str, plan: PlannerPlan, catalog: Catalog, policy: ToolPolicy
) -> Iterable[Refusal]:
    if step.agent not in catalog.agents:
        message = f"agent '{step.agent}' is not in the catalog ({', '.join(catalog.agents)})"
        yield _refusal("semantics", "unknown_agent", f"{where}.agent", message)
        return
    if not step.tools:
        yield from _toolless_issues(step, where, plan, catalog, policy)
    for key, names in (("tools", step.tools), ("fallback_tools", step.fallback_tools)):
        for index, tool in enumerate(names):
            yield from _tool_issues(step.agent, tool, f"{where}.{key}[{index}]", catalog, policy)
    for binding in step.bindings:
        yield from _binding_issues(binding, f"{where}.bindings.{binding.tool}", plan, catalog)


def _toolless_issues(
    step: PlannedAgentStep, where: str, plan: PlannerPlan, catalog: Catalog, policy: ToolPolicy
) -> Iterable[Refusal]:
    if not catalog.agents[step.agent].may_answer_without_tools:
        message = f"a step of '{step.agent}' must name at least one tool"
        yield _refusal("semantics", "tools_missing", f"{where}.tools", message)
        return
    if plan.metadata.way_out is None:
        message = "a step names at least one tool; the one exception is a plan that declares its way out"
        yield _refusal("semantics", "way_out_undeclared", f"{where}.tools", message)
    verdict = policy.may_answer_without_tools(step.agent)
    if isinstance(verdict, Denied):
        yield _refusal("semantics", "answer_without_tools_denied", f"{where}.tools", verdict.reason)


def _tool_issues(
    agent: str, tool: str, where: str, catalog: Catalog, policy: ToolPolicy
) -> Iterable[Refusal]:
    if tool not in catalog.tools:
        yield _refusal("semantics", "unknown_tool", where, f"tool '{tool}' is not in the catalog")
    elif tool not in catalog.tools_of(agent):
        own = ", ".join(catalog.tools_of(agent)) or "none"
        message = f"agent '{agent}' does not have tool '{tool}' (it has: {own})"
        yield _refusal("semantics", "tool_not_of_agent", where, message)
    elif isinstance(verdict := policy.decide(agent, tool), Denied):
        message = f"policy denies '{tool}' to '{agent}' ({verdict.rule}: {verdict.reason})"
        yield _refusal("semantics", "tool_denied_by_policy", where, message)


def _binding_issues(
    binding: CallBinding, where: str, plan: PlannerPlan, catalog: Catalog
) -> Iterable[Refusal]:
    spec = catalog.tools.get(binding.tool)
    if spec is None:
        return
    parameters = cast("dict[str, Any]", spec.parameters.get("properties", {}))
    for name, source in binding.arguments.items():
        field = f"{where}.{name}"
        if name not in parameters:
            message = f"tool '{spec.name}' has no parameter '{name}' (it has: {', '.join(parameters)})"
            yield _refusal("semantics", "unknown_parameter", field, message)
        match source:
            case TypedExtraction():
                message = "extractions are not executed by this version; use a reference or free text"
                yield _refusal("semantics", "binding_unsupported", field, message)
            case ResultReference():
                yield from _reference_issues(source, field, plan, catalog.tools.get(source.tool))
            case LiteralValue() | _:
                pass


def _reference_issues(
    source: ResultReference, field: str, plan: PlannerPlan, spec: ToolSpec | None
) -> Iterable[Refusal]:
    origin = plan.step(source.step)
    if source.tool not in (*origin.tools, *origin.fallback_tools):
        message = f"step '{source.step}' does not call '{source.tool}'"
        yield _refusal("semantics", "reference_unknown", field, message)
    elif spec is not None and spec.output == "opaque" and source.pointer:
        message = f"the result of '{source.tool}' is opaque: only the whole of it can be taken"
        yield _refusal("semantics", "reference_opaque", field, message)


def _refusal(rung: Rung, reason: str, field: str, message: str) -> Refusal:
    return Refusal(rung=rung, reason=reason, field=field, message=message[:2_000])
