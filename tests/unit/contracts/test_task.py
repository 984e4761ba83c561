"""The task: what cannot be planned is refused before anything happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planwarden.contracts.task import MAX_PROMPT_CHARS, Task, TaskLimits

pytestmark = pytest.mark.requirement("CON-3")


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "at least 1 character"),
        (" \t\n\u3000", "the task is empty"),
        ("sum\x00up", "NUL"),
        ("x" * (MAX_PROMPT_CHARS + 1), "at most"),
        ("x" * 50_000_000, "at most"),
        ("\ud800", "unicode|not valid text"),
        (None, "valid string"),
        (b"\xff\xfe", "unicode"),
    ],
)
def test_a_prompt_that_says_nothing_usable_is_refused(prompt: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Task(prompt=prompt)


@pytest.mark.parametrize(
    "prompt", ["x", "天気はどうですか", "مرحبا", "🙂", "x" * MAX_PROMPT_CHARS, "a\nb\tc"]
)
def test_a_task_in_any_language_and_up_to_the_limit_is_taken_as_it_is(prompt: str) -> None:
    assert Task(prompt=prompt).prompt == prompt


@given(st.text(max_size=200))
def test_whatever_is_taken_can_be_stored_and_read_back(prompt: str) -> None:
    try:
        task = Task(prompt=prompt, metadata={"said": prompt})
    except ValidationError:
        return
    assert Task.model_validate_json(task.model_dump_json()) == task


@pytest.mark.parametrize("value", [float("nan"), object(), "\ud800", {"deep": float("inf")}])
def test_metadata_that_could_not_be_stored_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="not a JSON value"):
        Task(prompt="x", metadata={"key": value})


def test_unknown_fields_are_refused() -> None:
    for field in ("override", "agents", "tools", "policy"):
        with pytest.raises(ValidationError, match=field):
            Task.model_validate({"prompt": "x", field: True})


@pytest.mark.parametrize("field", list(TaskLimits.model_fields))
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_of_nothing_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TaskLimits.model_validate({field: value})


def test_who_asks_and_for_whom_is_in_every_task() -> None:
    task = Task(prompt="x")
    assert (task.principal.id, task.principal.kind, task.tenant) == ("local", "user", "default")
