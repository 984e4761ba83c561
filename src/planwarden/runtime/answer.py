"""Answers: rendered from evidence, or checked against it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from planwarden.contracts.calls import Citation, StepAnswer
from planwarden.contracts.run import CallState, StepState
from planwarden.contracts.value import Json
from planwarden.language.support import unsupported_mentions
from planwarden.runtime.citations import cited, without_citations

_LIST_MARK = re.compile(r"(?m)^[\s*#>]*(\d+[.)])\s")
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


def render_from_evidence(
    inputs: Sequence[StepAnswer],
    calls: Sequence[CallState],
    *,
    because: str = "answer_style",
    heading: str = "",
) -> StepAnswer:
    """Write an answer that says only what the tools returned, each part with the call it rests on.

    Args:
        inputs: answers of the steps this one builds on; they come first.
        calls: of this step, that returned.
        because: why it is rendered.
        heading: a line to stand above it.
    """
    parts = [heading] if heading else []
    parts += [answer.text for answer in inputs]
    parts += [f"{result_text(call.value)[:MAX_SHOWN_CHARS]} [{call.call.id}]" for call in calls]
    own = (Citation(call=call.call.id, by="rendered") for call in calls)
    citations = {each.call: each for each in (*(c for answer in inputs for c in answer.citations), *own)}
    evidence = [*(ref for answer in inputs for ref in answer.evidence), *(call.call.id for call in calls)]
    return StepAnswer(
        text="\n".join(parts),
        evidence=tuple(dict.fromkeys(evidence)),
        style="evidence",
        unsupported_numbers=tuple(number for answer in inputs for number in answer.unsupported_numbers),
        grounded=bool(evidence),
        citations=tuple(citations.values()),
        available=known_ids(inputs, calls),
        unknown_citations=tuple(ref for answer in inputs for ref in answer.unknown_citations),
        uncited=tuple(sentence for answer in inputs for sentence in answer.uncited),
        rendered_because=because,
    )


def known_ids(inputs: Sequence[StepAnswer], calls: Sequence[CallState]) -> tuple[str, ...]:
    """Give the ids that the model of a step may cite: those its inputs rest on, and its own calls."""
    ids = [*(ref for answer in inputs for ref in answer.evidence), *(call.call.id for call in calls)]
    return tuple(dict.fromkeys(ids))


def checked_prose(
    text: str, inputs: Sequence[StepAnswer], calls: Sequence[CallState], task: str, language: str = "en"
) -> StepAnswer:
    """Keep a model's answer; say what each sentence rests on, and which numbers nothing supports.

    Args:
        text: as the model wrote it.
        inputs: answers of the steps this one builds on.
        calls: of this step, that returned.
        task: the prompt; its own numbers need no evidence.
        language: of the text, for number words.
    """
    known = known_ids(inputs, calls)
    contents = {call.call.id: tuple(_texts(call.value)) for call in calls}
    sources = [said for texts in contents.values() for said in texts]
    sources += [_supported_text(answer) for answer in inputs]
    sorted_out = cited(text.strip(), known, contents, task)
    evidence = tuple(each.call for each in sorted_out.citations)
    return StepAnswer(
        text=sorted_out.text,
        evidence=evidence,
        style="prose",
        unsupported_numbers=unsupported_numbers(text, [*sources, task], language),
        grounded=bool(evidence),
        citations=sorted_out.citations,
        available=known,
        unknown_citations=sorted_out.unknown,
        uncited=sorted_out.uncited,
    )


def _supported_text(answer: StepAnswer) -> str:
    """Give an earlier answer without the numbers that nothing supported there: no evidence for those."""
    text = without_citations(answer.text)
    for number in answer.unsupported_numbers:
        text = re.sub(rf"(?<!\d){re.escape(number)}(?!\d)", " ", text)
    return text


def _texts(value: Json) -> Iterable[str]:
    """Give every text and number of a JSON value, as they are: JSON's escapes would glue to numbers."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Json]", value).items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Json]", value):
            yield from _texts(inner)
    else:
        yield str(value)


def unsupported_numbers(text: str, sources: Iterable[str], language: str = "en") -> tuple[str, ...]:
    """Give the numbers of a text that no source contains, as the text writes them; see `language.support`."""
    said = _LIST_MARK.sub(lambda mark: " " * len(mark[0]), without_citations(text))
    found = unsupported_mentions(said, tuple(sources), language)
    return tuple(dict.fromkeys(mention.text for mention in found))
