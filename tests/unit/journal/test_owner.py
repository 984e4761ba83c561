"""Who we are, and who is dead."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from planwarden.journal.owner import is_dead, this_host, this_process
from planwarden.journal.port import Owner

pytestmark = pytest.mark.requirement("JRN-3")

HERE = this_process("me")


@pytest.fixture
def gone() -> Owner:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(HERE, id="gone", pid=process.pid)


def test_this_process_is_itself_and_alive() -> None:
    assert (HERE.id, HERE.host, HERE.pid) == ("me", this_host(), os.getpid())
    assert not is_dead(HERE, HERE)


def test_a_process_that_ended_is_dead(gone: Owner) -> None:
    assert is_dead(gone, HERE)


def test_a_process_of_another_host_boot_or_namespace_is_never_known_to_be_dead(gone: Owner) -> None:
    machine, boot, namespace = HERE.host.split("/")
    for host in (f"far/{boot}/{namespace}", f"{machine}/other/{namespace}", f"{machine}/{boot}/0"):
        assert not is_dead(replace(gone, host=host), HERE)


@pytest.mark.parametrize("pid", [0, -1, 2**70])
def test_a_process_id_that_is_none_is_not_asked_about(pid: int) -> None:
    assert not is_dead(replace(HERE, id="odd", pid=pid), HERE)


def test_a_process_of_another_user_counts_as_alive(monkeypatch: pytest.MonkeyPatch, gone: Owner) -> None:
    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbidden)
    assert not is_dead(gone, HERE)
