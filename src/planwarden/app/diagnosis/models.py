"""The models: each role's own, examined through the port; and all of them together on one machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from planwarden.app.diagnosis.calibration import look_at_calibration
from planwarden.app.diagnosis.check import Check, DiagnosisOptions, Group, Note, in_group, trouble
from planwarden.app.diagnosis.memory import HeldModel, memory_finding
from planwarden.app.machine import machine_memory
from planwarden.app.planwarden import Planwarden
from planwarden.configuration.settings import AgentModel, PlannerModel
from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError
from planwarden.llm.examination import ExaminationOptions, examine, take_turns
from planwarden.llm.ollama.service import is_loopback
from planwarden.llm.service import LLMService


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A model and what it is for."""

    group: Group
    name: str
    llm: LLMService
    wanted: ExaminationOptions

    @property
    def weights(self) -> tuple[object, ...]:
        """Tell models apart, whichever role they are opened for."""
        identity = self.llm.identity
        return (identity.provider, identity.endpoint, identity.model, identity.digest)


async def diagnose_models(
    planwarden: Planwarden, options: DiagnosisOptions, note: Note
) -> AsyncGenerator[Check]:
    """Examine each model once, whatever number of roles it has, then look at them together."""
    try:
        roles = await _roles(planwarden, options)
    except PlanwardenError as error:
        async for check in _one_by_one(planwarden, options, note, error):
            yield check
        return
    seen: dict[tuple[object, ...], Role] = {}
    for role in roles:
        async for check in _examined(role, seen, options, note):
            yield check
        seen.setdefault((*role.weights, role.wanted.num_ctx), role)
        if role.group == "planner model":
            yield in_group(role.group, await _calibration(planwarden, role))
    async for check in _together(roles, options, note):
        yield check


async def _calibration(planwarden: Planwarden, role: Role) -> Finding:
    try:
        return await look_at_calibration(planwarden, role.llm.identity)
    except PlanwardenError as error:
        return trouble("calibration", error)


async def _examined(
    role: Role, seen: dict[tuple[object, ...], Role], options: DiagnosisOptions, note: Note
) -> AsyncGenerator[Check]:
    """Examine a role's model, or point at where that was done."""
    known = seen.get((*role.weights, role.wanted.num_ctx))
    if known is not None:
        detail = f"{role.name} works with {role.llm.identity.model}, the same as the {known.group}: see there"
        yield in_group(role.group, Finding(check="same model", status="ok", detail=detail))
        return
    note(f"{role.group}: {role.llm.identity.model}")
    async for finding in examine(role.llm, role.wanted, ask=not options.quick):
        note(f"{role.group}: {role.llm.identity.model}, after {finding.check}")
        yield in_group(role.group, finding)


async def _roles(planwarden: Planwarden, options: DiagnosisOptions) -> tuple[Role, ...]:
    """Open every model.

    Raises:
        ModelError, ConfigurationError: one of them cannot be had.
    """
    models = await planwarden.models()
    settings = planwarden.settings
    agents = _wanted(settings.llm, "LLM", options)
    planner = Role(
        group="planner model",
        name="the planner",
        llm=models.planner,
        wanted=_wanted(settings.planner_llm, "PLANNER_LLM", options),
    )
    default = Role(group="agents' model", name="every agent", llm=models.agents.default, wanted=agents)
    own = [
        Role(group="agents' own models", name=agent, llm=llm, wanted=agents)
        for agent, llm in models.agents.own.items()
    ]
    return (planner, default, *own)


def _wanted(
    settings: PlannerModel | AgentModel, prefix: str, options: DiagnosisOptions
) -> ExaminationOptions:
    return ExaminationOptions(
        prefix=prefix,
        num_ctx=settings.num_ctx,
        max_output_tokens=settings.max_output_tokens,
        timeout_s=settings.timeout_s,
        needs_probabilities=isinstance(settings, PlannerModel),
        thorough=options.thorough,
    )


async def _one_by_one(
    planwarden: Planwarden, options: DiagnosisOptions, note: Note, error: PlanwardenError
) -> AsyncGenerator[Check]:
    """Find which of the models cannot be had, and examine the others all the same."""
    settings = planwarden.settings
    roles: tuple[tuple[Group, Literal["planner", "agents"], ExaminationOptions], ...] = (
        ("planner model", "planner", _wanted(settings.planner_llm, "PLANNER_LLM", options)),
        ("agents' model", "agents", _wanted(settings.llm, "LLM", options)),
    )
    blamed = False
    for group, name, wanted in roles:
        try:
            llm = await planwarden.model(name)
        except PlanwardenError as refused:
            blamed = True
            yield in_group(group, trouble("opened", refused))
            continue
        try:
            role = Role(group=group, name=name, llm=llm, wanted=wanted)
            async for check in _examined(role, {}, options, note):
                yield check
        finally:
            await llm.aclose()
    if not blamed:
        yield in_group("agents' own models", trouble("opened", error))


async def _together(roles: tuple[Role, ...], options: DiagnosisOptions, note: Note) -> AsyncGenerator[Check]:
    note("the models together")
    distinct = {role.weights: role for role in reversed(roles)}
    held = [await _held(role) for role in reversed(distinct.values())]
    yield in_group("models together", memory_finding(held, machine_memory()))
    planner, agents = roles[0], roles[1]
    if options.quick or planner.llm.identity.endpoint is None:
        return
    if planner.llm.identity.endpoint != agents.llm.identity.endpoint:
        return
    if planner.weights != agents.weights or planner.wanted.num_ctx != agents.wanted.num_ctx:
        note("the models in turn")
        finding = await take_turns(planner.llm, agents.llm, planner.wanted, agents.wanted)
        yield in_group("models together", finding)


async def _held(role: Role) -> HeldModel:
    health = await role.llm.health()
    endpoint = role.llm.identity.endpoint
    return HeldModel(
        model=role.llm.identity.model,
        footprint=health.footprint,
        context_tokens=health.context_tokens or role.wanted.num_ctx,
        here=endpoint is None or is_loopback(endpoint),
    )
