"""File tools: inside the workspace only, and exact after a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from fitting import output_problems

from planwarden.contracts.value import Json
from planwarden.errors import ToolFailed
from planwarden.tools.data_sources import open_sources
from planwarden.tools.domains.files import file_tools
from planwarden.tools.tool import Done, NotDone, Tool, ToolContext, Unknown

pytestmark = [pytest.mark.requirement("TOOL-8"), pytest.mark.anyio]

ARGUMENTS: dict[str, Json] = {"path": "notes/today.md", "content": "grüße\n"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    return tmp_path / "workspace"


@pytest.fixture
def tools(workspace: Path) -> dict[str, Tool]:
    sources = open_sources(["data.csv"], folder=workspace.parent)
    made = file_tools(sources, workspace, workspace.parent / "state")
    return {tool.spec.name: tool for tool in made}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def call(tool: Tool, context: ToolContext, **arguments: Json) -> dict[str, Any]:
    value = await tool.invoke(arguments, context)
    assert output_problems(tool.spec, value) == ()
    return cast("dict[str, Any]", value)


async def test_what_is_written_can_be_read(
    tools: dict[str, Tool], workspace: Path, context: ToolContext
) -> None:
    written = await call(tools["files.write"], context, **ARGUMENTS)
    assert (workspace / "notes/today.md").read_text() == "grüße\n"
    assert (written["path"], written["bytes"], written["replaced"]) == ("notes/today.md", 8, False)
    assert names_in(workspace / "notes") == ["today.md"]
    read = await call(tools["files.read"], context, path="notes/today.md")
    assert read["content"] == "grüße\n"
    assert "data.csv" in tools["files.read"].spec.description
    assert (await call(tools["files.read"], context, path="data.csv"))["content"] == "a,b\n1,2\n"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "a/../../outside.txt",
        "/etc/passwd",
        "link.txt",
        "folder/outside.txt",
        "loop/x",
        ".",
        "a\x00b",
        "..\\outside.txt",
        "x" * 300,
        "\ud800",
    ],
)
async def test_no_path_leads_out_of_the_workspace(
    tools: dict[str, Tool], workspace: Path, context: ToolContext, path: str
) -> None:
    (workspace / "link.txt").symlink_to(workspace.parent / "outside.txt")
    (workspace / "folder").symlink_to(workspace.parent)
    (workspace / "loop").symlink_to(workspace / "loop")
    with pytest.raises(ToolFailed):
        await tools["files.read"].invoke({"path": path}, context)
    with pytest.raises(ToolFailed):
        await tools["files.write"].invoke({"path": path, "content": "changed"}, context)
    assert (workspace.parent / "outside.txt").read_text() == "secret"
    assert names_in(workspace) == ["folder", "link.txt", "loop"]


async def test_reading_is_bounded_and_takes_text_only(
    tools: dict[str, Tool], workspace: Path, context: ToolContext
) -> None:
    (workspace / "large.txt").write_text("x" * 1_200_000)
    (workspace / "binary.bin").write_bytes(b"\x00\x01")
    (workspace / "latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo(workspace / "pipe")
    large = await call(tools["files.read"], context, path="large.txt")
    assert large["truncated"]
    assert len(large["content"]) == 50_000
    assert len(large["text"]) < 2_000
    assert (await call(tools["files.read"], context, path="latin.txt"))["content"] == "café"
    for path in ("binary.bin", "absent.txt", "pipe"):
        with pytest.raises(ToolFailed):
            await tools["files.read"].invoke({"path": path}, context)


async def test_a_key_writes_once_and_another_key_again(
    tools: dict[str, Tool], workspace: Path, context: ToolContext
) -> None:
    write = tools["files.write"]
    assert await write.verify(ARGUMENTS, context) == NotDone()
    first = await call(write, context, **ARGUMENTS)
    assert await write.verify(ARGUMENTS, context) == Done(value=first)
    (workspace / "notes/today.md").write_text("edited by hand")
    assert await call(write, context, **ARGUMENTS) == first
    assert (workspace / "notes/today.md").read_text() == "edited by hand"
    second = await call(write, replace(context, idempotency_key="k2"), **ARGUMENTS)
    assert second["replaced"]
    assert (workspace / "notes/today.md").read_text() == "grüße\n"


async def test_a_write_whose_traces_are_gone_or_spoilt_is_unknown(
    tools: dict[str, Tool], workspace: Path, context: ToolContext
) -> None:
    write = tools["files.write"]
    await call(write, context, **ARGUMENTS)
    (workspace / "notes/today.md").unlink()
    assert isinstance(await write.verify(ARGUMENTS, context), Unknown)
    with pytest.raises(ToolFailed, match="settle"):
        await write.invoke(ARGUMENTS, context)
    (marker,) = (workspace.parent / "state").iterdir()
    marker.write_text("{")
    assert isinstance(await write.verify(ARGUMENTS, context), Unknown)


async def test_a_disk_that_refuses_leaves_nothing_behind(
    tools: dict[str, Tool], workspace: Path, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(ToolFailed, match="No space left"):
            await tools["files.write"].invoke(ARGUMENTS, context)
    assert names_in(workspace / "notes") == []
    assert await tools["files.write"].verify(ARGUMENTS, context) == NotDone()
    await call(tools["files.write"], context, **ARGUMENTS)
    assert (workspace / "notes/today.md").exists()


KILLER = """
import json, os, sys
from pathlib import Path
from planwarden.tools.domains.crash_exact import WriteRequest, outcome_of, write_once
from planwarden.tools.tool import Done, NotDone

