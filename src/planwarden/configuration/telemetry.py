"""Settings of traces, what the environment says about them, and which of its values are secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from planwarden.contracts.tracing import is_traceparent

_SECRET = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$")
_LONG = 8
"""Shorter values of variables that are not ours, and parts of addresses, are not taken for secrets."""


class Telemetry(BaseModel):
    """`TELEMETRY__*`: what leaves a run to be watched from outside. Off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    traces: Literal["off", "otlp", "console", "file"] = "off"
    """Where spans go: `otlp` to the receiver that the standard `OTEL_EXPORTER_OTLP_*` variables name, else
    to http://localhost:4318; `console` to stderr; `file` as lines of OTLP in JSON. Needs the `telemetry`
    extra."""
    file: Path | None = None
    """For `file`; else `traces.jsonl` in the home. Appended to, never shortened."""
    content: bool = False
    """`true` puts prompts, replies, arguments and results into the spans, in full."""
    propagate: bool = False
    """`true` sends the trace on to model servers over HTTP, as the header `traceparent`."""


def ambient_traceparent(environment: Mapping[str, str] | None = None) -> str | None:
    """Give the trace that whoever started this process is in (`TRACEPARENT`); one that is none is ignored."""
    given = (os.environ if environment is None else environment).get("TRACEPARENT", "")
    return given if is_traceparent(given) else None


def otlp_protocol(environment: Mapping[str, str] | None = None) -> str:
    """Give how OTLP is spoken, as the standard variables say."""
    given = os.environ if environment is None else environment
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    return next((given[name] for name in names if given.get(name)), "http/protobuf")


def secrets_of(settings: BaseModel, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Give every value that must not be logged: keys in settings, in addresses, and in the environment."""
    yield from _secrets_in(settings)
    for name, value in (os.environ if environment is None else environment).items():
        if name.upper().startswith("OTEL_EXPORTER_OTLP") and name.upper().endswith("HEADERS"):
            headers = (pair.partition("=")[2].strip() for pair in value.split(","))
            yield from (form for header in headers for form in (header, unquote(header)) if header)
        elif _SECRET.search(name.upper()) and len(value) >= _LONG:
            yield value


def _secrets_in(settings: BaseModel) -> Iterator[str]:
    for name in type(settings).model_fields:
        match getattr(settings, name):
            case SecretStr() as secret if secret.get_secret_value():
                yield secret.get_secret_value()
            case BaseModel() as group:
                yield from _secrets_in(group)
            case str() as text if "://" in text:
                yield from _secrets_in_address(text)
            case _:
                pass


def _secrets_in_address(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
    except ValueError:  # it will be refused by name; what it may hold stays hidden all the same
        yield address
        return
    if parts.password:
        yield from {parts.password, unquote(parts.password)}
    yield from (value for _, value in parse_qsl(parts.query) if len(value) >= _LONG and "{" not in value)
