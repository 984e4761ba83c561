"""Keeping what was forgotten forgotten, when an older copy of the memory takes its place."""

from __future__ import annotations

from pathlib import Path

from planwarden.planning.memory.sqlite_file import reading, scrub, writing


def carry_forgotten(current: Path, restored: Path) -> int:
    """Forget in the restored memory what the current one must not have back; gives how many plans. Blocks.

    Raises:
        StoreError: one of them cannot be used.
    """
    with reading(current) as connection:
        if connection is None:
            return 0
        runs = connection.execute("SELECT tenant, run_id FROM forgotten_runs").fetchall()
        tenants = connection.execute("SELECT tenant, at FROM forgotten_tenants").fetchall()
    with writing(restored) as connection:
        taught = connection.executemany(
            "DELETE FROM plans WHERE (tenant, id) IN"
            " (SELECT tenant, plan_id FROM taught WHERE tenant = ? AND run_id = ?)",
            runs,
        )
        older = connection.executemany(
            "DELETE FROM plans WHERE tenant = ? AND coalesce(at, '') <= ?", tenants
        )
        forgotten = max(taught.rowcount, 0) + max(older.rowcount, 0)
        connection.execute("DELETE FROM taught WHERE (tenant, plan_id) NOT IN (SELECT tenant, id FROM plans)")
        connection.executemany("INSERT OR IGNORE INTO forgotten_runs VALUES (?, ?)", runs)
        connection.executemany(
            "INSERT INTO forgotten_tenants VALUES (?1, ?2)"
            " ON CONFLICT (tenant) DO UPDATE SET at = max(at, excluded.at)",
            tenants,
        )
    scrub(restored)
    return forgotten
