"""The made-up catalogs that ship, and what is asked of them."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from planwarden.evaluation.fitting import shipped_labelled
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.worlds import World, shipped_worlds, world_tasks

WORLDS = shipped_worlds()

pytestmark = pytest.mark.requirement("OWN-6")


def test_twelve_worlds_ship_each_with_near_fifty_requests_over_some_thirty_tools() -> None:
    assert len(WORLDS) == 12
    assert [world.name for world in WORLDS] == sorted({world.name for world in WORLDS})
    for world in WORLDS:
        assert 26 <= len(world.tools) <= 36
        assert len(world.tasks) == 48
        lengths = Counter(len(task.steps) for task in world.tasks)
        assert lengths[0] == 6
        assert lengths[1] == 14
        assert sum(count for steps, count in lengths.items() if steps > 1) == 28


def test_no_request_of_a_world_is_asked_twice_nor_is_one_of_the_tasks_over_our_own_catalog() -> None:
    asked = [" ".join(task.request.casefold().split()) for world in WORLDS for task in world.tasks]
    own = {" ".join(task.request.casefold().split()) for task in shipped_own_tasks()}
    assert len(asked) == len(set(asked))
    assert not own & set(asked)


def test_most_tools_serve_several_requests_so_that_memory_has_something_to_teach() -> None:
    for world in WORLDS:
        used = Counter(tool for task in world.tasks for tool in set(task.steps))
        assert sum(count > 1 for count in used.values()) > len(world.tools) / 2


def test_a_world_that_plans_what_it_has_not_or_links_backwards_is_refused() -> None:
    whole = WORLDS[0].model_dump(mode="json")
    first, several = whole["tasks"][0], next(task for task in whole["tasks"] if len(task["steps"]) > 1)
    foreign = {**first, "steps": ["ghost.tool"], "edges": []}
    with pytest.raises(ValidationError, match="a step is no tool of"):
        World.model_validate({**whole, "tasks": [foreign]})
    with pytest.raises(ValidationError, match="does not lead to a later step"):
        World.model_validate({**whole, "tasks": [{**several, "edges": [[1, 0]]}]})


def test_the_ranker_learns_from_every_world_and_from_the_tasks_over_our_own_catalog() -> None:
    sources = Counter(task.source for task in shipped_labelled())
    assert {world.name for world in WORLDS} < set(sources)
    assert sources["own"] > 150
    tasks = world_tasks()
    assert len(tasks) == sum(len(world.tasks) for world in WORLDS)
    assert len({task.id for task in tasks}) == len(tasks)
