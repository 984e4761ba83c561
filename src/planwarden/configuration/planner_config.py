"""Another planner than the configured one, in a line or a small file: what differs from `PLANNER_LLM__*`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import SecretStr, ValidationError

from planwarden.configuration.settings import PlannerModel
from planwarden.contracts.value import digest
from planwarden.errors import SettingsRejected

SUFFIXES = (".yaml", ".yml", ".json")
OWN_KEYS = ("name", "price_in", "price_out", "api_key_env")
"""Keys that are none of `PLANNER_LLM__*`: what the planner is called, what a million tokens cost, and which
variable holds the key. The key itself never stands in a file or on a command line."""
MAX_NAME = 40
MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerConfig:
    """A planner's settings, and what it is called."""

    name: str
    chosen: PlannerModel
    differs: Mapping[str, str]
    """What was named, as it is shown; nothing that could hold a key."""
    price_in: float | None = None
    price_out: float | None = None

    @property
    def digest(self) -> str:
        """Name what the configuration came to, without its key."""
        return digest(self.chosen.model_dump(mode="json", exclude={"api_key"}))

    def called(self, name: str) -> PlannerConfig:
        """Give the same under another name."""
        return replace(self, name=name)

    @property
    def describes(self) -> str:
        """Say how it differs from the configured planner, in a line."""
        said = ", ".join(f"{key}={value}" for key, value in self.differs.items())
        return said or "as configured by PLANNER_LLM__*"


def planner_config(text: str, base: PlannerModel, environment: Mapping[str, str]) -> PlannerConfig:
    """Read a planner's configuration: a YAML or JSON file, or `key=value,key=value`. Reads a file.

    What is not named is as the configured planner has it. A key is for one server: with a provider or address
    of its own, a configuration takes neither address nor key from the configured planner.

    Args:
        text: the file's path, or the keys themselves.
        base: the configured planner.
        environment: where `api_key_env` is looked up.

    Raises:
        SettingsRejected: the file cannot be read, a key is unknown, or a value cannot be used.
    """
    path = Path(text) if "\x00" not in text else None
    if path is not None and path.suffix.lower() in SUFFIXES and "=" not in text:
        return _config(_of_file(path), str(path), path.stem, base, environment)
    return _config(_of_line(text), "the planner configuration", "", base, environment)


def _config(
    given: Mapping[str, Any], where: str, stem: str, base: PlannerModel, environment: Mapping[str, str]
) -> PlannerConfig:
    known = (*(name for name in PlannerModel.model_fields if name != "api_key"), *OWN_KEYS)
    for key in given:
        if key not in known:
            raise SettingsRejected(f"{where}: there is no key {key[:60]!r}.", remedy=_meant(key, known))
    own = {key: value for key, value in given.items() if key not in OWN_KEYS}
    differs = {key: str(value) for key, value in own.items() if key != "base_url"}
    return PlannerConfig(
        name=_name(given, where, stem, differs),
        chosen=_chosen(own, given.get("api_key_env"), where, base, environment),
        differs=differs,
        price_in=_price(given, "price_in", where),
        price_out=_price(given, "price_out", where),
    )


def _chosen(
    own: Mapping[str, Any],
    key_variable: object,
    where: str,
    base: PlannerModel,
    environment: Mapping[str, str],
) -> PlannerModel:
    values: dict[str, Any] = {**base.model_dump(), **own}
    elsewhere = values["provider"] != base.provider or values["base_url"] != base.base_url
    if elsewhere:
        values |= {"api_key": SecretStr(""), "base_url": own.get("base_url")}
    if key_variable is not None:
        key = environment.get(str(key_variable), "")
        if not key:
            raise SettingsRejected(
                f"{where}: api_key_env is {key_variable}, but that variable is not set.",
                remedy=f"Set it: export {key_variable}=...",
            )
        values["api_key"] = SecretStr(key)
    try:
        return PlannerModel.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        raise SettingsRejected(
            f"{where}: {key}: {first['msg']}.",
            remedy=f"Correct it; docs/reference/settings.md says what PLANNER_LLM__{key.upper()} may be.",
        ) from error


def _of_line(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise SettingsRejected(
                f"{part[:60]!r} is neither a planner configuration (key=value,…) nor a file of one.",
                remedy="For example mode=prior, or provider=ollama,model=llama3.2:3b; or name a .yaml file.",
            )
        found[key.strip()] = value.strip()
    if not found:
        raise SettingsRejected(
            "The planner configuration is empty.", remedy="For example mode=prior, or a .yaml file."
        )
    return found


def _of_file(path: Path) -> dict[str, Any]:
    remedy = "Write a mapping of keys to values, like `mode: prior`."
    try:
        with path.open("rb") as file:
            value = yaml.safe_load(file.read(MAX_BYTES))
    except OSError as error:
        raise SettingsRejected(
            f"{path} cannot be read: {error.strerror}.", remedy="Name an existing file."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise SettingsRejected(f"{path} is neither YAML nor JSON: {error}.", remedy=remedy) from error
    if not isinstance(value, dict) or not value:
        raise SettingsRejected(f"{path} holds no keys.", remedy=remedy)
    return {str(key): each for key, each in cast("dict[object, Any]", value).items()}


def _name(given: Mapping[str, Any], where: str, stem: str, differs: Mapping[str, str]) -> str:
    named = str(given.get("name") or stem or differs.get("model") or "")
    name = named or ",".join(f"{key}={value}" for key, value in differs.items()) or "other planner"
    if any(not letter.isprintable() for letter in name):
        raise SettingsRejected(f"{where}: name: not printable text.", remedy="Give it a short plain name.")
    return name[:MAX_NAME]


def _price(given: Mapping[str, Any], key: str, where: str) -> float | None:
    if key not in given:
        return None
    try:
        price = float(given[key])
    except (TypeError, ValueError):
        price = -1.0
    if not 0 <= price < float("inf"):
        raise SettingsRejected(
            f"{where}: {key}: not a price.", remedy="Give what a million tokens cost, like 0.15."
        )
    return price


def _meant(key: str, known: tuple[str, ...]) -> str:
    if key == "api_key":
        return "Put the key into a variable, and name that: api_key_env=NAME."
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return (
        f"Did you mean {near[0]}? Keys are: {', '.join(known)}." if near else f"Keys are: {', '.join(known)}."
    )
