"""Tasks for a shadow run from JSON lines: three formats, and what is wrong with a line that is none."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shadow_made import PLACE

from planwarden.app.shadowing.said import Place
from planwarden.errors import DataRejected
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.shadow.reading import Line, PromptLine, parse_lines, placed, read_lines

pytestmark = pytest.mark.requirement("SHD-6")

OWN = next(task for task in shipped_own_tasks() if task.split == "held_out" and task.gold.steps)
TRAINED = next(task for task in shipped_own_tasks() if task.split == "train")
OFFERED = {
    "id": "o1",
    "source": "bfcl",
    "request": "Book it",
    "tools": [{"name": "book.it", "description": "Books"}],
    "gold": {"steps": [{"tool": "book.it"}], "edges": [], "kind": "sequence"},
    "meta": {"more": 1},
}


def test_labelled_tasks_offered_tools_and_bare_prompts_may_stand_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    bare = {"prompt": "What time is it?", "tenant": "red"}
    lines = [OWN.model_dump_json(), TRAINED.model_dump_json(), "", json.dumps(OFFERED), json.dumps(bare)]
    path.write_text("\n".join(lines), "utf-8")
    ships = shipped_world(tmp_path)
    shipped = Place(catalog=ships.catalog, policy=ships.policy)
    own, trained, offered, prompt = (placed(line, PLACE, shipped, {"bfcl"}) for line in read_lines([path]))
    assert (own.place, own.evidence, own.fitted, own.uses_memory) == (shipped, "gold", False, False)
    assert own.wanted[0].tools == OWN.gold.tools
    assert trained.fitted
    assert (offered.fitted, offered.wanted[0].tools, offered.request) == (True, ("book.it",), "Book it")
    assert list(offered.place.catalog.tools) == ["book.it"]
    assert (prompt.id, prompt.task.tenant, prompt.place, prompt.wanted) == ("line 5", "red", PLACE, ())
    assert (prompt.evidence, prompt.fitted, prompt.uses_memory) == (None, False, True)
    [line] = (each for each in read_lines([path]) if each.id == "o1")
    assert not placed(line, PLACE, shipped, {"nestful"}).fitted


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"prompt": ""}', "prompt"),
        ('{"prompt": "   "}', "the task is empty"),
        ('{"prompt": "x", "promt": "y"}', "promt"),
        ('{"request": "x"}', "id"),
        ('{"id": "x", "tools": []}', "source"),
        ('{"prompt": "\\ud800"}', "Invalid JSON"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_and_what_is_wrong(
    line: str, wrong: str, tmp_path: Path
) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f'{{"prompt": "fine"}}\n{line}\n', "utf-8")
    with pytest.raises(DataRejected) as refused:
        read_lines([path])
    assert f"{path}, line 2: " in refused.value.message
    assert wrong in refused.value.message
    assert refused.value.remedy


def test_a_file_that_is_not_there_is_empty_or_says_an_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match="cannot be read"):
        read_lines([tmp_path / "gone"])
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n", "utf-8")
    with pytest.raises(DataRejected, match="hold no tasks"):
        read_lines([path])
    path.write_text('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n', "utf-8")
    with pytest.raises(DataRejected, match="line 2: the task id 'a' occurs twice"):
        read_lines([path])


@given(st.text())
def test_any_text_gives_tasks_or_a_refusal_with_a_line(text: str) -> None:
    found: list[Line] = []
    with suppress(DataRejected):
        found = list(parse_lines(text, "f"))
    assert all(isinstance(line.said, PromptLine) for line in found)
