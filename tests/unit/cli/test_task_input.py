"""Who asks stands in the task from the first version on."""

from __future__ import annotations

import pytest

from planwarden.cli.task_input import make_task

pytestmark = pytest.mark.requirement("CLI-16")


def test_the_person_at_the_machine_is_the_tasks_principal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    assert make_task("Do it", None, None).principal.id == "ann"


def test_a_machine_that_knows_no_name_says_local(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no user database entry")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert make_task("Do it", None, None).principal.id == "local"
