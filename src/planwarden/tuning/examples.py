"""Training examples: a lesson under one of many shortlists, in the very prompt that the planner sends. Pure.

Every call draws anew: which near tools stand beside the right ones, in which order, how long descriptions
are. So a model learns to read the list, not to know the tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.model import Message
from planwarden.contracts.task import Task
from planwarden.planning.notation.item import ASK, NONE, write_plan
from planwarden.planning.notation.offer import MAX_ITEMS, Offer, OfferedTool, WaysOut
from planwarden.planning.prior import PlanItem
from planwarden.planning.prompt import DESCRIPTION_CHARS, PromptSpec, build_prompt
from planwarden.tuning.lessons import Lesson

SIZES = (3, 4, 5, 6, 6, 7, 8, 8, 8, 9)
"""How many tools are shown; drawn from these."""
NOTHING_FITS = 0.09
"""Share of examples in which only tools are shown that do not fit, and `none` is right."""
ONE_IS_MISSING = 0.13
"""Share in which one of several right tools is not shown, and the plan does without it."""
JOINED = 0.12
"""Share of lessons that are joined with another one."""
JOINED_CHARS = 500
"""Of two requests together at most."""
LINKING = (" Then, ", " Also, ", " After that, ", " And ", " Next, ", " ")
BOTH_WAYS = WaysOut(answer=True, ask=True)
WAYS = (BOTH_WAYS, BOTH_WAYS, WaysOut(answer=True, ask=False), WaysOut(answer=False, ask=False))
ROOMY = 4
"""How much likelier descriptions are at their longest than at each shorter length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """A prompt and the reply that is right."""

    messages: tuple[Message, ...]
    target: str


def examples(lessons: Sequence[Lesson], random: Random) -> list[TrainingExample]:
    """Draw an example of each lesson, in any order: one epoch."""
    drawn = [example(_perhaps_joined(lesson, lessons, random), random) for lesson in lessons]
    random.shuffle(drawn)
    return drawn


def example(lesson: Lesson, random: Random) -> TrainingExample:
    """Draw one example of a lesson."""
    others = _others(lesson)
    items, way_out, luck = lesson.items, lesson.way_out, random.random()
    if items and others and luck < NOTHING_FITS:
        items, way_out = (), "none"
        others = others[len(others) // 2 :]
    elif len(lesson.tools) > 1 and luck > 1.0 - ONE_IS_MISSING:
        items = without(items, random.choice(sorted(lesson.tools)))
    right = list(dict.fromkeys(item.tool for item in items))
    room = max(random.choice(SIZES) - len(right), 0 if right else 1)
    shown = [*right, *_nearest(others, room, random)]
    random.shuffle(shown)
    ways = random.choice(WAYS if way_out is None else (BOTH_WAYS,))
    offer = Offer(
        tools=tuple(OfferedTool(name=name, agents=lesson.agents[name]) for name in shown), ways_out=ways
    )
    chars = random.choice((*DESCRIPTION_CHARS[:1] * ROOMY, *DESCRIPTION_CHARS[1:]))
    spec = PromptSpec(offer=offer, examples=(), description_chars=chars)
    said = (PlanItem(tool=ASK if way_out == "ask" else NONE),) if way_out else items
    return TrainingExample(
        messages=build_prompt(Task(prompt=lesson.request), lesson.catalog, spec), target=write_plan(said)
    )


def without(items: Sequence[PlanItem], tool: str) -> tuple[PlanItem, ...]:
    """Leave a tool out of a plan; uses are renumbered, those of its results fall away."""
    numbers: dict[int, int] = {}
    kept: list[PlanItem] = []
    for place, item in enumerate(items, start=1):
        if item.tool != tool:
            numbers[place] = len(kept) + 1
            kept.append(replace(item, uses=tuple(numbers[use] for use in item.uses if use in numbers)))
    return tuple(kept)


def joined(first: Lesson, second: Lesson, linking: str) -> Lesson | None:
    """Make one lesson of two, both requests and both plans; None where they are too long or disagree."""
    known = {**first.catalog.tools, **second.catalog.tools}
    clash = any(known[name] != spec for name, spec in first.catalog.tools.items())
    if clash or not first.items or not second.items or len(first.items) + len(second.items) > MAX_ITEMS:
        return None
    if len(first.request) + len(second.request) > JOINED_CHARS:
        return None
    agents = {
        name: spec.model_copy(
            update={"tools": tuple(dict.fromkeys((*first.catalog.agents[name].tools, *spec.tools)))}
        )
        if name in first.catalog.agents
        else spec
        for name, spec in {**first.catalog.agents, **second.catalog.agents}.items()
    }
    moved = (replace(item, uses=tuple(use + len(first.items) for use in item.uses)) for item in second.items)
    return Lesson(
        id=f"{first.id}+{second.id}",
        request=f"{first.request.rstrip()}{linking}{_in_a_sentence(second.request, linking)}",
        catalog=Catalog(agents=agents, tools=known),
        agents={**first.agents, **second.agents},
        items=(*first.items, *moved),
        near=tuple(dict.fromkeys((*first.near[:8], *second.near[:8]))),
    )


def _perhaps_joined(lesson: Lesson, lessons: Sequence[Lesson], random: Random) -> Lesson:
    if random.random() >= JOINED:
        return lesson
    return joined(lesson, random.choice(lessons), random.choice(LINKING)) or lesson


def _in_a_sentence(request: str, linking: str) -> str:
    plain = request[:1].isupper() and not request[1:2].isupper() and not request.startswith("I ")
    return request[0].lower() + request[1:] if linking.strip() and plain else request


def _others(lesson: Lesson) -> list[str]:
    """Give the tools that the plan has not, the near ones first."""
    ranked = dict.fromkeys((*lesson.near, *lesson.catalog.tools))
    return [name for name in ranked if name not in lesson.tools]


def _nearest(names: Sequence[str], count: int, random: Random) -> list[str]:
    """Draw tools that are near, with some chance for those farther off."""
    at = {name: place + random.expovariate(1 / 3) for place, name in enumerate(names)}
    return sorted(names, key=at.__getitem__)[:count]
