"""Entries under `models` of the catalog file: each field goes before what `LLM__*` sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from planwarden.configuration.settings import AgentModel, Provider, Seconds
from planwarden.errors import SettingsRejected


class ModelEntry(BaseModel):
    """A model that agents may name; a field that is not given is as `LLM__*` sets it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    provider: Provider | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    base_url: str | None = None
    """With a provider or base URL of its own, an entry takes neither address nor key from `LLM__*`."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The environment variable that holds the key; the key itself never stands in the file."""
    num_ctx: Annotated[int, Field(ge=512, le=1_048_576)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    timeout_s: Seconds | None = None
    keep_alive: str | None = None
    retries: Annotated[int, Field(ge=0, le=10)] | None = None


def model_settings(
    name: str, entry: ModelEntry, defaults: AgentModel, environment: Mapping[str, str]
) -> AgentModel:
    """Join an entry with what `LLM__*` sets.

    A key is for one server: it is never sent to an address that it was not set for.

    Raises:
        SettingsRejected: the variable that is to hold the key is not set.
    """
    own = entry.model_dump(exclude_none=True, exclude={"api_key_env"})
    elsewhere = entry.provider not in (None, defaults.provider) or entry.base_url not in (
        None,
        defaults.base_url,
    )
    if elsewhere:
        own = {"base_url": None, "api_key": SecretStr(""), **own}
    if entry.api_key_env is not None:
        key = environment.get(entry.api_key_env, "")
        if not key:
            raise SettingsRejected(
                f"models.{name}.api_key_env is {entry.api_key_env}, but that variable is not set.",
                remedy=f"Set it: export {entry.api_key_env}=...",
            )
        own["api_key"] = SecretStr(key)
    return defaults.model_copy(update=own)
