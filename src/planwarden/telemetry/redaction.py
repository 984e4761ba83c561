"""Keeping secrets out of text: values that are known to be secret, and what looks like a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import quote, quote_plus

HIDDEN = "…"
"""What stands where a secret stood."""
SHORTEST = 4
"""A shorter value is taken for a placeholder, such as `x`, that servers without keys are given."""
ANYWHERE = 8
"""A value of so many characters is hidden wherever it stands, a shorter one where it is a word by itself."""
SHORT = 100
"""Texts up to so many characters are mostly names and digests, which come again and again."""

_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:api[_-]?key|authorization|cookie|credentials?|passw(?:or)?d|secret|token)$"
)
_REST = r"[^\s\"'<>]"
_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(://){_REST}*@"), rf"\1{HIDDEN}@"),
    (re.compile(rf"(://[^\s\"'<>?]*\?){_REST}*"), rf"\1{HIDDEN}"),
    (re.compile(rf"(://[^\s\"'<>#]*#){_REST}*"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=\-]{6,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?i)([\w\-]*(?:api[_-]?key|authorization|cookie|passw(?:or)?d|secret|token)[\"']?\s*[:=]\s*[\"']?)"
            r"(?:(?:bearer|basic|token)\s+)?[^\s\"'&,;}]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bsk-[\w\-]{12,}"), f"sk-{HIDDEN}"),
)
"""Parts of addresses in which keys travel, headers, assignments to a name that says what it is."""
_SUSPICIOUS = (
    *("\\", "://", "sk-", "bearer", "basic", "apikey", "api_key", "api-key", "authorization", "cookie"),
    *("credential", "passw", "secret", "token"),
)
"""What the patterns above find has one of these in it, in whatever case; an escape may hide one."""


class Redaction:
    """Hides secrets; which values are secret is told to it, and only ever added to."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._seen = lru_cache(maxsize=1024)(self._hidden)
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Have these values hidden from now on, also as JSON, Python and addresses write them."""
        fresh = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        if fresh <= self._known:
            return
        self._known |= fresh
        ordered = sorted(self._known, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_anywhere_or_as_a_word, ordered)))
        self._seen.cache_clear()

    def betrayed(self, text: str) -> bool:
        """Say whether a known secret stands in a text."""
        if self._pattern is None or not any(form in text for form in self._known):
            return False  # looking for texts one by one is a tenth of the work of the pattern
        return self._pattern.search(text) is not None

    def suspected(self, line: str) -> bool:
        """Say whether a line of JSON in ASCII can hold anything that `value` would hide in what it shows.

        One look at the line is much cheaper than one at each value, and nearly every line is innocent.
        """
        lower = line.lower()
        for each in _SUSPICIOUS:  # a plain loop: this is done for every line
            if each in lower:
                return True
        return any(form in line for form in self._known)

    def text(self, text: str) -> str:
        """Give a text without secrets."""
        return self._seen(text) if len(text) <= SHORT else self._hidden(text)

    def _hidden(self, text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        for looks, hidden in _LOOKS:
            text = looks.sub(hidden, text)
        return HIDDEN if self.betrayed(text) else text

    def value(self, value: object, name: str = "") -> object:
        """Give any value without secrets, as JSON holds it; what JSON does not hold as the text it shows."""
        if value is None or isinstance(value, bool):
            return value
        if name and _SECRET_NAME.search(name):
            return HIDDEN
        match value:
            case str():
                return self.text(value)
            case int() | float():
                return HIDDEN if self.betrayed(str(value)) else value
            case Mapping():
                inner = cast("Mapping[object, object]", value)
                return {self.text(str(key)): self.value(each, str(key)) for key, each in inner.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(each) for each in cast("Iterable[object]", value)]
            case bytes():
                return self.text(value.decode("utf-8", "replace"))
            case _:
                return self.text(repr(value))


def _forms(secret: str) -> set[str]:
    """Give the ways in which a secret is written."""
    forms = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    try:
        forms |= {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    except UnicodeEncodeError:
        return forms
    return forms


def _anywhere_or_as_a_word(form: str) -> str:
    written = re.escape(form)
    return written if len(form) >= ANYWHERE else rf"(?<!\w){written}(?!\w)"
