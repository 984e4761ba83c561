"""What every contract shares: immutability, refusal of unknown fields, canonical bytes and digests."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Json = object
"""A JSON value: null, boolean, finite number, string, array, or object with string keys."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z][a-zA-Z0-9_.-]*$")]
"""A name of an agent, tool or alias."""

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, strict=True)]
"""A number, finite, within 0 to 1; neither a boolean nor a text."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""`sha256:` and 64 lower-case hexadecimal digits."""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Contract(BaseModel):
    """A frozen value that crosses a boundary (model, disk, HTTP); unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def canonical_json(value: object) -> bytes:
    """Serialise a JSON value to its one canonical form: UTF-8, sorted keys, no free whitespace.

    Numbers are written as Python writes them, NaN and infinities are refused.
    In the spirit of RFC 8785, without its number formatting.

    Raises:
        ValueError: the value holds NaN or an infinity.
        TypeError: the value is not JSON.
    """
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """Name a JSON value by the SHA-256 of its canonical form."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """Name bytes by their SHA-256."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def storable(text: str) -> str:
    """Replace halves of character pairs, which could not be recorded, each by a question mark."""
    return text.encode("utf-8", "replace").decode()


def _storable(value: object) -> object:
    try:
        canonical_json(value).decode()
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"not a JSON value that can be stored: {error}"
        raise ValueError(msg) from error
    return value


StorableJson = Annotated[object, AfterValidator(_storable)]
"""A JSON value that has a canonical form: finite numbers, valid text, nothing else."""