root, before = Path(sys.argv[1]), sys.argv[2]


def stop(*a):
    raise SystemExit



report = []
for moment in range(1, 200):
    folder = root / str(moment)
    (folder / "workspace").mkdir(parents=True)
    target = folder / "workspace" / "file.txt"
    if before == "old":
        target.write_text("old")
    request = WriteRequest(target=target, content=b"new", key="k", state_dir=folder / "state", value={"n": 1})
    if before == "marked":
        real, Path.replace = Path.replace, lambda self, to: stop() if to == target else real(self, to)
        try:
            write_once(request)
        except SystemExit:
            Path.replace = real
        assert request.marker.exists() and request.temporary.exists()
    child = os.fork()
    if child == 0:
        left = moment
        def counted(real):
            def step(*a, **k):
                global left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), 9)
                return real(*a, **k)
            return step
        for name in ("open", "fsync", "close"):
            setattr(os, name, counted(getattr(os, name)))
        for name in ("replace", "unlink", "mkdir"):
            setattr(Path, name, counted(getattr(Path, name)))
        write_once(request)
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    content = target.read_text() if target.exists() else None
    said = outcome_of(request)
    second = write_once(request)
    report.append({
        "killed": killed, "content": content, "said": type(said).__name__, "second": second,
        "after": target.read_text(), "then": type(outcome_of(request)).__name__,
        "left": sorted(os.listdir(target.parent)),
    })
    if not killed:
        break
print(json.dumps(report))
"""


@pytest.mark.parametrize("before", ["old", "none", "marked"])
def test_a_write_killed_at_any_moment_is_told_exactly_and_can_be_repeated(
    tmp_path: Path, before: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path), before],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    report = json.loads(ran.stdout)
    assert len(report) > 15
    assert [one["killed"] for one in report] == [True] * (len(report) - 1) + [False]
    said = {one["said"] for one in report}
    assert said == {"Done", "NotDone"}
    for one in report:
        assert one["said"] == ("Done" if one["content"] == "new" else "NotDone")
        assert one["content"] in ("new", "old" if before == "old" else None)
        assert (one["after"], one["then"], one["second"], one["left"]) == (
            "new",
            "Done",
            {"n": 1},
            ["file.txt"],
        )
