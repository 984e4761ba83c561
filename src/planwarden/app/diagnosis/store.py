"""The store: the journal's file, the disk under it, and the folders that are written to."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from planwarden.app.diagnosis.check import DiagnosisOptions, trouble
from planwarden.app.machine import flush_seconds, nearest_folder, write_fault
from planwarden.app.planwarden import Planwarden
from planwarden.audit.page.amounts import counted
from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.wiping import is_due

FULL = 2
"""What SQLite calls `synchronous=FULL`."""
LOW_BYTES, LEAST_BYTES = 2**30, 100 * 2**20
SLOW_FLUSH_S = 0.05
READ_AT_ONCE_BYTES = 256 * 2**20
"""A journal up to this size is read through without being asked to: some seconds at most."""
NEWEST = 200
OVER = ("run_ended", "payloads_erased")


async def look_at_store(planwarden: Planwarden, options: DiagnosisOptions) -> tuple[Finding, ...]:
    """Look at the journal, its disk, and the folders for dossiers and files."""
    settings = planwarden.settings
    folders = (
        await _folder("dossier folder", settings.dossier_folder),
        await _folder("workspace", settings.workspace),
        await _plan_memory(planwarden),
    )
    try:
        journal = await planwarden.journal()
        opened = await _journal(planwarden, journal, options)
        return (*opened, *await _disk(planwarden), *folders)
    except PlanwardenError as error:
        return (trouble("journal", error), *folders)


async def _journal(
    planwarden: Planwarden, journal: SqliteJournal, options: DiagnosisOptions
) -> tuple[Finding, ...]:
    facts = await journal.examine()
    figures = {
        "runs": facts.runs,
        "bytes": facts.file_bytes,
        "schema_version": facts.schema_version,
        "journal_mode": facts.journal_mode,
        "synchronous": facts.synchronous,
    }
    opens = Finding(
        check="journal",
        status="ok",
        detail=f"{planwarden.settings.journal_path}: {facts.runs} runs, {facts.file_bytes / 1e6:.1f} MB,"
        f" schema version {facts.schema_version}; a table was written and taken back",
        figures={**figures},
    )
    durable = facts.journal_mode == "wal" and facts.synchronous == FULL
    safe = Finding(
        check="durability",
        status="ok" if durable else "bad",
        detail=f"journal mode {facts.journal_mode}, synchronous {'FULL' if durable else facts.synchronous}",
        remedy="" if durable else "Put PLANWARDEN_HOME on a local disk: this one cannot share a log.",
    )
    small = facts.file_bytes <= READ_AT_ONCE_BYTES
    whole = await _integrity(journal) if small or options.thorough else _unread(facts.file_bytes)
    return (opens, safe, whole, *_unwiped(planwarden.settings.journal_path), *await _runs(planwarden))


def _unwiped(journal_path: Path) -> tuple[Finding, ...]:
    if not is_due(journal_path):
        return ()
    detail = "what was erased is gone from the record, but bytes of it may lie in free pages of the file"
    return (Finding(check="erasure", status="warning", detail=detail, remedy="planwarden journal erase"),)


async def _plan_memory(planwarden: Planwarden) -> Finding:
    try:
        plans = await planwarden.memory.size()
    except PlanwardenError as error:
        return trouble("plan memory", error)
    off = "; PLANWARDEN_MEMORY is off" if planwarden.settings.planwarden_memory == "off" else ""
    detail = f"{planwarden.settings.memory_path}: {counted(plans, 'remembered plan')}{off}"
    return Finding(check="plan memory", status="ok", detail=detail, figures={"plans": plans})


async def _integrity(journal: SqliteJournal) -> Finding:
    damage = await journal.damage()
    if damage is None:
        return Finding(check="integrity", status="ok", detail="every page of the file is sound")
    return Finding(
        check="integrity",
        status="bad",
        detail=f"SQLite finds damage: {damage}",
        remedy="Restore the journal from a copy; `planwarden dossier verify RUN` says which runs are whole.",
    )


def _unread(size: int) -> Finding:
    return Finding(
        check="integrity",
        status="skipped",
        detail=f"{size / 1e6:.0f} MB were not read through",
        remedy="planwarden doctor --thorough",
    )


async def _runs(planwarden: Planwarden) -> tuple[Finding, ...]:
    heads = await (await planwarden.journal()).heads(limit=NEWEST)
    owned = [head.run_id for head in heads if head.owned]
    left = [head.run_id for head in heads if not head.owned and head.last_kind not in OVER]
    held = Finding(
        check="leases",
        status="ok",
        detail=f"{len(owned)} runs are under way in other processes ({', '.join(owned[:3])})"
        if owned
        else "no other process has a run under way",
        figures={"owned": [*owned]},
    )
    if not left:
        return (held,)
    unfinished = Finding(
        check="unfinished runs",
        status="warning",
        detail=f"{len(left)} of the newest {len(heads)} runs are neither over nor under way:"
        f" {', '.join(left[:3])}",
        remedy=f"planwarden resume {left[0]}   (or `planwarden runs` to see what they wait for)",
        figures={"runs": [*left]},
    )
    return (held, unfinished)


async def _disk(planwarden: Planwarden) -> tuple[Finding, ...]:
    folder = nearest_folder(planwarden.settings.planwarden_home)
    try:
        free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        flush = await asyncio.to_thread(flush_seconds, folder, planwarden.clock.monotonic)
    except OSError as error:
        detail = f"{folder} cannot be measured: {error.strerror}"
        remedy = "export PLANWARDEN_HOME=/a/folder/you/can/write"
        return (Finding(check="disk", status="bad", detail=detail, remedy=remedy),)
    return (_room(free), _flush(flush))


def _room(free: int) -> Finding:
    figures = {"free_bytes": free}
    detail = f"{free / 2**30:.1f} GiB free"
    if free >= LOW_BYTES:
        return Finding(check="disk space", status="ok", detail=detail, figures={**figures})
    remedy = "Free some space, or export PLANWARDEN_HOME=/a/folder/on/a/larger/disk"
    status = "bad" if free < LEAST_BYTES else "warning"
    return Finding(check="disk space", status=status, detail=detail, remedy=remedy, figures={**figures})


def _flush(seconds: float) -> Finding:
    slow = seconds > SLOW_FLUSH_S
    return Finding(
        check="flush to disk",
        status="warning" if slow else "ok",
        detail=f"{seconds * 1e3:.1f} ms (median of 5): what each recorded fact waits for",
        remedy="Put PLANWARDEN_HOME on a local solid-state disk." if slow else "",
        figures={"flush_ms": round(seconds * 1e3, 3)},
    )


async def _folder(name: str, path: Path) -> Finding:
    fault = await asyncio.to_thread(write_fault, path)
    if fault is None:
        return Finding(check=name, status="ok", detail=f"{path} can be written")
    return Finding(
        check=name,
        status="bad",
        detail=f"{path} cannot be written: {fault}",
        remedy=f"chmod u+rwx {nearest_folder(path)}   or export PLANWARDEN_HOME=/a/folder/you/can/write",
    )
