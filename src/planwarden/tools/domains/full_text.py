"""Any text as a query of SQLite's full-text index."""

from __future__ import annotations

from planwarden.tools.domains.corpus import words

_STOP_WORDS_TEXT = """
a about an and any are as at be by can could did do does for from give had has have how i if in into
is it its me my no not of on or our please say show should so tell that the their them there these
they this to us was we were what when where which who whom why will with would you your
"""
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


def match_expression(query: str) -> str:
    """Write any text as an FTS5 expression: each word a quoted string, any of them may match."""
    found = words(query.encode("utf-8", "replace").decode())
    telling = [word for word in found if word not in _STOP_WORDS] or found
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(telling[:40]))
