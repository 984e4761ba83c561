"""Arguments bound by the plan: evaluated by the runtime, never by the agent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from planwarden.contracts.plan import LiteralValue, PlannedAgentStep, ResultReference
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCall:
    """What is fixed for one planned call, and what is left for the model to fill in."""

    fixed: dict[str, Json]
    open_schema: JsonSchema
    problem: str = ""
    """Why a reference could not be evaluated; empty when all could."""


def bind(state: RunState, step: PlannedAgentStep, tool: str, parameters: JsonSchema) -> BoundCall:
    """Evaluate the bindings of one planned call against what earlier steps returned."""
    binding = next((binding for binding in step.bindings if binding.tool == tool), None)
    fixed: dict[str, Json] = {}
    for name, source in binding.arguments.items() if binding else ():
        match source:
            case LiteralValue(value=value):
                fixed[name] = value
            case ResultReference():
                found = _referenced(state, source)
                if isinstance(found, _Missing):
                    return BoundCall(fixed=fixed, open_schema=parameters, problem=found.why)
                fixed[name] = found
            case _:
                pass  # free text: left to the model; extractions are refused when the plan is validated
    return BoundCall(fixed=fixed, open_schema=_without(parameters, set(fixed)))


@dataclass(frozen=True, slots=True)
class _Missing:
    why: str


def _referenced(state: RunState, source: ResultReference) -> Json | _Missing:
    step = state.steps.get(source.step)
    call = step.call_for(source.tool) if step else None
    if call is None or call.status != "returned":
        return _Missing(f"step '{source.step}' has no result of '{source.tool}'")
    value: Any = call.value
    for part in source.pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = cast("dict[str, Any]", value)[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(key)]
        else:
            return _Missing(
                f"the result of '{source.tool}' in step '{source.step}' has no '{source.pointer}'"
            )
    return cast("Json", value)


def _without(schema: JsonSchema, names: set[str]) -> JsonSchema:
    properties = cast("dict[str, Json]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    return {
        **schema,
        "properties": {name: value for name, value in properties.items() if name not in names},
        "required": [name for name in required if name not in names],
    }
