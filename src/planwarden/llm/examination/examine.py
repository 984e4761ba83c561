"""The examination of one model, from whether it is there to how fast it is, finding by finding."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError, ReplyIncomplete
from planwarden.llm.examination.asked import Asked, ExaminationOptions
from planwarden.llm.examination.calling import look_at_calling
from planwarden.llm.examination.context import calibrate, loaded_finding, look_at_context
from planwarden.llm.examination.sampling import look_at_output_limit, look_at_sampling
from planwarden.llm.examination.speed import speed_finding
from planwarden.llm.examination.structured import look_at_structure
from planwarden.llm.service import LLMService, ModelHealth, ReplyBroken

Look = Callable[[Asked], Awaitable[tuple[Finding, ...]]]


async def examine(
    llm: LLMService, options: ExaminationOptions, *, ask: bool = True
) -> AsyncGenerator[Finding]:
    """Find out what can be relied on; asks about twelve short questions and one that is too long.

    Without `ask` only the server is looked at. Never raises for a model: an error becomes a finding.
    """
    health = await llm.health()
    for finding in _presence(health, llm):
        yield finding
    if not (ask and health.reachable and health.present):
        return
    asked = Asked(llm=llm, options=options)
    try:
        known = await calibrate(asked)
    except PlanwardenError as error:
        yield _failed("answers", error)
        return
    looks: tuple[tuple[str, Look], ...] = (
        ("schema", look_at_structure),
        ("output limit", look_at_output_limit),
        ("temperature and seed", look_at_sampling),
        ("context", lambda asked: look_at_context(asked, health, known)),
        ("tool calls", look_at_calling),
    )
    for name, look in looks:
        for finding in await _carefully(name, look, asked):
            yield finding
    loaded = loaded_finding(asked, await llm.health())
    if loaded is not None:
        yield loaded
    yield speed_finding(asked.replies, options)


async def _carefully(name: str, look: Look, asked: Asked) -> tuple[Finding, ...]:
    try:
        return await look(asked)
    except ReplyBroken as error:
        return (_failed(name, error),)
    except ReplyIncomplete as error:
        detail = f"could not be shown, for the reply did not end in time: {error.message}"
        return (Finding(check=name, status="skipped", detail=detail),)
    except PlanwardenError as error:
        return (_failed(name, error),)


def _failed(name: str, error: PlanwardenError) -> Finding:
    return Finding(
        check=name, status="bad", detail=error.message, remedy=error.remedy, figures={"code": error.code}
    )


def _presence(health: ModelHealth, llm: LLMService) -> tuple[Finding, ...]:
    identity = llm.identity
    if not health.reachable:
        return (Finding(check="reachable", status="bad", detail=health.detail, remedy=health.remedy),)
    where = identity.endpoint or "in this process"
    there = Finding(check="reachable", status="ok", detail=f"{identity.provider}, {where}")
    if not health.present:
        gone = Finding(check="present", status="bad", detail=health.detail, remedy=health.remedy)
        return (there, gone)
    digest = f", {identity.digest[:19]}…" if identity.digest else ""
    because = f" ({identity.chosen_because})" if identity.chosen_because else ""
    detail = f"{identity.model}{digest}{because}"
    return (there, Finding(check="present", status="ok", detail=detail))
