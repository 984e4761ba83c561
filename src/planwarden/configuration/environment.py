"""What the environment says beside what is read of it: variables that nobody knows, and what is in force."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from planwarden.configuration.settings import Settings, known_variables
from planwarden.contracts.value import Json

_OURS = ("PLANWARDEN_", "PLANNER_LLM", "SHADOW__")
_SECRET = re.compile(r"KEY|TOKEN$|SECRET|PASSWORD")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayVariable:
    """A variable that looks like ours and that nothing reads."""

    name: str
    nearest: str | None
    """The known variable that was probably meant."""


def stray_variables(environment: Mapping[str, str] | None = None) -> tuple[StrayVariable, ...]:
    """Find the variables that look like settings and are none, in the process's environment by default."""
    known = known_variables()
    names = sorted(os.environ if environment is None else environment)
    return tuple(
        StrayVariable(name=name, nearest=nearest)
        for name in names
        for nearest in [_nearest(name, known)]
        if name.upper() not in known and _looks_like_ours(name.upper(), known)
    )


def _looks_like_ours(name: str, known: tuple[str, ...]) -> bool:
    """Take `LLM_MODEL` for `LLM__MODEL`, but leave other programs their `LLM_…`."""
    return name.startswith(_OURS) or (
        name.startswith(("LLM_", "TOOLS_", "TELEMETRY_")) and name.replace("_", "__", 1) in known
    )


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    def bare(text: str) -> str:
        return text.upper().replace("__", "_")

    by_bare = {bare(each): each for each in known}
    found = difflib.get_close_matches(bare(name), by_bare, n=1, cutoff=0.75)
    return by_bare[found[0]] if found else None


def effective_settings(settings: Settings) -> dict[str, Json]:
    """Give every variable's value in force, by its name; secrets only as set or not."""
    found: dict[str, Json] = {}
    for name in Settings.model_fields:
        value: object = getattr(settings, name)
        if isinstance(value, BaseModel):
            for part in type(value).model_fields:
                variable = f"{name}__{part}".upper()
                found[variable] = _shown(variable, getattr(value, part))
        else:
            found[name.upper()] = _shown(name.upper(), value)
    return found


def _shown(variable: str, value: object) -> Json:
    if isinstance(value, SecretStr) or (_SECRET.search(variable) and isinstance(value, str)):
        return "set, not shown"
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if variable.endswith("URL") and "@" in text:
        host = urlsplit(text).netloc.rpartition("@")
        text = text.replace(f"{host[0]}@", "…@", 1)
    if variable.endswith("URL") and "?" in text:
        text = text.partition("?")[0] + "?…"  # where services take their keys
    return text
