"""The whole diagnosis in order; what is broken in one place does not hide the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from planwarden.app.diagnosis.catalog import look_at_catalog, look_at_tools
from planwarden.app.diagnosis.check import Check, DiagnosisOptions, Group, Note, in_group, trouble
from planwarden.app.diagnosis.machine import look_at_machine, look_at_model_file
from planwarden.app.diagnosis.models import diagnose_models
from planwarden.app.diagnosis.settings import look_at_settings
from planwarden.app.diagnosis.store import look_at_store
from planwarden.app.planwarden import Planwarden
from planwarden.configuration.settings import Settings, load_settings
from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError, SettingsRejected


async def diagnose(
    read_settings: Callable[[], Settings] = load_settings,
    options: DiagnosisOptions | None = None,
    note: Note = lambda _: None,
) -> AsyncGenerator[Check]:
    """Look at everything, and give each check as soon as it is had; errors become checks, none is raised."""
    wanted = options or DiagnosisOptions()
    for finding in await asyncio.to_thread(look_at_machine):
        yield in_group("machine", finding)
    try:
        settings = await asyncio.to_thread(read_settings)
    except SettingsRejected as error:
        yield in_group("settings", trouble("in force", error))
        detail = "not looked at: settings come first"
        yield in_group("catalog", Finding(check="everything else", status="skipped", detail=detail))
        return
    note("the embedded model's file")
    for finding in await look_at_model_file(settings):
        yield in_group("machine", finding)
    for finding in look_at_settings(settings):
        yield in_group("settings", finding)
    async with Planwarden.open(settings) as planwarden:
        async for check in _opened(planwarden, wanted, note):
            yield check


async def _opened(planwarden: Planwarden, options: DiagnosisOptions, note: Note) -> AsyncGenerator[Check]:
    note("the catalog and its tools")
    async for check in _catalog(planwarden, options):
        yield check
    note("the store")
    for finding in await look_at_store(planwarden, options):
        yield in_group("store", finding)
    note("the models")
    async for check in diagnose_models(planwarden, options, note):
        yield check


async def _catalog(planwarden: Planwarden, options: DiagnosisOptions) -> AsyncGenerator[Check]:
    try:
        world = await planwarden.world(options.data)
        trials = await planwarden.try_tools(data=options.data)
    except PlanwardenError as error:
        yield in_group("catalog", trouble("catalog", error))
        return
    found: tuple[tuple[Group, tuple[Finding, ...]], ...] = (
        ("catalog", look_at_catalog(world)),
        ("tools", look_at_tools(world, trials)),
    )
    for group, findings in found:
        for finding in findings:
            yield in_group(group, finding)
