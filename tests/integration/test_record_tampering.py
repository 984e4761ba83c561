"""`verify --all` finds what was done to any table of the journal, to files beside it, to whole runs."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from planwarden.audit.anchor_file import read_anchor_file
from planwarden.audit.dossier import build_dossier
from planwarden.audit.export import write_dossier
from planwarden.errors import StoreCorrupt
from record_kit import RUNS, TODAY, fill, opened, problems

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("SEAL-2")]

SAID = {
    "events": ("run_id", "seq", "at", "epoch", "kind", "payload_digest", "previous", "hash"),
    "payloads": ("run_id", "seq", "nonce", "body", "erased"),
    "runs": (
        "run_id", "tenant", "conversation", "created_at", "updated_at", "last_seq", "last_kind", "head",
        "anchored_seq",
    ),
    "snapshots": ("digest", "kind", "body"),
    "anchors": ("number", "at", "runs", "root", "previous", "hash"),
    "anchored": ("anchor", "place", "run_id", "seq", "hash"),
}  # fmt: skip
"""Every column that says something of what happened. The others of `runs` are the lease, where an imported
run comes from, and how far the index got; summaries and facets are an index that can be made anew."""
NOT_SAID = {
    "runs": {
        "number", "epoch", "expires_at", "owner_id", "owner_host", "owner_pid", "origin", "summarised_seq",
    }
}  # fmt: skip
WHERE = {
    "events": "run_id = 'rb' AND seq = 5",
    "payloads": "run_id = 'rb' AND seq = 5",
    "runs": "run_id = 'ra'",
    "snapshots": "kind = 'catalog'",
    "anchors": "number = 2",
    "anchored": "anchor = 2 AND place = 1",
}
COLUMNS = [(table, column) for table, columns in SAID.items() for column in columns]


@pytest.fixture
async def home(tmp_path: Path, anyio_backend: str) -> Path:
    home = tmp_path / "home"
    async with opened(home) as planwarden:
        await fill(planwarden)
    return home


@pytest.fixture
def stored(home: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def flips(value: object) -> Iterator[object]:
    """Change the first, a middle and the last byte, a digit and a letter, each as another kind of change."""
    match value:
        case int():
            yield from (value ^ 1, value ^ 2, value ^ (1 << 40), -value - 1)
        case str() | bytes():
            data = value.encode() if isinstance(value, str) else value
            places = {0, len(data) // 2, len(data) - 1}
            places |= {next((i for i, byte in enumerate(data) if chr(byte).isdigit()), 0)}
            for place in sorted(places):
                for bit in (0x01, 0x20, 0x80):
                    yield data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            yield data + b" "
            yield data[:-1]
        case _:
            raise AssertionError(value)


async def test_an_untouched_record_has_no_faults(home: Path) -> None:
    async with opened(home) as planwarden:
        assert await problems(planwarden) == []
        for run_id in RUNS:
            assert await planwarden.archive.verification.run(run_id) == ()


def test_every_column_of_the_record_is_tried_here(stored: sqlite3.Connection) -> None:
    for table, columns in SAID.items():
        there = {row[1] for row in stored.execute(f"PRAGMA table_info({table})")}
        assert there == set(columns) | NOT_SAID.get(table, set())


@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_a_change_of_any_class_in_any_column_is_found(
    home: Path, stored: sqlite3.Connection, table: str, column: str
) -> None:
    where = WHERE[table]
    rows = stored.execute(f"SELECT * FROM {table}").fetchall()
    (value,) = stored.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    cast = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
    tried = 0
    async with opened(home) as planwarden:
        for flipped in flips(value):
            try:
                stored.execute(f"UPDATE {table} SET {column} = {cast} WHERE {where}", (flipped,))
            except sqlite3.IntegrityError:
                continue  # another row is there already
            assert await problems(planwarden), f"{table}.{column}: {value!r} → {flipped!r}"
            stored.execute(f"DELETE FROM {table}")
            stored.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
            tried += 1
        assert tried >= 2
        assert await problems(planwarden) == []


@pytest.mark.parametrize("table", sorted(SAID))
async def test_a_row_that_is_gone_is_found_in_every_table(
    home: Path, stored: sqlite3.Connection, table: str
) -> None:
    stored.execute(f"DELETE FROM {table} WHERE {WHERE[table]}")
    async with opened(home) as planwarden:
        assert await problems(planwarden)


ORPHANS = {
    "events": "INSERT INTO events SELECT 'rx', seq, at, epoch, kind, payload_digest, previous, hash"
    " FROM events WHERE run_id = 'ra'",
    "payloads": "INSERT INTO payloads SELECT 'rx', seq, nonce, body, erased FROM payloads"
    " WHERE run_id = 'ra'",
    "inbox": "INSERT INTO inbox (run_id, at, nonce, body) VALUES ('rx', 't', 'n', X'00')",
    "summaries": "INSERT INTO summaries SELECT 99, seq, created_at, body FROM summaries WHERE number = 1",
    "facets": "INSERT INTO facets SELECT kind, value, created_at, 99 FROM facets WHERE number = 1",
}


@pytest.mark.parametrize("table", sorted(ORPHANS))
async def test_rows_that_belong_to_no_run_are_found(
    home: Path, stored: sqlite3.Connection, table: str
) -> None:
    stored.execute(ORPHANS[table])
    async with opened(home) as planwarden:
        (found,) = await problems(planwarden)
    assert f"to no run in table {table}" in found


def _erase_whole_run(stored: sqlite3.Connection, run_id: str) -> None:
    (number,) = stored.execute("SELECT number FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    for table in ("facets", "summaries"):
        stored.execute(f"DELETE FROM {table} WHERE number = ?", (number,))
    for table in ("payloads", "events", "runs"):
        stored.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))


@pytest.mark.requirement("SEAL-1")
async def test_a_run_deleted_whole_with_its_file_is_found_by_the_anchors(
    home: Path, stored: sqlite3.Connection
) -> None:
    _erase_whole_run(stored, "rb")
    (home / "dossiers" / "rb.json").unlink()
    async with opened(home) as planwarden:
        found = await problems(planwarden)
        assert [line for line in found if "anchor 1 took in event 4" in line and "is gone" in line]
        assert [line for line in found if "anchor 2 took in event 6" in line]
        assert any("is gone" in fault.problem for fault in await planwarden.archive.verification.run("rb"))


async def test_a_file_of_a_run_that_is_not_there_and_a_changed_file_are_found(home: Path) -> None:
    (home / "dossiers" / "rx.json").write_text("{}")
    file = home / "dossiers" / "ra.json"
    file.write_bytes(file.read_bytes()[:-1])
    async with opened(home) as planwarden:
        found = await problems(planwarden)
    assert len(found) == 2
    assert "the exported file" in found[0]
    assert "rx.json of a run that is not here" in found[1]


def _rechain(stored: sqlite3.Connection, run_id: str, *, upto: int, change: bool) -> None:
    """Cut a run, or change what an event says, and make everything else fit that can be made to fit."""
    for table in ("payloads", "events"):
        stored.execute(f"DELETE FROM {table} WHERE run_id = ? AND seq > ?", (run_id, upto))
    if change:
        stored.execute(
            "UPDATE payloads SET body = CAST(replace(body, 'its own tool', 'another tool') AS BLOB)"
            " WHERE run_id = ?",
            (run_id,),
        )
    previous = "sha256:" + "0" * 64
    rows = stored.execute(
        "SELECT seq, at, epoch, kind, nonce, body FROM events JOIN payloads USING (run_id, seq)"
        " WHERE run_id = ? ORDER BY seq",
        (run_id,),
    ).fetchall()
    for seq, at, epoch, kind, nonce, body in rows:
        sealed = b'{"nonce":"' + nonce.encode() + b'","payload":' + bytes(body) + b"}"
        payload_digest = "sha256:" + hashlib.sha256(sealed).hexdigest()
        link = {
            "at": at, "epoch": epoch, "kind": kind, "payload_digest": payload_digest, "previous": previous,
            "run_id": run_id, "seq": seq,
        }  # fmt: skip
        text = json.dumps(link, sort_keys=True, separators=(",", ":"))
        hashed = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        stored.execute(
            "UPDATE events SET payload_digest = ?, previous = ?, hash = ? WHERE run_id = ? AND seq = ?",
            (payload_digest, previous, hashed, run_id, seq),
        )
        previous = hashed
    last = rows[-1]
    stored.execute(
        "UPDATE runs SET last_seq = ?, last_kind = ?, head = ?, updated_at = ?, anchored_seq = ?"
        " WHERE run_id = ?",
        (last[0], last[3], previous, last[1], last[0], run_id),
    )


@pytest.mark.requirement("SEAL-1")
@pytest.mark.parametrize(
    ("upto", "change"),
    [pytest.param(6, True, id="rewritten with its hashes"), pytest.param(5, False, id="cut with its head")],
)
async def test_a_run_rewritten_with_all_its_hashes_is_found_by_the_anchors_alone(
    home: Path, stored: sqlite3.Connection, upto: int, change: bool
) -> None:
    _rechain(stored, "ra", upto=upto, change=change)
    (home / "dossiers" / "ra.json").unlink()
    async with opened(home) as planwarden:
        assert await (await planwarden.journal()).verify("ra") == ()
        found = await problems(planwarden)
    assert found
    assert all("anchor" in line for line in found), found


@pytest.mark.requirement("SEAL-3")
async def test_anchors_kept_elsewhere_find_a_history_in_which_the_anchors_were_made_anew_too(
    home: Path, stored: sqlite3.Connection, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    async with opened(home) as planwarden:
        assert await planwarden.archive.anchoring.keep_in(elsewhere) == 2
        assert await planwarden.archive.anchoring.keep_in(elsewhere) == 0
    _erase_whole_run(stored, "ra")
    (home / "dossiers" / "ra.json").unlink()
    for table in ("anchored", "anchors"):
        stored.execute(f"DELETE FROM {table}")
    stored.execute("UPDATE runs SET anchored_seq = 0")
    async with opened(home) as planwarden:
        await (await planwarden.journal()).anchors.make(TODAY)
        assert await problems(planwarden) == []  # the home by itself tells nothing any more
        kept = read_anchor_file(elsewhere)
        looked = [looked async for looked in planwarden.archive.verification.everything(kept)]
    said = [fault.problem for each in looked for fault in each.faults]
    assert [line for line in said if "anchor 1 is another one" in line]
    assert [line for line in said if "anchor 2 is kept in" in line and "is gone from here" in line]


@pytest.mark.requirement("SEAL-3")
async def test_every_changed_byte_of_the_anchors_kept_elsewhere_is_found(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    async with opened(home) as planwarden:
        await planwarden.archive.anchoring.keep_in(elsewhere)
        ours = await planwarden.archive.anchoring.all()
    data = elsewhere.read_bytes()
    for place in range(len(data)):
        elsewhere.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        kept = read_anchor_file(elsewhere)
        assert kept.faults or kept.anchors != ours, place
    elsewhere.write_bytes(data[:-1])
    assert read_anchor_file(elsewhere).faults


@pytest.mark.requirement("DOS-21")
async def test_an_export_that_a_killed_process_left_behind_is_older_and_no_fault(home: Path) -> None:
    path = home / "dossiers" / "ra.json"
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        events, links = await journal.read("ra"), await journal.links("ra")
        write_dossier(home / "dossiers", build_dossier(events[:4], links[:4]))
        assert await problems(planwarden) == []
        assert await planwarden.record.older_export("ra") == 4
        path.write_bytes(path.read_bytes().replace(b"Look at IBM", b"Look at JBM", 1))
        assert [line for line in await problems(planwarden) if "differs from the journal" in line]
        assert await planwarden.record.older_export("ra") is None


@pytest.mark.requirement("SEAL-12")
async def test_a_file_of_anchors_cut_in_the_middle_of_a_line_goes_on_and_a_wrong_line_is_left_alone(
    home: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    async with opened(home) as planwarden:
        assert await planwarden.archive.anchoring.keep_in(elsewhere) == 2
        data = elsewhere.read_bytes()
        first = data.index(b"\n") + 1
        for cut in (1, first - 1, first, first + 1, len(data) - 2, len(data) - 1):
            elsewhere.write_bytes(data[:cut])
            assert bool(read_anchor_file(elsewhere).faults) == (cut != first)
            assert await planwarden.archive.anchoring.keep_in(elsewhere) == (2 if cut < first else 1)
            assert elsewhere.read_bytes() == data
        for wrong in (data + b"{", data[:first] + b"{x", data[: first + 200] + b"x"):
            elsewhere.write_bytes(wrong)
            with pytest.raises(StoreCorrupt, match="cut short"):
                await planwarden.archive.anchoring.keep_in(elsewhere)
            assert elsewhere.read_bytes() == wrong
