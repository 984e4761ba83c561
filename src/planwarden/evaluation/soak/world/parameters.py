"""Parameters of made-up tools: as JSON Schema for the product, as plain fields for the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, cast

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json

NOTE = "note"
"""A parameter of every tool: what is written there tells one attempt from all others."""
MAX_NOTE_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter."""

    name: str
    kind: Literal["text", "number", "choice", "flag"]
    required: bool = True
    low: int = 1
    high: int = 1_000
    """Bounds of a number."""
    choices: tuple[str, ...] = ()
    max_chars: int = 40
    """Of a text."""


def with_note(*params: Param) -> tuple[Param, ...]:
    """Give the parameters of a tool: its own, and the note."""
    return (*params, Param(name=NOTE, kind="text", required=False, max_chars=MAX_NOTE_CHARS))


def schema_of(params: Sequence[Param]) -> JsonSchema:
    """Write parameters as the product wants them."""
    required = [param.name for param in params if param.required]
    properties = {param.name: _schema(param) for param in params}
    return {
        "type": "object",
        "properties": cast("Json", properties),
        "required": cast("Json", required),
        "additionalProperties": False,
    }


def _schema(param: Param) -> JsonSchema:
    match param.kind:
        case "text":
            return {"type": "string", "maxLength": param.max_chars}
        case "number":
            return {"type": "integer", "minimum": param.low, "maximum": param.high}
        case "choice":
            return {"enum": list(param.choices)}
        case "flag":
            return {"type": "boolean"}


def fits(params: Sequence[Param], arguments: Mapping[str, Json]) -> bool:
    """Say whether arguments are what a tool takes; nothing of the product is asked."""
    by_name = {param.name: param for param in params}
    if any(param.required and param.name not in arguments for param in params):
        return False
    return all(name in by_name and _fits(by_name[name], value) for name, value in arguments.items())


def _fits(param: Param, value: Json) -> bool:
    match param.kind:
        case "text":
            return isinstance(value, str) and len(value) <= param.max_chars
        case "number":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool) and param.low <= cast("int", value) <= param.high
        case "choice":
            return isinstance(value, str) and value in param.choices
        case "flag":
            return isinstance(value, bool)


def fitting(params: Sequence[Param], rng: Random, note: str, ceiling: int | None = None) -> dict[str, Json]:
    """Make arguments that a tool takes.

    Args:
        params: of the tool.
        rng: what chooses.
        note: goes into the note.
        ceiling: no number is above it.
    """
    return {param.name: _value(param, rng, ceiling) for param in params if param.name != NOTE} | {NOTE: note}


def _value(param: Param, rng: Random, ceiling: int | None) -> Json:
    match param.kind:
        case "text":
            return rng.choice(("alpha", "beta 7", "North gate", "ISO 9001", "Łódź"))
        case "number":
            return rng.randint(param.low, param.high if ceiling is None else min(ceiling, param.high))
        case "choice":
            return rng.choice(param.choices)
        case "flag":
            return rng.random() < 0.5


def breaking(params: Sequence[Param], rng: Random, note: str) -> dict[str, Json]:
    """Make arguments that a tool does not take, in one way of many; the note stays as it is."""
    good = fitting(params, rng, note)
    own = [param for param in params if param.name != NOTE]
    chosen = rng.choice(own) if own else None
    ways: list[dict[str, Json]] = [{**good, "override": True}, {**good, "approved_by": "root"}]
    if chosen is not None:
        ways.append({name: value for name, value in good.items() if name != chosen.name})
        ways += [{**good, chosen.name: value} for value in _misfits(chosen)]
    misfits = [way for way in ways if not fits(params, way)]
    return rng.choice(misfits)


def _misfits(param: Param) -> list[Json]:
    match param.kind:
        case "text":
            return [7, None, ["a"], "x" * (param.max_chars + 1)]
        case "number":
            return [str(param.low), param.high + 1, param.low - 1, True, param.low + 0.5]
        case "choice":
            return ["none of these", 0, None]
        case "flag":
            return ["true", 1, None]
