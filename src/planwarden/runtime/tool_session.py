"""`ToolSession`: the only door to tools. Each decision is recorded before it takes effect.

An agent holds a session and nothing else. The session keeps no tool, no registry and no record in its
attributes; what it needs lives in the door's own scope. Values that an agent says or writes are arguments,
never switches: there is no parameter, field or word that widens what admission allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

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
from planwarden.contracts.run import RunState
from planwarden.contracts.value import Json
from planwarden.policy.rules import ToolPolicy
from planwarden.runtime.admission import Admission, Admitted, AwaitsApproval, Refused, Wanted, admit
from planwarden.runtime.recorder import Recorder
from planwarden.runtime.tool_run import Failed, Returned, ToolRunner, Unclear, own_copy, run_tool
from planwarden.tools.tool import Tool, ToolContext


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSession:
    """What an agent gets for one step: the names it may call, and `call`. Nothing on it can be set."""

    call: Callable[[str, Mapping[str, Json]], Awaitable[CallOutcome]]
    """`await call(tool, arguments)`; gives an outcome, raises only when the run itself cannot go on."""
    tools: tuple[str, ...]
    fallback_tools: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWorld:
    """What stands behind the door: the live catalog, the policy, the tools, the time."""

    catalog: Catalog
    policy: ToolPolicy
    tools: Mapping[str, Tool]
    clock: Clock
    run: ToolRunner = run_tool
    """What runs a tool that was admitted; behaviour around it is a wrapper."""


def open_session(world: ToolWorld, recorder: Recorder, step_id: str) -> ToolSession:
    """Open the door for one step. It closes with the step: a later call is refused as `step_over`."""
    planned = recorder.state.steps[step_id].planned

    async def call(tool: str, arguments: Mapping[str, Json]) -> CallOutcome:
        wanted = _judge(world, planned.agent, step_id, tool, arguments)
        match await recorder.decide(lambda state: _decision(state, wanted)):
            case Refused(refusal=refusal, message=message):
                return CallWasRefused(refusal=refusal, message=message)
            case AwaitsApproval(call=waiting, verdict=verdict):
                return CallWaits(call_id=waiting.id, message=verdict.reason)
            case Admitted(call=admitted):
                return await _carry_out(world, recorder, admitted)

    return ToolSession(call=call, tools=planned.tools, fallback_tools=planned.fallback_tools)


def _judge(world: ToolWorld, agent: str, step_id: str, tool: str, given: Mapping[str, Json]) -> Wanted:
    """Ask catalog and policy about a call, over a copy of its arguments that nobody else holds."""
    name = world.catalog.canonical(tool.encode("utf-8", "replace").decode())
    spec = world.catalog.tools.get(name)
    arguments: dict[str, Json] = {}
    try:
        arguments = cast("dict[str, Json]", own_copy(dict(given)))
        problems = schema_problems(spec.parameters, arguments) if spec else ()
    except ValueError as error:
        problems = (f"arguments are not JSON: {error}",)
    return Wanted(
        step=step_id,
        tool=name,
        arguments=arguments,
        spec=spec if name in world.tools else None,
        verdict=world.policy.decide(agent, name, arguments),
        argument_problems=problems,
    )


def _decision(state: RunState, wanted: Wanted) -> tuple[Admission, tuple[Fact, ...]]:
    """Admit or not, with what goes on record: a refusal, a question, or the intent before its effect."""
    admission = admit(state, wanted)
    match admission:
        case Refused(refusal=refusal, message=message):
            return admission, (_refusal_fact(wanted, refusal, message),)
        case AwaitsApproval(asked=True):
            return admission, ()
        case AwaitsApproval(call=call, verdict=verdict):
            return admission, (ApprovalAsked(call=call, verdict=verdict),)
        case Admitted(call=call, verdict=verdict):
            key = call.idempotency_key(state.run_id)
            return admission, (CallIntended(call=call, verdict=verdict, idempotency_key=key),)


def _refusal_fact(wanted: Wanted, refusal: RefusalKind, message: str) -> Fact:
    return CallRefused(
        step=wanted.step,
        tool=wanted.tool[:200],
        arguments=dict(wanted.arguments),
        refusal=refusal,
        verdict=wanted.verdict if refusal in ("policy_denied", "approval_denied") else None,
        message=message,
    )


async def _carry_out(world: ToolWorld, recorder: Recorder, call: ToolCall) -> CallOutcome:
    """Run a tool whose intent is on record, and record what came of it."""
    run_id = recorder.state.run_id
    spec, tool = world.catalog.tools[call.tool], world.tools[call.tool]
    context = ToolContext(
        run_id=run_id,
        call_id=call.id,
        idempotency_key=call.idempotency_key(run_id),
        now=world.clock.now(),
    )
    await recorder.check_ownership()
    began = world.clock.monotonic()
    outcome = await world.run(tool, spec, call.arguments, context)
    seconds = max(0.0, world.clock.monotonic() - began)
    match outcome:
        case Returned(value=value):
            await recorder.record(CallReturned(call_id=call.id, value=value, duration_s=seconds))
            return CallSucceeded(call_id=call.id, value=value)
        case Failed(failure=failure, message=message):
            await recorder.record(
                CallFailed(call_id=call.id, failure=failure, message=message, duration_s=seconds)
            )
            return CallDidFail(call_id=call.id, failure=failure, message=message)
        case Unclear(message=message):
            await recorder.record(CallInDoubt(call_id=call.id, message=message))
            return CallWaits(call_id=call.id, message=message)
