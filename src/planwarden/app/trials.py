"""Trying tools by their own examples: each call through schema checks, time limit and `verify`, as in a run.

Built-in tools work in a scratch folder, never in the user's workspace. What cannot be confined (a tool of
somebody else with an effect, a call that leaves the machine) is tried only with consent.
"""

from __future__ import annotations

import asyncio
import difflib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from planwarden.app.assembly import assemble_world
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.settings import Settings
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import ToolExample, ToolSpec
from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import InputError
from planwarden.runtime.tool_run import Failed, Returned, Unclear, ask_tool, own_copy, run_tool
from planwarden.tools.examples import differences
from planwarden.tools.tool import Done, NotDone, Tool, ToolContext, Unknown

Outcome = Literal["ok", "failed", "skipped"]
OURS = "planwarden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How one example went; a tool without one that can be tried has a single trial, skipped."""

    tool: str
    request: str
    outcome: Outcome
    problems: tuple[str, ...] = ()
    """Why it failed or was skipped."""
    arguments: Mapping[str, Json] | None = None
    result: Json = None
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRules:
    """What may be tried, and with which time and ids."""

    clock: Clock
    ids: Ids
    consent: bool = False
    """Whether tools may be tried that leave this machine or whose effect cannot be confined."""


async def try_in_scratch(
    settings: Settings,
    own_tools: Mapping[str, Tool],
    names: Sequence[str],
    rules: TrialRules,
    *,
    data: tuple[str, ...],
) -> tuple[Trial, ...]:
    """Try tools over some data; built-in ones write to a folder that is gone afterwards.

    Raises:
        InputError: there is no tool of a name.
        CatalogRejected, DataRejected: the catalog file or a data path cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="planwarden-trial-", ignore_cleanup_errors=True) as scratch:
        elsewhere = {
            "planwarden_home": Path(scratch),
            "planwarden_workspace": Path(scratch) / "workspace",
        }
        chosen = settings.model_copy(update=elsewhere)
        world = await asyncio.to_thread(assemble_world, chosen, data, own_tools)
        return await try_world(world, names, rules)


async def try_world(world: AssembledCatalog, names: Sequence[str], rules: TrialRules) -> tuple[Trial, ...]:
    """Try the named tools of a world, all of them when none is named; aliases are names too.

    Raises:
        InputError: there is no tool of a name.
    """
    trials: list[Trial] = []
    for name in chosen_names(world, names):
        if name in world.left_out:
            skipped = f"left out: {world.left_out[name]}"
            trials.append(Trial(tool=name, request="", outcome="skipped", problems=(skipped,)))
            continue
        confined = world.provided_by.get(name) == OURS
        trials += await try_tool(world.tools[name], rules, confined=confined)
    return tuple(trials)


async def try_tool(tool: Tool, rules: TrialRules, *, confined: bool = False) -> tuple[Trial, ...]:
    """Try a tool by each of its examples that has arguments.

    Args:
        tool: as a run would call it.
        rules: what may be tried.
        confined: whether what it writes stays in a scratch folder.
    """
    runnable = [example for example in tool.spec.examples if example.arguments is not None]
    if not runnable:
        return (_skipped(tool.spec, None, "no example has arguments"),)
    reason = "" if rules.consent else _why_not(tool.spec, confined=confined)
    if reason:
        return tuple(_skipped(tool.spec, example, reason) for example in runnable)
    return tuple([await _tried(tool, example, rules) for example in runnable])


def chosen_names(world: AssembledCatalog, names: Iterable[str]) -> tuple[str, ...]:
    """Give the tools that are meant; those left out only when they are named.

    Raises:
        InputError: there is no tool of a name.
    """
    known = {*world.catalog.tools, *(name for name in world.left_out if name not in world.catalog.agents)}
    chosen = tuple(dict.fromkeys(world.catalog.canonical(name) for name in names))
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, sorted({*known, *world.catalog.aliases}), n=3, cutoff=0.4)
            meant = f"Did you mean {', '.join(near)}? " if near else ""
            raise InputError(
                f"There is no tool '{name[:100]}'.", remedy=f"{meant}`planwarden tools` lists them all."
            )
    return chosen or tuple(sorted(world.catalog.tools))


def _why_not(spec: ToolSpec, *, confined: bool) -> str:
    """Say why a tool is not tried without consent; empty when it is."""
    if spec.network:
        return "it asks a server; --yes tries it"
    if spec.effect == "external":
        return "its effect is outside this machine; --yes tries it"
    if spec.effect == "write" and not confined:
        return "it changes this machine, and not only in a scratch folder; --yes tries it"
    return ""


def _skipped(spec: ToolSpec, example: ToolExample | None, reason: str) -> Trial:
    request = example.request if example else ""
    arguments = example.arguments if example else None
    return Trial(tool=spec.name, request=request, outcome="skipped", problems=(reason,), arguments=arguments)


async def _tried(tool: Tool, example: ToolExample, rules: TrialRules) -> Trial:
    spec, arguments = tool.spec, dict(example.arguments or {})
    problems = tuple(f"arguments: {each}" for each in schema_problems(spec.parameters, arguments))
    result: Json = None
    began = rules.clock.monotonic()
    if not problems:
        context = ToolContext(
            run_id="trial",
            call_id="trial.1",
            idempotency_key=rules.ids.nonce(),
            now=rules.clock.now(),
        )
        problems, result = await _called(tool, example, context)
    return Trial(
        tool=spec.name,
        request=example.request,
        outcome="failed" if problems else "ok",
        problems=problems,
        arguments=arguments,
        result=result,
        duration_s=max(0.0, rules.clock.monotonic() - began),
    )


async def _called(tool: Tool, example: ToolExample, context: ToolContext) -> tuple[tuple[str, ...], Json]:
    """Call a tool once, and see that it says so where it can be asked; give what is wrong, and the result."""
    spec, arguments = tool.spec, dict(example.arguments or {})
    asked = spec.verifiable and spec.effect != "read"
    before = await ask_tool(tool, spec, arguments, context) if asked else NotDone()
    match await run_tool(tool, spec, arguments, context):
        case Returned(value=value):
            after = await ask_tool(tool, spec, arguments, context) if asked else Done(value=value)
            told = _verify_problems(before, after, value)
            return (*differences(example.returns, own_copy(value)), *told), value
        case Failed(message=message) | Unclear(message=message):
            return (message,), None


def _verify_problems(
    before: Done | NotDone | Unknown, after: Done | NotDone | Unknown, value: Json
) -> tuple[str, ...]:
    """Hold a tool to what `verify` promises: nothing done before, this done afterwards."""
    told: list[str] = []
    if isinstance(before, Done):
        told.append("verify: says that a call was done which had not been made")
    if not isinstance(after, Done):
        said = after.reason if isinstance(after, Unknown) else "that it was not done"
        told.append(f"verify: cannot tell that the call was done: {said}")
    elif canonical_json(after.value) != canonical_json(value):
        told.append("verify: gives another result than the call itself")
    return tuple(told)
