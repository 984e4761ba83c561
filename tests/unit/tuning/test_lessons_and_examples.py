"""What a model is taught: the planner's own prompts, targets in the notation, nothing that is held out."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.planning.notation.item import read_item
from planwarden.planning.prior import PlanItem
from planwarden.planning.prompt import PLAN
from planwarden.tuning.batches import Encoded, batched, chat
from planwarden.tuning.examples import TrainingExample, example, examples, joined, without
from planwarden.tuning.held_out import is_held_out, parted
from planwarden.tuning.lessons import Lesson, lessons_of, task_of

NAMES = ("get_joke", "encrypt", "find_cafe", "weather", "rate", "route", "notes", "alarm")


def task(task_id: str = "t", steps: tuple[str, ...] = ("get_joke", "encrypt"), **gold: Any) -> PlanTask:
    row = {
        "id": task_id,
        "source": "mine",
        "request": "Encrypt a joke",
        "tools": [{"name": name, "description": f"Does {name} for you. More of it."} for name in NAMES],
        "gold": {"steps": [{"tool": step} for step in steps], "edges": [(0, 1)], "kind": "dag", **gold},
    }
    return PlanTask.model_validate(row)


def lesson(task_id: str = "t", **changes: Any) -> Lesson:
    return lessons_of([task(task_id, **changes)])[0]


def drawn(count: int = 300) -> list[TrainingExample]:
    random = Random(3)
    return [example(lesson(), random) for _ in range(count)]


def shown(each: TrainingExample) -> list[str]:
    return [line.split(":")[0] for line in each.messages[0].content.split("\n")[1:]]


@pytest.mark.requirement("TUNE-1")
def test_a_target_is_in_the_notation_and_names_only_tools_that_the_prompt_shows() -> None:
    for each in drawn():
        items = [read_item(item) for item in json.loads(each.target)["plan"]]
        assert all(item is not None for item in items)
        named = {item.tool for item in items if item is not None} - {"none"}
        assert named <= set(shown(each))
        assert ({"get_joke", "encrypt"} & set(shown(each))) == named
        assert each.messages[0].content.startswith(PLAN)
        assert each.messages[1].content == "Encrypt a joke"


@pytest.mark.requirement("TUNE-1")
def test_links_are_kept_while_both_steps_are_shown_and_fall_away_with_one_of_them() -> None:
    targets = {each.target for each in drawn()}
    assert targets == {
        '{"plan":["get_joke","encrypt<1"]}',
        '{"plan":["get_joke"]}',
        '{"plan":["encrypt"]}',
        '{"plan":["none"]}',
    }


@pytest.mark.requirement("TUNE-1")
def test_where_nothing_fits_the_prompt_offers_the_way_out_that_is_right() -> None:
    nothing = [each for each in drawn() if "none" in each.target]
    assert nothing
    assert all("If no tool fits: none." in each.messages[0].content for each in nothing)


@pytest.mark.requirement("TUNE-1")
def test_the_right_tools_stand_at_any_place_of_the_list() -> None:
    places = {shown(each).index("get_joke") for each in drawn() if "get_joke" in each.target}
    assert places >= set(range(6))


@pytest.mark.requirement("TUNE-1")
def test_the_same_seed_draws_the_same_examples_and_another_others() -> None:
    lessons = [lesson(str(number)) for number in range(6)]
    assert examples(lessons, Random(1)) == examples(lessons, Random(1))
    assert examples(lessons, Random(1)) != examples(lessons, Random(2))


@pytest.mark.requirement("TUNE-1")
def test_two_lessons_joined_keep_both_plans_with_the_second_ones_links_moved() -> None:
    both = joined(lesson(), lesson("u", steps=("rate", "notes")), " Then, ")
    assert both is not None
    assert both.request == "Encrypt a joke Then, encrypt a joke"
    assert [(item.tool, item.uses) for item in both.items] == [
        ("get_joke", ()),
        ("encrypt", (1,)),
        ("rate", ()),
        ("notes", (3,)),
    ]
    long = joined(lesson(), lesson("v", steps=("rate", "notes", "alarm", "route", "weather")), " ")
    assert long is None


@pytest.mark.requirement("TUNE-1")
def test_a_tool_left_out_renumbers_what_the_others_use() -> None:
    plan = (PlanItem(tool="a"), PlanItem(tool="b", uses=(1,)), PlanItem(tool="c", uses=(1, 2)))
    assert without(plan, "a") == (PlanItem(tool="b"), PlanItem(tool="c", uses=(1,)))


@pytest.mark.requirement("TUNE-1")
def test_a_plan_that_the_notation_cannot_say_is_no_lesson() -> None:
    assert lessons_of([task(edges=[(1, 0)])]) == ()
    assert lessons_of([task(steps=("get_joke",) * 7, edges=[])]) == ()
    assert lessons_of([task(steps=("unknown",), edges=[])]) == ()


@pytest.mark.requirement("TUNE-2")
def test_a_request_that_is_held_out_is_not_trained_on_under_another_id() -> None:
    ids = [f"nestful-{number}" for number in range(60)]
    out = [each for each in ids if is_held_out(each)]
    rest = [each for each in ids if not is_held_out(each)]
    same = [task(each).model_copy(update={"request": "Tell  a JOKE"}) for each in (out[0], out[1], rest[0])]
    same[0] = same[0].model_copy(update={"request": "tell a joke"})
    others = [task(each).model_copy(update={"request": each}) for each in (*out[2:], *rest[1:])]
    learned, held = parted([*same, *others])
    assert [each.id for each in held] == [out[0], *out[2:]]
    assert [each.id for each in learned] == rest[1:]


@pytest.mark.requirement("TUNE-2")
def test_a_fifth_of_the_tasks_is_held_out_by_id_alone() -> None:
    tasks = [
        task(f"nestful-{number}").model_copy(update={"request": f"Request {number}"}) for number in range(400)
    ]
    learned, held = parted(tasks)
    assert {each.id for each in held} == {
        each.id for each in tasks if int(sha256(each.id.encode()).hexdigest(), 16) % 5 == 0
    }
    assert len(learned) + len(held) == 400
    assert 50 < len(held) < 110
    assert not any(is_held_out(each.id) for each in learned)


@pytest.mark.requirement("TUNE-9")
def test_a_remembered_plan_is_a_task_over_the_catalog_of_now() -> None:
    catalog: Catalog = lesson().catalog
    plan = RememberedPlan(
        id="f1",
        tenant="default",
        request="Encrypt a joke",
        steps=(
            RememberedStep(agent="general_agent", tools=("get_joke", "rate")),
            RememberedStep(agent="general_agent", tools=("encrypt",), depends_on=(0,)),
        ),
        origin="run",
    )
    made = task_of(plan, catalog)
    assert made is not None
    assert [step.tool for step in made.gold.steps] == ["get_joke", "rate", "encrypt"]
    assert made.gold.edges == ((0, 2), (1, 2))
    gone = plan.model_copy(update={"steps": (RememberedStep(agent=None, tools=("gone",)),)})
    assert task_of(gone, catalog) is None


@pytest.mark.requirement("TUNE-1")
def test_a_prompt_is_written_as_the_models_own_template_writes_it() -> None:
    text = chat(drawn(1)[0].messages)
    assert text.startswith(f"<|im_start|>system\n{PLAN}")
    assert text.endswith("<|im_end|>\n<|im_start|>user\nEncrypt a joke<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.requirement("TUNE-1")
def test_batches_hold_every_example_once_within_the_tokens_of_a_batch() -> None:
    random = Random(1)
    encoded = [Encoded((0,) * random.randint(5, 60), (1,) * random.randint(1, 9)) for _ in range(90)]
    batches = batched(encoded, tokens=200, longest=64, random=random)
    kept = sorted(map(len, (each for batch in batches for each in batch)))
    assert kept == sorted(len(each) for each in encoded if len(each) <= 64)
    assert all(max(map(len, batch)) * len(batch) <= 200 for batch in batches)
