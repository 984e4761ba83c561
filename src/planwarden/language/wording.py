"""Our own fixed texts that reach users as answers, in the language of the request (wording.json)."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Literal

from planwarden.language.detection import UNKNOWN

Said = Literal["unclear", "no_evidence", "returned"]


def wording(what: Said, language: str) -> str:
    """Give a text in a language; in English where the table does not have it."""
    texts = table()[what]
    return texts.get(language, texts[UNKNOWN])


@cache
def table() -> dict[str, dict[str, str]]:
    """Read the table: text → language → wording."""
    return json.loads(resources.files("planwarden.language").joinpath("wording.json").read_text("utf-8"))
