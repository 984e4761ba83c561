"""The error tree and the public door."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

import planwarden
from planwarden import errors
from planwarden.errors import PlanwardenError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, PlanwardenError)
}
TREE = re.search(r"```\n(.*?)```", errors.__doc__ or "", re.DOTALL)
DRAWN = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>[a-z_]+)(?=  ))?", re.MULTILINE)


@pytest.mark.requirement("CON-4")
def test_every_error_has_a_code_of_its_own() -> None:
    codes = {name: error.__dict__.get("code") for name, error in CLASSES.items()}
    assert all(codes.values()), codes
    assert len(set(codes.values())) == len(CLASSES)
    assert all(re.fullmatch(r"[a-z][a-z_]*", str(code)) for code in codes.values())


@pytest.mark.requirement("CON-4")
def test_the_tree_that_is_drawn_is_the_tree_there_is() -> None:
    assert TREE
    parents: list[str] = []
    drawn: dict[str, str | None] = {}
    for match in DRAWN.finditer(TREE[1]):
        depth = len(match["indent"]) // 4
        del parents[depth:]
        drawn[match["name"]] = parents[-1] if parents else None
        parents.append(match["name"])
        if match["code"] in {error.code for error in CLASSES.values()}:
            assert CLASSES[match["name"]].code == match["code"]
    actual = {
        name: error.__bases__[0].__name__ if error is not PlanwardenError else None
        for name, error in CLASSES.items()
    }
    assert drawn == actual


@pytest.mark.requirement("CON-4")
def test_an_error_says_what_happened_and_what_to_do() -> None:
    for error in CLASSES.values():
        raised = error("It broke.", remedy="Mend it.")
        assert str(raised) == "It broke. Mend it."
        assert (raised.message, raised.remedy) == ("It broke.", "Mend it.")
        with pytest.raises(TypeError):
            error("no remedy")  # type: ignore[call-arg]  # the point of the test


@pytest.mark.requirement("CON-5")
def test_the_public_door_is_small_sorted_and_complete() -> None:
    assert planwarden.__all__ == sorted(planwarden.__all__)
    assert len(planwarden.__all__) == len(set(planwarden.__all__)) <= 25
    module = importlib.import_module("planwarden")
    for name in planwarden.__all__:
        assert getattr(module, name).__module__.startswith("planwarden.")
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(planwarden.__all__)
