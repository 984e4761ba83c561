# ruff: noqa: ASYNC240 - files are small, and nothing runs beside a test
"""Bundles of runs: every byte counts, hostile ones are refused, imported runs are what was exported."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planwarden.audit.bundle.archive import MAX_PART, header, places, write_end, write_part
from planwarden.audit.bundle.envelope import Signed, pre_authentication_encoding, seal, unseal
from planwarden.audit.bundle.keys import pinned, read_public_key, signing_key
from planwarden.audit.bundle.parts import manifest_head, manifest_line
from planwarden.audit.bundle.reading import open_bundle
from planwarden.audit.bundle.run_record import record_bytes
from planwarden.cli.main import app
from planwarden.contracts.event import ChainFault, RunEvent
from planwarden.contracts.facts import CancelRequested, RunStarted
from planwarden.contracts.value import digest, digest_bytes
from planwarden.errors import (
    BundleRejected,
    InputError,
    RunErased,
    RunImported,
    RunNotFound,
    SigningKeyRejected,
    StoreCorrupt,
)
from planwarden.journal.anchor import RunEnd, make_anchor, read_anchor
from planwarden.journal.chain import Payload, link
from planwarden.journal.entry import fact_body
from planwarden.journal.snapshot import Snapshot
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.transfer import RunChoice
from record_kit import CATALOG, ENDING, OWNER, RUNS, TODAY, begun, fill, opened, problems

pytestmark = pytest.mark.anyio

VERSION = "0.1.0"
Parts = list[tuple[str, bytes]]


@pytest.fixture
async def home(tmp_path: Path, anyio_backend: str) -> Path:
    home = tmp_path / "home"
    async with opened(home) as planwarden:
        await fill(planwarden)
    return home


@pytest.fixture
async def bundle(home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "runs.tar"
    async with opened(home) as planwarden:
        done = await planwarden.archive.bundles.export(path, RunChoice())
    assert done.runs == 3
    return path


def faults_of(path: Path) -> list[ChainFault]:
    with open_bundle(path, version=VERSION) as bundle:
        found = [fault for run in bundle.runs() for fault in run.faults]
        return [*found, *bundle.faults]


def parts_of(path: Path) -> Parts:
    """Read a bundle with the standard library, as anybody would."""
    with tarfile.open(path) as tar:
        return [(each.name, (tar.extractfile(each) or io.BytesIO()).read()) for each in tar.getmembers()]


def write(path: Path, parts: Parts) -> Path:
    with path.open("wb") as file:
        for name, content in parts:
            write_part(file, name, content)
        write_end(file)
    return path


def sealed(path: Path, parts: Parts, key_file: Path, **signed: Any) -> Path:
    """Write parts as a bundle with a fitting manifest, signed by some key: what a forger can do."""
    listed = [(name, content) for name, content in parts if name not in ("manifest.jsonl", "signature.json")]
    runs = sum(name.endswith("/record.jsonl") for name, _ in listed)
    manifest = manifest_head(runs=runs, parts=len(listed))
    manifest += b"".join(manifest_line(name, content, digest_bytes(content)) for name, content in listed)
    said = Signed(manifest=digest_bytes(manifest), planwarden_version=VERSION, runs=runs)
    envelope = seal(said.model_copy(update=signed), signing_key(key_file))
    return write(path, [*listed, ("manifest.jsonl", manifest), ("signature.json", envelope)])


@pytest.mark.requirement("SEAL-4")
async def test_the_same_runs_give_the_same_bytes_and_any_tar_reads_them(
    home: Path, bundle: Path, tmp_path: Path
) -> None:
    async with opened(home) as planwarden:
        again = tmp_path / "again.tar"
        await planwarden.archive.bundles.export(again, [*reversed(RUNS), "ra"])
        assert again.read_bytes() == bundle.read_bytes()
        with pytest.raises(InputError, match="is there already"):
            await planwarden.archive.bundles.export(again, RunChoice())
    names = [name for name, _ in parts_of(bundle)]
    assert names[0] == "anchors.jsonl"
    assert names[-2:] == ["manifest.jsonl", "signature.json"]
    assert [name for name in names if name.startswith("runs/rb/")] == [
        "runs/rb/record.jsonl", "runs/rb/dossier.json", "runs/rb/anchored.json",
    ]  # fmt: skip
    assert f"snapshots/catalog-{digest(CATALOG)[7:]}.json" in names
    assert not list(tmp_path.glob(".*"))


@pytest.mark.requirement("SEAL-4")
async def test_every_changed_byte_of_a_bundle_is_found_or_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "small.tar"
    async with opened(tmp_path / "small") as planwarden:
        journal = await planwarden.journal()
        started = RunStarted.model_validate(begun("x")[0].model_dump() | {"snapshots_kept": False})
        await journal.create("r", "red", OWNER, [started])
        assert await journal.anchors.make(TODAY)
        await planwarden.archive.bundles.export(path, ["r"])
    assert faults_of(path) == []
    data = path.read_bytes()
    refused = found = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        try:
            assert faults_of(path), place
            found += 1
        except BundleRejected:
            refused += 1
    assert refused > 1000
    assert found > 1000


@pytest.mark.requirement("SEAL-4")
async def test_a_bundle_that_is_cut_anywhere_or_goes_on_after_its_end_is_refused(bundle: Path) -> None:
    data = bundle.read_bytes()
    for cut in (*range(0, len(data), 509), len(data) - 1):
        bundle.write_bytes(data[:cut])
        with pytest.raises(BundleRejected):
            faults_of(bundle)
    for more in (b"\0", bytes(512), b"x"):
        bundle.write_bytes(data + more)
        with pytest.raises(BundleRejected, match="does not end"):
            faults_of(bundle)


def _moved(parts: Parts, name: str) -> Parts:
    chosen = next(part for part in parts if part[0] == name)
    return [chosen, *(part for part in parts if part is not chosen)]


def _renamed(parts: Parts, old: str, new: str) -> Parts:
    return [(name.replace(old, new), content) for name, content in parts]


def _without(parts: Parts, part: str) -> Parts:
    return [each for each in parts if part not in each[0]]


REFUSED: list[tuple[Callable[[Parts], Parts], str]] = [
    (lambda p: [*p[:1], *p], "twice or out of order"),
    (lambda p: _moved(p, "runs/rb/record.jsonl"), "twice or out of order"),
    (lambda p: [*p[:1], ("notes.txt", b"hello"), *p[1:]], "which is unknown"),
    (lambda p: _renamed(p, "runs/rb/", "runs/../"), "which is unknown"),
    (lambda p: _renamed(p, "runs/rb/", "runs/a/b/"), "which is unknown"),
    (lambda p: _renamed(p, "runs/rb/", "runs/rd/"), "twice or out of order|cannot be read|not written"),
    (lambda p: _without(p, "runs/rb/record"), "without the record of the run"),
    (lambda p: _without(p, "anchors.jsonl"), "no part anchors.jsonl"),
    (lambda p: _without(p, "manifest.jsonl"), "no part manifest.jsonl"),
    (lambda p: _without(p, "signature.json"), "no part signature.json"),
    (lambda p: [], "no part anchors.jsonl"),
]


@pytest.mark.requirement("SEAL-5")
@pytest.mark.parametrize(("change", "reason"), REFUSED)
async def test_a_bundle_whose_parts_are_not_those_it_may_have_is_refused(
    bundle: Path, change: Callable[[Parts], Parts], reason: str
) -> None:
    write(bundle, change(parts_of(bundle)))
    with pytest.raises(BundleRejected, match=reason):
        faults_of(bundle)


@pytest.mark.requirement("SEAL-5")
@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "runs/ra/../../x", "a" * 100, "runs/\u00e9/record.jsonl", ""]
)
async def test_an_archive_made_by_others_with_unsafe_names_links_or_sizes_is_refused(
    bundle: Path, name: str
) -> None:
    with tarfile.open(bundle, "w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(name or "anchors.jsonl")
        if not name:
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry, io.BytesIO())
    with pytest.raises(BundleRejected):
        faults_of(bundle)
    with pytest.raises(BundleRejected, match="not allowed"):
        header("anchors.jsonl", MAX_PART + 1)


@pytest.mark.requirement("SEAL-5")
async def test_a_part_that_says_it_is_larger_than_the_file_is_refused_before_it_is_read(bundle: Path) -> None:
    bundle.write_bytes(header("anchors.jsonl", MAX_PART) + b"x" * 512)
    with bundle.open("rb") as file, pytest.raises(BundleRejected, match="cut short"):
        list(places(file))


class _ReadInPieces(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= 1024
        return super().read(size)


@pytest.mark.requirement("SEAL-5")
@pytest.mark.parametrize("head", [b"", header("anchors.jsonl", 0)])
async def test_of_a_file_of_zeros_no_more_is_read_than_an_end_has(head: bytes) -> None:
    with pytest.raises(BundleRejected, match="does not end"):
        list(places(_ReadInPieces(head + bytes(2**20))))


@pytest.mark.requirement("SEAL-5")
async def test_another_version_of_bundle_or_record_is_refused(
    bundle: Path, home: Path, tmp_path: Path
) -> None:
    parts = parts_of(bundle)
    key = signing_key(home / "signing-key.pem")
    other = json.loads(base64.b64decode(json.loads(parts[-1][1])["payload"]))
    other["predicate"]["bundle_version"] = 2
    payload = json.dumps(other, sort_keys=True, separators=(",", ":")).encode()
    sig = key.sign(pre_authentication_encoding("application/vnd.in-toto+json", payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": key.public.fingerprint, "sig": base64.b64encode(sig).decode()}],
    }
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    write(bundle, [*parts[:-1], ("signature.json", text)])
    with pytest.raises(BundleRejected, match="another version"):
        faults_of(bundle)
    changed = [
        (name, content.replace(b'"record_version":1', b'"record_version":2')) for name, content in parts
    ]
    sealed(bundle, changed, home / "signing-key.pem")
    with pytest.raises(BundleRejected, match="another version"):
        faults_of(bundle)


def _edited(parts: Parts, name: str, old: bytes, new: bytes) -> Parts:
    edited = [(each, content.replace(old, new) if each == name else content) for each, content in parts]
    assert edited != parts
    return edited


FORGED: list[tuple[Callable[[Parts], Parts], str]] = [
    (
        lambda p: _edited(p, "runs/ra/record.jsonl", b"Look at IBM", b"Look at JBM"),
        "its digest does not match",
    ),
    (
        lambda p: _edited(p, "runs/ra/record.jsonl", b'"tenant":"red"', b'"tenant":"rod"'),
        "another tenant",
    ),
    (
        lambda p: _edited(p, "runs/ra/dossier.json", b"Look at IBM", b"Look at JBM"),
        "not the one that its events",
    ),
    (lambda p: _without(p, "runs/ra/dossier"), "the dossier is missing"),
    (lambda p: _without(p, "snapshots/catalog"), "is not in the bundle"),
    (lambda p: _edited(p, "anchors.jsonl", b'"runs":2', b'"runs":3'), "its hash does not match"),
    (lambda p: _edited(p, "runs/ra/anchored.json", b'"seq":6', b'"seq":5'), "which is not there"),
    (
        lambda p: _edited(p, "runs/ra/anchored.json", b'"index":0', b'"index":1'),
        "does not lead to the anchor's root",
    ),
]


@pytest.mark.requirement("SEAL-6")
@pytest.mark.parametrize(("change", "problem"), FORGED)
async def test_what_a_forger_signs_anew_is_found_by_the_chains_and_signed_by_another_key(
    bundle: Path, tmp_path: Path, change: Callable[[Parts], Parts], problem: str
) -> None:
    honest = unseal(parts_of(bundle)[-1][1]).fingerprint
    sealed(bundle, change(parts_of(bundle)), tmp_path / "forger.pem")
    assert [fault for fault in faults_of(bundle) if problem in fault.problem]
    with open_bundle(bundle, version=VERSION) as found:
        assert found.opened.genuine
        assert found.opened.fingerprint != honest


@pytest.mark.requirement("SEAL-6")
async def test_runs_taken_out_put_in_or_signed_by_nobody_are_found(
    bundle: Path, home: Path, tmp_path: Path
) -> None:
    parts = parts_of(bundle)
    for change in (_without(parts, "runs/rb/"), _without(parts, "runs/rc/"), _without(parts, "runs/")):
        write(bundle, change)
        assert [fault for fault in faults_of(bundle) if "manifest" in fault.problem]
    other = unseal(parts[-1][1]).signed
    forged = seal(other, signing_key(tmp_path / "forger.pem"))
    sig = json.loads(forged)["signatures"][0]["sig"]
    kept = json.loads(parts[-1][1])
    kept["signatures"][0]["sig"] = sig
    text = json.dumps(kept, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    write(bundle, [*parts[:-1], ("signature.json", text)])
    (fault,) = faults_of(bundle)
    assert "the signature is not that of the key" in fault.problem


@pytest.mark.requirement("SEAL-6")
async def test_another_version_of_planwarden_is_not_asked_for_the_same_dossier(
    bundle: Path, home: Path
) -> None:
    parts = _edited(parts_of(bundle), "runs/ra/dossier.json", b'"dossier_version":1', b'"dossier_version":9')
    sealed(bundle, parts, home / "signing-key.pem", planwarden_version="99")
    assert faults_of(bundle) == []
    parts = _edited(parts, "runs/ra/dossier.json", b'"hash":"sha256:', b'"hash":"sha256:f')
    sealed(bundle, parts, home / "signing-key.pem", planwarden_version="99")
    assert [fault for fault in faults_of(bundle) if "lists other events" in fault.problem]


@pytest.mark.requirement("SEAL-9")
async def test_the_signature_and_the_manifest_can_be_checked_by_hand(bundle: Path, home: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    parts = dict(parts_of(bundle))
    envelope = json.loads(parts["signature.json"])
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    message = b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))
    statement = json.loads(payload)
    public: Any = load_pem_public_key(statement["predicate"]["public_key"].encode())
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), message)
    assert (
        envelope["signatures"][0]["keyid"]
        == "sha256:" + hashlib.sha256(public.public_bytes_raw()).hexdigest()
    )
    manifest = parts["manifest.jsonl"]
    assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(manifest).hexdigest()
    head, *lines = map(json.loads, manifest.splitlines())
    assert head == {"bundle_version": 1, "parts": len(parts) - 2, "runs": 3}
    for line in lines:
        content = parts[line["name"]]
        assert (line["bytes"], line["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.requirement("SEAL-7")
async def test_imported_runs_are_those_that_were_exported_and_verify(
    home: Path, bundle: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "other") as other, opened(home) as planwarden:
        done = await other.archive.bundles.import_from(bundle)
        assert done.new == RUNS
        assert await problems(other) == []
        for run_id in RUNS:
            assert await other.record.dossier(run_id) == await planwarden.record.dossier(run_id)
            head = await (await other.journal()).head(run_id)
            assert head.origin == done.fingerprint == (await planwarden.archive.bundles.key()).fingerprint
        again = await other.archive.bundles.import_from(bundle, pin=done.fingerprint)
        assert (again.new, again.there, again.refused) == ((), RUNS, ())
        home_again = await planwarden.archive.bundles.import_from(bundle)
        assert home_again.there == RUNS
        assert (await (await planwarden.journal()).head("ra")).origin is None
        back = tmp_path / "back.tar"
        await other.archive.bundles.export(back, RunChoice())
        records = [part for part in parts_of(bundle) if "record" in part[0]]
        assert records == [part for part in parts_of(back) if "record" in part[0]]


@pytest.mark.requirement("SEAL-7")
async def test_an_imported_run_is_never_gone_on_with(bundle: Path, tmp_path: Path) -> None:
    async with opened(tmp_path / "other") as other:
        await other.archive.bundles.import_from(bundle)
        journal = await other.journal()
        with pytest.raises(RunImported, match="here it can only be read"):
            await journal.acquire("rc", OWNER)
        with pytest.raises(RunImported):
            await other.request_cancel("rc", by="me")
        for refused in (other.resume("rc"), other.cancel("rc", by="me"), other.resume("ra")):
            with pytest.raises(RunImported):
                await refused
        await other.rebuild_memory()
        assert await problems(other) == []


@pytest.mark.requirement("SEAL-7")
async def test_a_run_that_is_here_with_another_chain_is_refused_and_the_others_are_taken_in(
    bundle: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "other") as other:
        journal = await other.journal()
        await journal.create("rb", "red", OWNER, begun("Something else"))
        before = await journal.links("rb")
        done = await other.archive.bundles.import_from(bundle)
        assert (done.new, done.refused) == (("ra", "rc"), ("rb",))
        assert await journal.links("rb") == before
        assert (await journal.head("rb")).origin is None


@pytest.mark.requirement("SEAL-7")
async def test_nothing_of_an_altered_or_wrongly_signed_bundle_is_taken_in(
    bundle: Path, tmp_path: Path
) -> None:
    parts = parts_of(bundle)
    async with opened(tmp_path / "other") as other:
        with pytest.raises(BundleRejected, match="not by sha256:0"):
            await other.archive.bundles.import_from(bundle, pin="sha256:" + "0" * 64)
        write(bundle, _edited(parts, "runs/rc/record.jsonl", b"AAPL", b"AAPK"))
        with pytest.raises(BundleRejected, match="not what was signed"):
            await other.archive.bundles.import_from(bundle)
        write(bundle, _edited(parts, "runs/rc/anchored.json", b"[", b"[ "))
        with pytest.raises(BundleRejected):
            await other.archive.bundles.import_from(bundle)
        with pytest.raises(InputError, match="cannot be read"):
            await other.archive.bundles.import_from(tmp_path / "nothing.tar")
        assert await (await other.journal()).heads() == ()


@pytest.mark.requirement("SEAL-6")
async def test_a_damaged_run_or_one_that_is_not_there_is_not_exported(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.tar"
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as stored:
        stored.execute("UPDATE payloads SET nonce = 'x' WHERE run_id = 'rb' AND seq = 1")
        async with opened(home) as planwarden:
            with pytest.raises(StoreCorrupt, match="Run rb is not what was written"):
                await planwarden.archive.bundles.export(path, RunChoice())
            with pytest.raises(RunNotFound):
                await planwarden.archive.bundles.export(path, ["nobody"])
            stored.execute("DELETE FROM snapshots WHERE kind = 'policy'")
            with pytest.raises(StoreCorrupt, match="was kept and is gone"):
                await planwarden.archive.bundles.export(path, ["ra"])
    assert not path.exists()
    assert not list(tmp_path.glob(".new*"))


@pytest.mark.requirement("SEAL-6")
async def test_runs_are_chosen_by_tenant_and_time(home: Path, tmp_path: Path) -> None:
    async with opened(home) as planwarden:
        head = await (await planwarden.journal()).head("rb")
        for number, (choice, runs) in enumerate(
            (
                (RunChoice(tenant="red"), 3),
                (RunChoice(since=head.created_at), 2),
                (RunChoice(until=head.created_at), 1),
            )
        ):
            path = tmp_path / f"{number}.tar"
            assert (await planwarden.archive.bundles.export(path, choice)).runs == runs
            assert faults_of(path) == []
        with pytest.raises(InputError, match="nothing to export"):
            await planwarden.archive.bundles.export(tmp_path / "none.tar", RunChoice(tenant="blue"))
        assert not (tmp_path / "none.tar").exists()


@pytest.mark.requirement("SEAL-6")
async def test_a_key_is_made_once_readable_by_its_owner_alone_and_any_other_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "home" / "key.pem"
    key = signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(path).public == key.public == read_public_key(key.public.pem)
    public = tmp_path / "public.pem"
    public.write_text(key.public.pem)
    assert pinned(str(public)) == pinned(key.public.fingerprint) == key.public.fingerprint
    for wrong in ("sha256:abc", str(tmp_path / "nothing"), str(path)):
        with pytest.raises(InputError):
            pinned(wrong)
    path.chmod(0o644)
    with pytest.raises(SigningKeyRejected, match="others than its owner"):
        signing_key(path)
    path.chmod(0o600)
    path.write_text("not a key")
    with pytest.raises(SigningKeyRejected, match="cannot be read"):
        signing_key(path)


@pytest.mark.requirement("SEAL-8")
async def test_an_anchor_is_made_once_a_day_and_only_where_something_grew(home: Path) -> None:
    async with opened(home) as planwarden:
        anchors = (await planwarden.journal()).anchors
        last = await anchors.last()
        assert last
        assert await anchors.make(TODAY) is None
        assert await anchors.make_daily(last.at.replace(day=9)) is None
        journal = await planwarden.journal()
        await journal.create("rd", "red", OWNER, [*begun("More"), CancelRequested(by="me")])
        assert await anchors.make_daily(last.at) is None
        assert await anchors.make_daily(TODAY) is None  # a clock that was set back
        made = await anchors.make_daily(last.at.replace(day=9))
        assert made
        assert (made.number, made.runs, made.previous) == (3, 1, last.hash)
        assert await anchors.make_daily(last.at.replace(day=9)) is None


@pytest.mark.requirement("SEAL-7")
async def test_what_is_erased_stays_erased_in_a_bundle_and_verifies(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "erased.tar"
    async with opened(home) as planwarden, opened(tmp_path / "other") as other:
        journal = await planwarden.journal()
        await journal.erasure.erase("ra", by="ada", reason="asked to")
        (home / "dossiers" / "ra.json").unlink()
        assert await problems(planwarden) == []
        await planwarden.archive.bundles.export(path, ["ra", "rb"])
        assert faults_of(path) == []
        names = [name for name, _ in parts_of(path)]
        assert "runs/ra/record.jsonl" in names
        assert "runs/ra/dossier.json" not in names
        assert b"Look at IBM" not in path.read_bytes()
        assert (await other.archive.bundles.import_from(path)).new == ("ra", "rb")
        assert await problems(other) == []
        assert (await other.record.tombstone("ra")).erased_by == "ada"
        forged = _edited(parts_of(path), "runs/ra/record.jsonl", b'"erased":true', b'"erased":false')
        sealed(path, forged, home / "signing-key.pem")
        assert [fault for fault in faults_of(path) if "erased" in fault.problem]


@pytest.mark.requirement("SEAL-7")
async def test_a_run_that_goes_on_after_its_erasure_is_neither_exported_nor_imported(
    home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "erased.tar"
    async with opened(home) as planwarden, opened(tmp_path / "other") as other:
        journal = await planwarden.journal()
        await journal.erasure.erase("ra", by="ada", reason="asked to")
        (home / "dossiers" / "ra.json").unlink()
        await planwarden.archive.bundles.export(path, ["ra"])
        run = await journal.transfer.take("ra")
        fact = CancelRequested(by="me")
        more = RunEvent(run_id="ra", seq=len(run.links) + 1, at=run.links[-1].at, epoch=1, fact=fact)
        payload = Payload(nonce="0" * 32, body=fact_body(fact))
        after = link(run.links[-1].hash, more, payload)
        grown = replace(run, links=[*run.links, after], payloads={**run.payloads, more.seq: payload})
        parts = [
            (name, record_bytes(grown) if "record" in name else content) for name, content in parts_of(path)
        ]
        sealed(path, parts, home / "signing-key.pem")
        assert [fault for fault in faults_of(path) if "goes on after event 7" in fault.problem]
        with pytest.raises(BundleRejected, match="goes on after"):
            await other.archive.bundles.import_from(path)
        with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as stored:
            moment = stored.execute("SELECT updated_at FROM runs WHERE run_id = 'ra'").fetchone()[0]
            stored.execute(
                "INSERT INTO events (run_id, seq, at, epoch, kind, payload_digest, previous, hash)"
                " VALUES ('ra', ?, ?, 1, ?, ?, ?, ?)",
                (after.seq, moment, after.kind, after.payload_digest, after.previous, after.hash),
            )
            stored.execute(
                "INSERT INTO payloads (run_id, seq, nonce, body, erased) VALUES ('ra', ?, ?, ?, 0)",
                (after.seq, payload.nonce, payload.body),
            )
            stored.execute(
                "UPDATE runs SET last_seq = ?, last_kind = ?, head = ? WHERE run_id = 'ra'",
                (after.seq, after.kind, after.hash),
            )
        with pytest.raises(StoreCorrupt, match="goes on after event 7"):
            await planwarden.archive.bundles.export(tmp_path / "again.tar", ["ra"])


@pytest.mark.requirement("SEAL-9")
async def test_the_anchors_of_a_bundle_are_what_the_page_computes_by_hand(home: Path, bundle: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "bundle.md").read_text("utf-8")
    by_hand: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], by_hand)
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        ends: dict[int, list[tuple[str, int, str]]] = {}
        for run_id in RUNS:
            for each in await journal.anchors.taken_in(run_id):
                ends.setdefault(each.anchor, []).append((run_id, each.end.seq, each.end.hash))
    previous = "sha256:" + "0" * 64
    anchors = [json.loads(line) for line in dict(parts_of(bundle))["anchors.jsonl"].splitlines()]
    assert len(anchors) == 2
    for anchor in anchors:
        assert by_hand["follows"](anchor, ends[anchor["number"]], previous)
        assert not by_hand["follows"](anchor, [("ra", 1, previous)], previous)
        previous = anchor["hash"]


FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
"""After the end of every run here, whatever the clock says."""


def _looked_at(path: Path, kept: Path | None = None) -> Any:
    arguments = ["dossier", "verify", "--bundle", str(path), "--json"]
    said = CliRunner().invoke(app, [*arguments, "--anchors", str(kept)] if kept else arguments)
    return json.loads(said.stdout)


@pytest.mark.requirement("SEAL-10")
async def test_a_run_whose_proof_is_left_out_is_found_once_an_anchor_was_made_after_its_end(
    home: Path, tmp_path: Path
) -> None:
    path, kept = tmp_path / "runs.tar", tmp_path / "anchors.jsonl"
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        await journal.create("rd", "red", OWNER, begun("More"))
        assert await journal.anchors.make(FUTURE)
        await planwarden.archive.anchoring.keep_in(kept)
        await planwarden.archive.bundles.export(path, RunChoice())
    told = _looked_at(path, kept)
    assert (told["ok"], told["anchored_runs"], told["not_vouched_for"]) == (True, 4, [])
    parts = parts_of(path)
    key = home / "signing-key.pem"
    for changed in (
        _without(parts, "runs/rd/anchored"),
        [(name, b"[]\n" if name == "runs/ra/anchored.json" else content) for name, content in parts],
    ):
        sealed(path, changed, key)
        assert ["none of it is shown" in fault.problem for fault in faults_of(path)] == [True]
    tail = json.loads(dict(parts)["runs/rb/anchored.json"])[:1]
    text = json.dumps(tail, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    sealed(path, [(n, text if n == "runs/rb/anchored.json" else c) for n, c in parts], key)
    (fault,) = faults_of(path)
    assert (fault.run_id, "only its events up to 4 is" in fault.problem) == ("rb", True)


@pytest.mark.requirement("SEAL-10")
async def test_a_bundle_without_anchors_says_nothing_against_those_that_are_kept(
    home: Path, tmp_path: Path
) -> None:
    path, kept = tmp_path / "runs.tar", tmp_path / "anchors.jsonl"
    async with opened(home) as planwarden:
        await (await planwarden.journal()).create("rd", "red", OWNER, begun("More"))
        assert await (await planwarden.journal()).anchors.make(FUTURE)
        await planwarden.archive.anchoring.keep_in(kept)
        await planwarden.archive.bundles.export(path, RunChoice())
    bare = [(name, b"" if name == "anchors.jsonl" else content) for name, content in parts_of(path)]
    sealed(path, _without(bare, "anchored"), home / "signing-key.pem")
    assert faults_of(path) == []
    told = _looked_at(path, kept)
    assert (told["ok"], told["anchored_runs"]) == (False, 0)
    assert [fault["run_id"] for fault in told["faults"]] == ["ra", "rb", "rc", "rd"]
    assert "that is kept in" in told["faults"][0]["problem"]


@pytest.mark.requirement("SEAL-10")
async def test_every_run_of_a_bundle_is_in_an_anchor_imported_ones_too_and_it_is_said_which_are_not_kept(
    home: Path, bundle: Path, tmp_path: Path
) -> None:
    path, kept = tmp_path / "back.tar", tmp_path / "anchors.jsonl"
    async with opened(tmp_path / "other") as other:
        journal = await other.journal()
        await journal.create("rd", "red", OWNER, begun("More"))
        assert await journal.anchors.make(FUTURE)
        await other.archive.anchoring.keep_in(kept)
        await other.archive.bundles.import_from(bundle)
        await other.archive.bundles.export(path, RunChoice())
    assert faults_of(path) == []
    told = _looked_at(path, kept)
    assert (told["ok"], told["anchors"], told["anchored_runs"]) == (True, 2, 1)
    assert [doubt["run_id"] for doubt in told["not_vouched_for"]] == list(RUNS)
    assert _looked_at(path)["anchored_runs"] == 4
    second = dict(parts_of(path))["anchors.jsonl"].splitlines(keepends=True)[1]
    kept.write_bytes(second)
    assert _looked_at(path, kept)["anchored_runs"] == 4
    end = RunEnd(run_id="re", seq=1, hash=digest(1))
    third = make_anchor([end], after=read_anchor(second), at=FUTURE)
    assert third
    kept.write_bytes(third.line())
    told = _looked_at(path, kept)
    assert (told["ok"], told["anchored_runs"], len(told["not_vouched_for"])) == (True, 0, 4)
    assert "begins after the bundle's last anchor" in told["not_vouched_for"][0]["problem"]


@pytest.mark.requirement("SEAL-11")
@pytest.mark.parametrize("moment", range(1, 6))
async def test_what_happens_during_an_export_is_left_out_and_the_bundle_verifies(
    home: Path, tmp_path: Path, moment: int
) -> None:
    path, calls = tmp_path / "runs.tar", 0
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        lease, _ = await journal.create("r-going", "red", OWNER, begun("More"))

        async def journal_that_moves() -> SqliteJournal:
            nonlocal calls
            calls += 1
            if calls == moment + 1:
                await journal.append(lease, ENDING)
                other = RunStarted.model_validate(begun("x")[0].model_dump() | {"catalog_digest": digest(1)})
                kept = Snapshot(digest=digest(1), kind="catalog", body=b"1")
                await journal.snapshots.keep([kept])
                await journal.create("z-new", "red", OWNER, [other])
                assert await journal.anchors.make(FUTURE)
            return journal

        bundles = replace(planwarden.archive.bundles, journal=journal_that_moves)
        await bundles.export(path, RunChoice())
        assert calls > moment
        assert faults_of(path) == []
        names = [name for name, _ in parts_of(path)]
        assert not [name for name in names if "z-new" in name]
        record = dict(parts_of(path))["runs/r-going/record.jsonl"]
        assert json.loads(record.split(b"\n")[0])["events"] == 4
        again = tmp_path / "again.tar"
        assert (await bundles.export(again, RunChoice())).runs == 5
        assert faults_of(again) == []


@pytest.mark.requirement("SEAL-11")
async def test_a_run_that_is_erased_during_its_export_stops_it(home: Path, tmp_path: Path) -> None:
    path, calls = tmp_path / "runs.tar", 0
    async with opened(home) as planwarden:
        journal = await planwarden.journal()

        async def journal_that_erases() -> SqliteJournal:
            nonlocal calls
            calls += 1
            if calls == 2:
                await journal.erasure.erase("ra", by="ada", reason="asked to")
            return journal

        bundles = replace(planwarden.archive.bundles, journal=journal_that_erases)
        with pytest.raises(RunErased):
            await bundles.export(path, RunChoice())
        assert not path.exists()
        await bundles.export(path, RunChoice())
        assert faults_of(path) == []
