"""The settings in force, and variables that look like settings and are read by nothing."""

from __future__ import annotations

import os

from planwarden.app.diagnosis.check import trouble
from planwarden.configuration.environment import effective_settings, stray_variables
from planwarden.configuration.planner_config import planner_config
from planwarden.configuration.settings import Settings
from planwarden.contracts.finding import Finding
from planwarden.errors import SettingsRejected


def look_at_settings(settings: Settings) -> tuple[Finding, ...]:
    """Look at what is in force and what was meant to be."""
    values, defaults = effective_settings(settings), effective_settings(Settings.model_construct())
    changed = [name for name, value in values.items() if value != defaults.get(name)]
    said = f"other than the default: {', '.join(changed)}" if changed else "all as by default"
    in_force = Finding(
        check="in force", status="ok", detail=f"{len(values)} settings, {said}", figures=values
    )
    return (in_force, *_shadow(settings), *_stray())


def _shadow(settings: Settings) -> tuple[Finding, ...]:
    """Look whether what `SHADOW__*` names can be used; real runs go on without it, so it is a warning."""
    shadow = settings.shadow
    if shadow.rate == 0:
        return ()
    try:
        config = planner_config(shadow.planner, settings.planner_llm, os.environ)
    except SettingsRejected as error:
        found = trouble("shadow planner", error)
        return (found.model_copy(update={"status": "warning"}),)
    detail = f"{config.describes}: {shadow.rate:.0%} of the runs go to it once they are over"
    return (Finding(check="shadow planner", status="ok", detail=detail, figures={"rate": shadow.rate}),)


def _stray() -> tuple[Finding, ...]:
    return tuple(
        Finding(
            check="unknown variable",
            status="warning",
            detail=f"{stray.name} is set, but nothing reads it"
            + (f"; {stray.nearest} was probably meant" if stray.nearest else ""),
            remedy=f"unset {stray.name}"
            + (
                f"; export {stray.nearest}=…" if stray.nearest else "  (docs/reference/settings.md lists all)"
            ),
            figures={"variable": stray.name, "nearest": stray.nearest},
        )
        for stray in stray_variables()
    )
