"""Running a tool once, and asking it afterwards whether it did: somebody else's code, held at arm's length.

What goes in and what comes out is copied, so that neither an agent nor a tool can change what was judged.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import anyio

from planwarden.contracts.calls import FailureKind
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import ToolFailed
from planwarden.tools.tool import Done, NotDone, Tool, ToolContext, Unknown, Verification

MAX_DEPTH = 64
"""Of arguments and results; what is deeper could not be put on record."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The tool ran and gave a result."""

    value: Json


@dataclass(frozen=True, slots=True)
class Failed:
    """The tool ran and failed."""

    failure: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The tool has an effect, and nobody knows whether it happened."""

    failure: FailureKind
    message: str


ToolRunner = Callable[
    [Tool, ToolSpec, Mapping[str, Json], ToolContext], Awaitable[Returned | Failed | Unclear]
]
"""What runs a tool once; see `run_tool`."""


def own_copy(value: Json) -> Json:
    """Copy a JSON value, so that whoever gave it cannot change it any more.

    Raises:
        ValueError: it is not JSON: not finite, not text, too deep, or of another type.
    """
    try:
        copy = cast("Json", json.loads(canonical_json(value).decode()))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if _too_deep(copy, MAX_DEPTH):
        msg = f"nested more than {MAX_DEPTH} deep"
        raise ValueError(msg)
    return copy


def _too_deep(value: Json, left: int) -> bool:
    if isinstance(value, dict):
        return left == 0 or any(
            _too_deep(inner, left - 1) for inner in cast("dict[str, Json]", value).values()
        )
    if isinstance(value, list):
        return left == 0 or any(_too_deep(inner, left - 1) for inner in cast("list[Json]", value))
    return False


async def run_tool(
    tool: Tool, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
) -> Returned | Failed | Unclear:
    """Run a tool once within its time; where its outcome is unclear, ask it.

    One with an effect is not interrupted half-way by a cancelled run, nor is asking it.
    """
    if spec.effect == "read":
        return await _run(tool, spec, arguments, context)
    outcome: Returned | Failed | Unclear = Unclear("error", "it was not run")
    with anyio.CancelScope(shield=True):
        outcome = await _run(tool, spec, arguments, context)
        if isinstance(outcome, Unclear):
            outcome = _told(outcome, await ask_tool(tool, spec, arguments, context))
    return outcome


def _told(outcome: Unclear, said: Verification) -> Returned | Failed | Unclear:
    match said:
        case Done(value=value):
            return Returned(value)
        case NotDone():
            return Failed(outcome.failure, outcome.message)
        case Unknown(reason=reason):
            return Unclear(outcome.failure, f"{outcome.message}; {reason}")


async def ask_tool(
    tool: Tool, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
) -> Verification:
    """Ask a tool whether the call with this key was done; `Unknown` also when it fails to say."""
    if not spec.verifiable:
        return Unknown(reason=f"'{spec.name}' cannot say whether a call was done")
    try:
        with anyio.fail_after(spec.timeout_s):
            said = await tool.verify(_arguments(arguments), context)
        return Done(value=own_copy(said.value)) if isinstance(said, Done) else said
    except TimeoutError:
        return Unknown(reason=f"'{spec.name}' did not say within {spec.timeout_s:g} s whether it was done")
    except Exception as error:  # noqa: BLE001 - a tool is somebody else's code: what it cannot say is unknown
        return Unknown(reason=f"'{spec.name}' could not say whether it was done: {_said(error)}")


async def _run(
    tool: Tool, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
) -> Returned | Failed | Unclear:
    has_effect = spec.effect != "read"
    value: Json = None
    try:
        with anyio.fail_after(spec.timeout_s):
            value = await tool.invoke(_arguments(arguments), context)
    except ToolFailed as error:
        return Failed("error", str(error))
    except TimeoutError:
        message = f"'{spec.name}' did not finish within {spec.timeout_s:g} s"
        return Unclear("timeout", message) if has_effect else Failed("timeout", message)
    except (Exception, SystemExit, asyncio.CancelledError) as error:  # somebody else's code: a failed call
        if isinstance(error, asyncio.CancelledError) and _being_cancelled():
            raise
        message = f"'{spec.name}' crashed: {_said(error)}"
        return Unclear("error", message) if has_effect else Failed("error", message)
    return _checked(spec, value)


def _being_cancelled() -> bool:
    """Say whether we are really being stopped; a tool can raise the same without anybody asking for it."""
    task = asyncio.current_task()
    return anyio.current_effective_deadline() == -math.inf or (task is not None and task.cancelling() > 0)


def _checked(spec: ToolSpec, value: Json) -> Returned | Failed | Unclear:
    """Hold a result to JSON and the tool's own schema; an effect that told it wrongly may have happened."""
    wrong = Failed if spec.effect == "read" else Unclear
    try:
        value = own_copy(value)
    except ValueError as error:
        return wrong("bad_output", f"'{spec.name}' gave something that is not JSON: {error}")
    problems = () if isinstance(spec.output, str) else schema_problems(spec.output, value)
    if problems:
        return wrong("bad_output", f"'{spec.name}' broke its own output schema: {problems[0]}")
    return Returned(value)


def _arguments(arguments: Mapping[str, Json]) -> dict[str, Json]:
    return cast("dict[str, Json]", own_copy(dict(arguments)))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
