"""`ToolSession`: the only door to tools. Each decision is recorded before it takes effect.

An agent holds a session and nothing else. The session keeps no tool, no registry and no record in its
attributes; what it needs lives in the door's own scope. Values that an agent says or writes are arguments,
never switches: there is no parameter, field or word that widens what admission allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.calls import FailureKind, RefusalKind, ToolCall
from planwarden.contracts.clock import Clock
from planwarden.contracts.facts import (
    ApprovalAsked,
    CallFailed,
    CallInDoubt,
    CallIntended,
    CallRefused,
    CallReturned,
    Fact,
)
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json, canonical_json
from planwarden.contracts.verdict import Verdict
from planwarden.errors import ToolFailed
from planwarden.policy.rules import ToolPolicy
from planwarden.runtime.admission import Admitted, AwaitsApproval, Refused, Wanted, admit
from planwarden.runtime.recorder import Recorder
from planwarden.tools.tool import Done, NotDone, Tool, ToolContext, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSucceeded:
    """The tool ran and gave a result."""

    call_id: str
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDidFail:
    """The tool ran and failed; a fallback may be unlocked now."""

    call_id: str
    failure: FailureKind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWasRefused:
    """The tool did not run, and this unlocks nothing."""

    refusal: RefusalKind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWaits:
    """A person has to say something first."""

    call_id: str
    message: str


CallOutcome = CallSucceeded | CallDidFail | CallWasRefused | CallWaits


class ToolSession:
    """What an agent gets for one step: the names it may call, and `call`."""

    __slots__ = ("call", "fallback_tools", "tools")

    def __init__(
        self,
        call: Callable[[str, Mapping[str, Json]], Awaitable[CallOutcome]],
        tools: tuple[str, ...],
        fallback_tools: tuple[str, ...],
    ) -> None:
        self.call = call
        """`await call(tool, arguments)`; gives an outcome, raises only when the run itself cannot go on."""
        self.tools = tools
        self.fallback_tools = fallback_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWorld:
    """What stands behind the door: the live catalog, the policy, the tools, the time."""

    catalog: Catalog
    policy: ToolPolicy
    tools: Mapping[str, Tool]
    clock: Clock


def open_session(world: ToolWorld, recorder: Recorder, step_id: str) -> ToolSession:
    """Open the door for one step. It closes with the step: a later call is refused as `step_over`."""
    planned = recorder.state.steps[step_id].planned

    async def call(tool: str, arguments: Mapping[str, Json]) -> CallOutcome:
        wanted = _judge(world, planned.agent, step_id, world.catalog.canonical(tool), arguments)
        match admit(recorder.state, wanted):
            case Refused(refusal=refusal, message=message):
                await recorder.record(_refusal_fact(wanted, refusal, message))
                return CallWasRefused(refusal=refusal, message=message)
            case AwaitsApproval(call=waiting, verdict=verdict, asked=asked):
                if not asked:
                    await recorder.record(ApprovalAsked(call=waiting, verdict=verdict))
                return CallWaits(call_id=waiting.id, message=verdict.reason)
            case Admitted(call=admitted, verdict=verdict):
                return await _carry_out(world, recorder, admitted, verdict)

    return ToolSession(call, planned.tools, planned.fallback_tools)


def _judge(world: ToolWorld, agent: str, step_id: str, tool: str, arguments: Mapping[str, Json]) -> Wanted:
    spec = world.catalog.tools.get(tool)
    return Wanted(
        step=step_id,
        tool=tool,
        arguments=arguments,
        spec=spec if tool in world.tools else None,
        verdict=world.policy.decide(agent, tool, arguments),
        argument_problems=_argument_problems(spec, arguments),
    )


def _argument_problems(spec: ToolSpec | None, arguments: Mapping[str, Json]) -> tuple[str, ...]:
    try:
        canonical_json(dict(arguments))
    except (TypeError, ValueError) as error:
        return (f"arguments are not JSON: {error}",)
    return schema_problems(spec.parameters, dict(arguments)) if spec else ()


def _refusal_fact(wanted: Wanted, refusal: RefusalKind, message: str) -> Fact:
    return CallRefused(
        step=wanted.step,
        tool=wanted.tool[:200],
        arguments=dict(wanted.arguments),
        refusal=refusal,
        verdict=wanted.verdict if refusal in ("policy_denied", "approval_denied") else None,
        message=message,
    )


async def _carry_out(world: ToolWorld, recorder: Recorder, call: ToolCall, verdict: Verdict) -> CallOutcome:
    """Record the intent, run the tool, record what came of it."""
    run_id = recorder.state.run_id
    key = call.idempotency_key(run_id)
    spec, tool = world.catalog.tools[call.tool], world.tools[call.tool]
    context = ToolContext(run_id=run_id, call_id=call.id, idempotency_key=key, now=world.clock.now())
    await recorder.record(CallIntended(call=call, verdict=verdict, idempotency_key=key))
    await recorder.check_ownership()
    began = world.clock.monotonic()
    fact = await _run(tool, spec, call, context)
    if isinstance(fact, _Unclear):
        fact = await _ask_tool(tool, spec, call, context, fact)
    seconds = max(0.0, world.clock.monotonic() - began)
    match fact:
        case _Returned(value=value):
            await recorder.record(CallReturned(call_id=call.id, value=value, duration_s=seconds))
            return CallSucceeded(call_id=call.id, value=value)
        case _Failed(failure=failure, message=message):
            await recorder.record(
                CallFailed(call_id=call.id, failure=failure, message=message, duration_s=seconds)
            )
            return CallDidFail(call_id=call.id, failure=failure, message=message)
        case _Unclear(message=message):
            await recorder.record(CallInDoubt(call_id=call.id, message=message))
            return CallWaits(call_id=call.id, message=message)


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Json


@dataclass(frozen=True, slots=True)
class _Failed:
    failure: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class _Unclear:
    """The tool has an effect, and nobody knows whether it happened."""

    failure: FailureKind
    message: str


async def _run(
    tool: Tool, spec: ToolSpec, call: ToolCall, context: ToolContext
) -> _Returned | _Failed | _Unclear:
    """Run a tool once within its time. One with an effect is not interrupted half-way by a cancelled run."""
    has_effect = spec.effect != "read"
    value: Json = None
    try:
        with anyio.CancelScope(shield=has_effect), anyio.fail_after(spec.timeout_s):
            value = await tool.invoke(call.arguments, context)
    except ToolFailed as error:
        return _Failed("error", str(error))
    except TimeoutError:
        message = f"'{call.tool}' did not finish within {spec.timeout_s:g} s"
        return _Unclear("timeout", message) if has_effect else _Failed("timeout", message)
    except Exception as error:  # noqa: BLE001 - a tool is somebody else's code: its crash is a failed call
        message = f"'{call.tool}' crashed: {type(error).__name__}: {error}"
        return _Unclear("error", message) if has_effect else _Failed("error", message)
    try:
        canonical_json(value)
    except (TypeError, ValueError) as error:
        return _Failed("bad_output", f"'{call.tool}' gave something that is not JSON: {error}")
    problems = () if isinstance(spec.output, str) else schema_problems(spec.output, value)
    if problems:
        return _Failed("bad_output", f"'{call.tool}' broke its own output schema: {problems[0]}")
    return _Returned(value)


async def _ask_tool(
    tool: Tool, spec: ToolSpec, call: ToolCall, context: ToolContext, unclear: _Unclear
) -> _Returned | _Failed | _Unclear:
    """Ask a tool whether the call was done after all."""
    if not spec.verifiable:
        return unclear
    match await tool.verify(call.arguments, context):
        case Done(value=value):
            return _Returned(value)
        case NotDone():
            return _Failed(unclear.failure, unclear.message)
        case Unknown(reason=reason):
            return _Unclear(unclear.failure, f"{unclear.message}; {reason}")
