"""What the answer's sentences rest on: the calls each cites, and numbers without evidence, marked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from markupsafe import Markup

from planwarden.audit.page.element import badge, code, joined, section, tag
from planwarden.audit.page.tones import BAD, WAIT
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.dossier import Dossier, DossierCall, said_by_person
from planwarden.language.sentences import sentence_spans

_BRACKETS = re.compile(r"[\[【][^\[\]【】\n]{1,200}[\]】]")
_ID = re.compile(r"[a-z][a-z0-9_]*\.\d+")
_BY: dict[Literal["model", "matched", "rendered"], str] = {
    "model": "cited by the model",
    "matched": "matched by the runtime: this call alone holds its numbers and quotes",
    "rendered": "the call's own result",
}
_RENDERED = {
    "answer_style": "this model's own words are not used",
    "unsupported_numbers": "its words held numbers without evidence",
    "stand_in": "a stand-in answered, whose own words are not used",
}


def answer_section(dossier: Dossier) -> Markup:
    """Show the final answer, sentence by sentence."""
    if dossier.answer is None:
        return section("answer", "Answer", tag("p", "There is none."))
    return section("answer", "Answer", *_flags(dossier.answer), answer_claims(dossier.answer, dossier.calls))


def _flags(answer: StepAnswer) -> Iterator[Markup]:
    """Say what a reader has to know before believing the answer."""
    if not answer.grounded:
        yield tag("p", badge("no tool backs this answer", WAIT))
    if answer.unsupported_numbers:
        numbers = joined(part for number in answer.unsupported_numbers for part in (code(number), " "))
        yield tag("p", badge("numbers that no evidence contains", BAD), " ", numbers)
    if answer.unknown_citations:
        told = joined(part for each in answer.unknown_citations for part in (code(each), " "))
        yield tag("p", badge("cited, but not there", BAD), " ", told)
    if answer.rendered_because:
        because = _RENDERED.get(answer.rendered_because, f"of {answer.rendered_because}")
        told = f"Rendered from what the tools returned, not written by a model, because {because}."
        yield tag("p", told, class_="note")


def answer_claims(answer: StepAnswer, calls: Sequence[DossierCall]) -> Markup:
    """Show an answer's sentences beside those of the calls that they rest on."""
    tools = {call.id: call.tool for call in calls if call.id is not None and call.id in answer.evidence}
    sentences = [answer.text[start:end] for start, end in sentence_spans(answer.text)] or [answer.text]
    cited = [[name for name in _ids(sentence) if name in tools] for sentence in sentences]
    if answer.style == "evidence":
        _carry_back(cited)
    by = {each.call: _BY[each.by] for each in reversed(answer.citations)}
    by |= {call.id: f"as {call.settled_by} said" for call in calls if call.id in by and said_by_person(call)}
    rows = (
        tag(
            "div",
            tag("p", *_marked(sentence, answer.unsupported_numbers, tools), dir="auto"),
            tag("div", *_rests(names, by, tools, uncited=sentence.strip() in answer.uncited), class_="rests"),
            class_="claim",
        )
        for sentence, names in zip(sentences, cited, strict=True)
    )
    return tag("div", *rows, class_="answer")


def _ids(sentence: str) -> Iterator[str]:
    for group in _BRACKETS.findall(sentence):
        yield from _ID.findall(group)


def _carry_back(cited: list[list[str]]) -> None:
    """Give a rendered result's first sentences what stands behind its last."""
    following: list[str] = []
    for names in reversed(cited):
        following = list(names) or following
        names[:] = following


def _marked(sentence: str, unsupported: Iterable[str], tools: Mapping[str, str]) -> Iterator[str]:
    """Make links of citations, and mark numbers that nothing supports."""
    numbers = "|".join(re.escape(number) for number in sorted(unsupported, key=len, reverse=True) if number)
    marks = rf"(?<![\w]){'(?:' + numbers + ')'}(?![\w])" if numbers else r"(?!)"
    at = 0
    for found in re.finditer(rf"(?P<group>{_BRACKETS.pattern})|(?P<number>{marks})", sentence):
        yield sentence[at : found.start()]
        if found["group"]:
            yield from _linked(found["group"], tools)
        else:
            yield tag("mark", found["number"], title="No evidence contains this number.")
        at = found.end()
    yield sentence[at:]


def _linked(group: str, tools: Mapping[str, str]) -> Iterator[str]:
    at = 0
    for found in _ID.finditer(group):
        yield group[at : found.start()]
        yield tag("a", found[0], href=f"#call-{found[0]}") if found[0] in tools else found[0]
        at = found.end()
    yield group[at:]


def _rests(
    names: Sequence[str], by: Mapping[str, str], tools: Mapping[str, str], *, uncited: bool
) -> Iterator[Markup]:
    for name in dict.fromkeys(names):
        told = by.get(name, "")
        link = tag("a", f"{name} {tools[name]}", href=f"#call-{name}")
        yield tag("div", link, tag("span", f" {told}", class_="note") if told else None)
    if uncited and not names:
        yield tag("div", badge("rests on no call", WAIT))
