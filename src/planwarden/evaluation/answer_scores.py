"""The items of `planwarden models measure`, and how an answer to one is judged. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import Field

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.value import Contract, digest
from planwarden.language.detection import language_of
from planwarden.language.numbers import mentions
from planwarden.language.support import known_numbers
from planwarden.runtime.citations import without_citations


class AnswerItem(Contract):
    """A question with evidence, and what a right answer says."""

    id: str
    language: str
    request: str
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    """Results of the calls `s1.1`, `s1.2`, …"""
    answer: tuple[str, ...] = ()
    """What a right answer states, one of them; none where the evidence lacks it."""
    call: int | None = None
    """Which call holds it, from 1."""


class AnswerItems(Contract):
    """The items that ship."""

    licence: str
    admits: dict[str, tuple[str, ...]]
    """Language → words of which one stands in an answer that says that the evidence is not enough."""
    items: tuple[AnswerItem, ...]

    @property
    def digest(self) -> str:
        """Name the items by their content."""
        return digest(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """How one item was answered."""

    item: AnswerItem
    text: str
    """What the model wrote; empty when it gave no usable reply."""
    stated: bool
    cited: bool
    admitted: bool
    invented: tuple[str, ...]
    language: bool

    @property
    def right(self) -> bool:
        """Say whether the answer is right; who cites is scored apart, for the runtime can match."""
        return (self.stated if self.item.answer else self.admitted) and self.language and not self.invented


@cache
def answer_items() -> AnswerItems:
    """Read the items."""
    folder = resources.files("planwarden.evaluation")
    return AnswerItems.model_validate_json(folder.joinpath("answer_items.json").read_bytes())


def score_answer(item: AnswerItem, answer: StepAnswer | None, admits: Sequence[str]) -> ItemScore:
    """Judge an answer; None for no usable reply.

    Args:
        item: that was asked.
        answer: with its citations sorted out and its numbers checked.
        admits: words that say, in the item's language, that the evidence is not enough.
    """
    text = without_citations(answer.text).strip() if answer else ""
    return ItemScore(
        item=item,
        text=answer.text if answer else "",
        stated=any(_states(text, wanted) for wanted in item.answer),
        cited=answer is not None
        and any(each.by == "model" and each.call == f"s1.{item.call}" for each in answer.citations),
        admitted=any(word in f"{text.casefold()} " for word in admits),
        invented=answer.unsupported_numbers if answer else (),
        language=(
            bool(text)
            and (not item.answer or len(text.split()) > 4 or not text.isascii())
            and language_of(text) == item.language
        )
        or _says_only_the_value(text, item),
    )


def _says_only_the_value(text: str, item: AnswerItem) -> bool:
    """A bare value is right in any language."""
    return any(len(text) <= len(wanted) + 12 and _states(text, wanted) for wanted in item.answer)


def _states(text: str, wanted: str) -> bool:
    if wanted.casefold() in text.casefold():
        return True
    said = known_numbers(mentions(text))
    claims = list(mentions(wanted))
    return bool(claims) and all(any(said.supports(way) for way in claim.readings) for claim in claims)
