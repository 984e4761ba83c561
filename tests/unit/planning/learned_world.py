"""What tests of the ranker share: a dozen tools, labelled tasks that follow a rule, small forests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.contracts.specs import AgentSpec, ToolExample, ToolSpec
from planwarden.planning.learning import fit
from planwarden.planning.learning.growing import Growth
from planwarden.planning.learning.tasks import LabelledTask
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import hear
from planwarden.planning.ranking.lessons import Lesson, LessonBook
from planwarden.planning.ranking.ranker import Ranking, rank
from planwarden.planning.ranking.tool_index import ToolIndex
from planwarden.planning.ranking.weights import RankerWeights
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

if TYPE_CHECKING:
    from collections.abc import Generator

SMALL = Growth(trees=40, leaves=7, least_rows=8)
WHERE = ("Paris", "Oslo", "Cairo", "Lima")
MAIL = "mail.send"
SAID: dict[str, tuple[str, str, tuple[str, str, str]]] = {
    "weather.forecast": (
        "Weather forecast of a city",
        "city",
        ("Will it rain in {}", "How warm is it in {}", "Give me the weather of {}"),
    ),
    "flights.search": (
        "Flights to a city",
        "destination",
        ("Find a flight to {}", "I want to fly to {}", "Which airlines go to {}"),
    ),
    "hotels.book": (
        "Book a hotel room",
        "city",
        ("Book a room in {}", "Reserve a hotel in {}", "I need a bed for the night in {}"),
    ),
    "music.play": (
        "Play songs of an artist",
        "artist",
        ("Play songs from {}", "Put on some music from {}", "I want to hear a band from {}"),
    ),
    "news.headlines": (
        "Headlines of today's newspapers",
        "topic",
        ("What is in the papers about {}", "Show me the headlines on {}", "Any news from {}"),
    ),
    "recipes.find": (
        "Recipes for dishes to cook",
        "dish",
        ("How do I cook a dish of {}", "Find a recipe from {}", "What can I bake as they do in {}"),
    ),
    "maps.distance": (
        "Distance on the road between places",
        "place",
        ("How far is it to {}", "How many kilometres of road to {}", "Measure the distance to {}"),
    ),
    "currency.convert": (
        "Exchange rate of two currencies",
        "currency",
        (
            "Convert dollars to the money of {}",
            "What is the exchange rate in {}",
            "How much is a euro worth in {}",
        ),
    ),
    "museums.list": (
        "Museums and their opening hours",
        "city",
        ("Which museums are there in {}", "When does the gallery in {} open", "List the exhibitions of {}"),
    ),
    "population.count": (
        "How many people live in a place",
        "place",
        ("How many inhabitants has {}", "How many people live in {}", "What is the population of {}"),
    ),
    "photos.search": (
        "Pictures and photographs",
        "subject",
        ("Show me pictures of {}", "Find a photograph of {}", "I want to see an image of {}"),
    ),
    MAIL: (
        "Send an e-mail message",
        "message",
        ("Write a message to {}", "Mail a greeting to {}", "Send a letter by mail to {}"),
    ),
}
NOTHING = (
    "Tell me a joke",
    "Who are you",
    "Thank you very much",
    "Good morning",
    "Sing to me",
    "Are you sure",
)


def tool(name: str, description: str, parameter: str, *examples: str) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=description,
        effect="read",
        parameters={
            "type": "object",
            "properties": {parameter: {"type": "string"}},
            "required": [parameter],
            "additionalProperties": False,
        },
        examples=tuple(ToolExample(request=each) for each in examples),
    )


TOOLS = tuple(tool(name, description, parameter) for name, (description, parameter, _) in SAID.items())
AGENTS = (
    AgentSpec(name="travel_agent", description="Travel", tools=tuple(SAID)[:6]),
    AgentSpec(name="office_agent", description="Letters and figures", tools=(*tuple(SAID)[4:], MAIL)),
    AgentSpec(name="idle_agent", description="May call nothing", tools=tuple(SAID)),
    AgentSpec(name="general_agent", description="Anything", may_answer_without_tools=True),
)


def task(at: int, request: str, *steps: str, links: Sequence[tuple[int, int]] = ()) -> LabelledTask:
    return LabelledTask(
        id=f"t{at}",
        source=f"s{at % 2}",
        request=request,
        tools=TOOLS,
        steps=steps,
        links=tuple(links),
    )


def asking(name: str, way: int) -> str:
    return SAID[name][2][way].format(WHERE[(way + list(SAID).index(name)) % len(WHERE)])


def labelled_tasks() -> tuple[LabelledTask, ...]:
    """Give tasks of one step, of two that are linked ("then mail it"), of two that are not, and of none."""
    names = [name for name in SAID if name != MAIL]
    asked: list[tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]] = []
    for at, name in enumerate(names):
        other = names[(at + 4) % len(names)]
        asked += [(f"{asking(name, way)}?", (name,), ()) for way in (0, 1)]
        asked += [(f"{asking(name, way)}, then mail the result", (name, MAIL), ((0, 1),)) for way in (0, 2)]
        asked += [(f"{asking(name, 1)}. {asking(other, 0)}.", (name, other), ())]
    asked += [(f"{request}!", (), ()) for request in NOTHING]
    return tuple(task(at, request, *steps, links=links) for at, (request, steps, links) in enumerate(asked))


@contextmanager
def small_forests(growth: Growth = SMALL) -> Generator[None]:
    """Grow few trees, so that fitting takes a second; with as few rows in a leaf as small sets have."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOOL_GROWTH", "FOLD_GROWTH", "REPEAT_GROWTH", "PAIR_GROWTH"):
            patch.setattr(fit, name, growth)
        yield


def ranked(
    request: str,
    encoder: SentenceEncoder,
    weights: RankerWeights,
    *,
    tools: Sequence[ToolSpec] = TOOLS,
    lessons: Sequence[Lesson] = (),
    usable: NDArray[np.bool_] | None = None,
) -> Ranking:
    """Rank tools for a request as the prior does."""
    return rank(
        hear(request, encoder, weights.lexicon),
        ToolIndex.build(tools, encoder, weights.lexicon),
        LessonBook.of(lessons, encoder, weights.lexicon),
        weights,
        usable,
    )


def likelihoods(ranking: Ranking) -> dict[str, float]:
    return dict(zip(ranking.names, (float(p) for p in ranking.probability), strict=True))


def catalog(tools: Sequence[ToolSpec] = TOOLS, agents: Sequence[AgentSpec] = AGENTS) -> Catalog:
    return build_catalog(agents, tools, {})


def allowing(**patterns: str) -> ToolPolicy:
    return ToolPolicy(
        agents={
            agent: AgentPolicy(rules=(Rule(name="allowed", says="allow", tools=(pattern,)),))
            for agent, pattern in patterns.items()
        }
    )


EVERYTHING = allowing(travel_agent="*", office_agent="*")


def remembered(request: str, *tools: str, **more: object) -> RememberedPlan:
    """Remember a plan of which each step uses the result of the one before."""
    steps = tuple(
        RememberedStep(agent=None, tools=(name,), depends_on=(at - 1,) if at else ())
        for at, name in enumerate(tools)
    )
    value = {"id": request[:60], "tenant": "t", "request": request, "steps": steps, "origin": "run", **more}
    return RememberedPlan.model_validate(value)
