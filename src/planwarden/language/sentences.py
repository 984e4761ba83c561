"""Where the sentences of a text begin and end, in any script; a line is at least one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from planwarden.language.dates import MONTHS
from planwarden.language.scales import POWERS

_BREAK = re.compile(
    r"""\n+
    | (?<![.!?؟।…])[.!?؟।…]++["'”»)]*+(?:\s*[\[【][\w.,;、 ]{1,80}[\]】])*+\s++
    | (?<![。！？])[。！？]++[」』）]*+(?:\s*[\[【][\w.,;、 ]{1,80}[\]】])*+\s*+""",
    re.VERBOSE,
)
_BEFORE = re.compile(r"([^\W_]+)$")
_AFTER = re.compile(r"\s*([^\W\d_]+)")
_ABBREVIATED = (
    "dr mr mrs ms st nr no vs e.g i.e z.b bzw ca approx etc inc ltd co corp jr sr prof p pp art fig vol env "
    "aprox sig sra núm vgl usw ggf inkl tzn np ok ул г м т"
)
_SHORT = frozenset(_ABBREVIATED.split())


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Give start and end of each sentence, in order; what is between two is white space.

    A citation behind the end mark belongs to its sentence. A full stop after an abbreviation, or after the
    day of a date, ends none.
    """
    start = 0
    for found in _BREAK.finditer(text):
        if "\n" not in found[0] and found[0][0] == "." and not _ends(text, found.start(), found.end()):
            continue
        end = found.start() + len(found[0].rstrip())
        if text[start:end].strip():
            yield start + len(text[start:end]) - len(text[start:end].lstrip()), end
        start = found.end()
    rest = text[start:]
    if rest.strip():
        yield start + len(rest) - len(rest.lstrip()), start + len(rest.rstrip())


def _ends(text: str, stop: int, after: int) -> bool:
    """Say whether the full stop at a place ends a sentence."""
    before = _BEFORE.search(text, max(0, stop - 24), stop)
    following = _AFTER.match(text, after)
    word = before[1].lower() if before else ""
    if word.isdigit():
        line_start = (
            not text[max(0, stop - len(word) - 8) : stop - len(word)].rpartition("\n")[2].strip(" *#>")
        )
        return not line_start and not (following and following[1].lower() in MONTHS)
    lower_next = following is not None and following[1][0].islower()
    abbreviated = word in _SHORT or word in POWERS or word in MONTHS or (len(word) == 1 and word.isascii())
    return not (abbreviated or lower_next)
