"""The machine: Python, full-text search, processors, memory, the embedded model's file."""

from __future__ import annotations

import asyncio
import platform
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from planwarden.app.machine import machine_memory
from planwarden.app.system import processors
from planwarden.configuration.settings import Settings
from planwarden.contracts.finding import Finding
from planwarden.errors import ModelFileRejected
from planwarden.llm.embedded import model_file

OLDEST = (3, 11)
_GIB = 2**30


def look_at_machine() -> tuple[Finding, ...]:
    """Look at what does not depend on settings."""
    return (_python(sys.version_info[:3]), _search(), _memory())


def _python(version: tuple[int, int, int]) -> Finding:
    said = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return Finding(
            check="python",
            status="bad",
            detail=f"Python {said} is older than 3.11",
            remedy="Install Python 3.11 or later, then `make setup`.",
        )
    detail = f"Python {said} on {platform.system()} {platform.machine()}, {processors()} processors"
    return Finding(check="python", status="ok", detail=detail, figures={"processors": processors()})


def _search() -> Finding:
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE probe USING fts5(words)")
        except sqlite3.OperationalError:
            return Finding(
                check="full-text search",
                status="bad",
                detail="this Python's SQLite has no FTS5: neither tools nor examples can be searched for",
                remedy="Use a Python whose SQLite has FTS5 (python.org's, Debian's and Ubuntu's have).",
            )
    return Finding(check="full-text search", status="ok", detail=f"SQLite {sqlite3.sqlite_version} with FTS5")


def _memory() -> Finding:
    memory = machine_memory()
    if memory is None:
        detail = "unknown: this system does not say in a way that is known here"
        return Finding(check="memory", status="skipped", detail=detail)
    return Finding(
        check="memory",
        status="ok",
        detail=f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB available",
        figures={"total_bytes": memory.total, "available_bytes": memory.available},
    )


async def look_at_model_file(settings: Settings) -> tuple[Finding, ...]:
    """Look for the embedded model's file and its digest, where it may be needed."""
    named = {settings.planner_llm.provider, settings.llm.provider}
    path = await asyncio.to_thread(model_file.find, settings.planwarden_cache / "models")
    if path is None:
        own = settings.planner_llm.model_file and settings.llm.model_file
        needed = "embedded" in named and not own
        return (_missing(settings.planwarden_cache / "models", needed=needed),)
    return (await asyncio.to_thread(_digest, path),)


def _missing(folder: Path, *, needed: bool) -> Finding:
    return Finding(
        check="embedded model file",
        status="bad" if needed else "skipped",
        detail=f"not in {folder}" + ("" if needed else "; only the provider `embedded` needs it"),
        remedy="planwarden models fetch" if needed else "",
    )


def _digest(path: Path) -> Finding:
    try:
        digest = model_file.verify(path)
    except ModelFileRejected as error:
        return Finding(
            check="embedded model file", status="bad", detail=error.message, remedy="planwarden models fetch"
        )
    return Finding(
        check="embedded model file",
        status="ok",
        detail=f"{path}, {model_file.SMOLLM2.size / 1e6:.0f} MB, {digest[:19]}… as pinned",
        figures={"digest": digest},
    )
