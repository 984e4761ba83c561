"""Answers: rendered from evidence, or checked against it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.run import CallState, StepState
from planwarden.contracts.value import Json

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d+)*(?:\.\d+)?")
_CITATION = re.compile(r"\[[a-z][a-z0-9_]*\.\d+\]")
_LIST_MARK = re.compile(r"(?m)^\s*\d+[.)]\s")
MAX_SHOWN_CHARS = 1_500


def result_text(value: Json) -> str:
    """Say a result in words: its own `text` where it has one, else its JSON."""
    if isinstance(value, dict):
        text = cast("dict[str, Any]", value).get("text")
        if isinstance(text, str):
            return text.strip()
    return json.dumps(value, ensure_ascii=False)


def returned_calls(steps: Iterable[StepState]) -> tuple[CallState, ...]:
    """Give the calls of these steps that gave a result."""
    return tuple(call for step in steps for call in step.calls if call.status == "returned")


def render_from_evidence(inputs: Sequence[StepAnswer], calls: Sequence[CallState]) -> StepAnswer:
    """Write an answer that says only what the tools returned, each part with the call it rests on.

    Args:
        inputs: answers of the steps this one builds on; they come first.
        calls: of this step, that returned.
    """
    parts = [answer.text for answer in inputs]
    parts += [f"{result_text(call.value)[:MAX_SHOWN_CHARS]} [{call.call.id}]" for call in calls]
    evidence = [*(ref for answer in inputs for ref in answer.evidence), *(call.call.id for call in calls)]
    return StepAnswer(
        text="\n".join(parts),
        evidence=tuple(dict.fromkeys(evidence)),
        style="evidence",
        grounded=True,
    )


def checked_prose(
    text: str, inputs: Sequence[StepAnswer], calls: Sequence[CallState], task: str
) -> StepAnswer:
    """Keep a model's answer, cite what it cites (else all calls), flag numbers without evidence.

    Args:
        text: as the model wrote it.
        inputs: answers of the steps this one builds on.
        calls: of this step, that returned.
        task: the prompt; its own numbers need no evidence.
    """
    known = [*(ref for answer in inputs for ref in answer.evidence), *(call.call.id for call in calls)]
    cited = [ref for ref in known if f"[{ref}]" in text]
    sources = [text for call in calls for text in _texts(call.value)]
    sources += [answer.text for answer in inputs]
    return StepAnswer(
        text=text.strip(),
        evidence=tuple(dict.fromkeys(cited or known)),
        style="prose",
        unsupported_numbers=unsupported_numbers(text, [*sources, task]),
        grounded=bool(known),
    )


def _texts(value: Json) -> Iterable[str]:
    """Give every text and number of a JSON value, as they are: JSON's own escapes would glue to numbers."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Json]", value).items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Json]", value):
            yield from _texts(inner)
    else:
        yield str(value)


def unsupported_numbers(text: str, sources: Iterable[str]) -> tuple[str, ...]:
    """Give the numbers of a text that no source contains; sign and rounding are allowed for."""
    known = {abs(_value(number)) for source in sources for number in _NUMBER.findall(source)}
    found = _NUMBER.findall(_LIST_MARK.sub(" ", _CITATION.sub(" ", text)))
    return tuple(dict.fromkeys(number for number in found if not _supported(number, known)))


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _supported(number: str, known: set[float]) -> bool:
    digits = len(number.partition(".")[2])
    value = abs(_value(number))
    return any(value == other or round(other, digits) == value for other in known)
