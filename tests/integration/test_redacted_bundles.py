"""Redacted bundles: what is withheld is in no byte, is said and counted; the chain is checked as before."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planwarden.audit.bundle.archive import write_end, write_part
from planwarden.audit.bundle.envelope import Signed, seal
from planwarden.audit.bundle.keys import signing_key
from planwarden.audit.bundle.parts import manifest_head, manifest_line
from planwarden.audit.bundle.reading import open_bundle
from planwarden.cli.main import app
from planwarden.contracts.calls import ToolCall
from planwarden.contracts.dossier import RedactedDossier, RedactionKind
from planwarden.contracts.event import ChainFault
from planwarden.contracts.facts import (
    ApprovalAsked,
    ApprovalGiven,
    CallIntended,
    CallReturned,
    Fact,
    PlanApprovalAsked,
    PlanApprovalGiven,
    PlanDecided,
    RunStarted,
)
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep
from planwarden.contracts.task import Task
from planwarden.contracts.value import Json, canonical_json, digest, digest_bytes
from planwarden.contracts.verdict import Allowed, NeedsApproval
from planwarden.errors import BundleRejected
from planwarden.journal.erasure import Selection
from planwarden.journal.snapshot import Snapshot
from planwarden.journal.sqlite.transfer import RunChoice
from planwarden.testing.stage import plan_of
from record_kit import CATALOG, ENDING, OWNER, POLICY, begun, opened

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GAP-2")]

VERSION = "0.1.0"
MAIL = "erika.mustermann@example.org"
Parts = list[tuple[str, bytes]]


@pytest.fixture
async def home(tmp_path: Path, anyio_backend: str) -> Path:
    """Give a home with two runs that are over, in one of which somebody's address was said."""
    home = tmp_path / "home"
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        kept = (("catalog", CATALOG), ("policy", POLICY))
        await journal.snapshots.keep(
            [Snapshot(digest=digest(value), kind=kind, body=canonical_json(value)) for kind, value in kept]
        )
        for run_id, prompt in (("ra", f"Write to {MAIL}"), ("rb", "Look at MSFT")):
            lease, _ = await journal.create(run_id, "red", OWNER, [*begun(prompt), *ENDING])
            await journal.release(lease)
    return home


async def exported(home: Path, path: Path, redaction: RedactionKind) -> Path:
    async with opened(home) as planwarden:
        await planwarden.archive.bundles.export(path, RunChoice(), redaction)
    return path


async def recorded(home: Path, run_id: str, facts: list[Fact]) -> Path:
    """Put one run more into the home."""
    started = facts[0]
    assert isinstance(started, RunStarted)
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        lease, _ = await journal.create(run_id, started.task.tenant, OWNER, facts)
        await journal.release(lease)
    return home


def started_as(tenant: str = "red", conversation: str | None = None) -> Fact:
    """Begin as the other runs do, with another task."""
    started = begun("Look")[0]
    assert isinstance(started, RunStarted)
    return started.model_copy(update={"task": Task(prompt="Look", tenant=tenant, conversation=conversation)})


ASKED, ALLOWED = NeedsApproval(rule="ask", reason="it is sent"), Allowed(rule="own", reason="its own tool")


def approved_call(call_id: str, arguments: dict[str, Json]) -> list[Fact]:
    """Have a person approve a call, which then runs."""
    call = ToolCall(id=call_id, step="s1", tool="look", role="primary", arguments=arguments)
    return [
        ApprovalAsked(call=call, verdict=ASKED),
        ApprovalGiven(call_id=call_id, arguments_digest=digest(arguments), approved=True, by="ann"),
        CallIntended(call=call, verdict=ALLOWED, idempotency_key=call.idempotency_key("rc")),
        CallReturned(call_id=call_id, value="ok", duration_s=0.5),
    ]


def parts_of(path: Path) -> Parts:
    with tarfile.open(path) as tar:
        return [(each.name, (tar.extractfile(each) or io.BytesIO()).read()) for each in tar.getmembers()]


def faults_of(path: Path) -> list[ChainFault]:
    with open_bundle(path, version=VERSION) as bundle:
        return [*(fault for run in bundle.runs() for fault in run.faults), *bundle.faults]


def lines_of(parts: Parts, run_id: str) -> list[Any]:
    return [json.loads(line) for line in dict(parts)[f"runs/{run_id}/record.jsonl"].splitlines()[1:]]


def signed_anew(path: Path, parts: Parts, key_file: Path, **said: Any) -> Path:
    """Write parts as a bundle with a fitting manifest, signed by some key: what a forger can do."""
    listed = [(name, content) for name, content in parts if name not in ("manifest.jsonl", "signature.json")]
    runs = sum(name.endswith("/record.jsonl") for name, _ in listed)
    signed = Signed(manifest=digest_bytes(b""), planwarden_version=VERSION, runs=runs, **said)
    manifest = manifest_head(runs=runs, parts=len(listed), redacted=signed.redaction)
    manifest += b"".join(manifest_line(name, content, digest_bytes(content)) for name, content in listed)
    envelope = seal(signed.model_copy(update={"manifest": digest_bytes(manifest)}), signing_key(key_file))
    with path.open("wb") as file:
        for name, content in [*listed, ("manifest.jsonl", manifest), ("signature.json", envelope)]:
            write_part(file, name, content)
        write_end(file)
    return path


async def test_without_content_no_word_that_was_said_is_in_the_file_and_the_chain_is_intact(
    home: Path, tmp_path: Path
) -> None:
    path = await exported(home, tmp_path / "runs.tar", "content")
    data = path.read_bytes()
    for said in (MAIL, "MSFT", "Look at", "Grüße", "1e+30"):
        assert said.encode() not in data
    assert faults_of(path) == []
    parts = parts_of(path)
    for run_id in ("ra", "rb"):
        lines = lines_of(parts, run_id)
        left = [line["kind"] for line in lines if "withheld" not in line]
        assert left == ["step_started"]
        assert all(line["payload"] is None and line["nonce"] is None for line in lines if "withheld" in line)
        redacted = RedactedDossier.model_validate_json(dict(parts)[f"runs/{run_id}/redacted.json"])
        assert (redacted.redacted, redacted.dossier.run_id) == ("content", run_id)
        assert [call.tool for call in redacted.dossier.calls] == ["look"]
        assert f"runs/{run_id}/dossier.json" not in dict(parts)
    assert json.loads(dict(parts)["manifest.jsonl"].splitlines()[0])["redacted"] == {
        "kind": "content",
        "withheld": 10,
    }


async def test_without_personal_data_only_what_holds_some_is_left_out(home: Path, tmp_path: Path) -> None:
    path = await exported(home, tmp_path / "runs.tar", "personal")
    assert MAIL.encode() not in path.read_bytes()
    assert faults_of(path) == []
    parts = parts_of(path)
    assert [line["kind"] for line in lines_of(parts, "ra") if "withheld" in line] == ["run_started"]
    assert not any("withheld" in line for line in lines_of(parts, "rb"))
    assert "runs/ra/redacted.json" in dict(parts)
    assert "runs/rb/dossier.json" in dict(parts)


async def test_verify_says_how_many_payloads_are_withheld(home: Path, tmp_path: Path) -> None:
    path = await exported(home, tmp_path / "runs.tar", "content")
    said = CliRunner().invoke(app, ["dossier", "verify", "--bundle", str(path)])
    assert said.exit_code == 0
    assert "intact  2 runs, 12 events" in said.stdout
    assert "redacted (content): 10 of 12 payloads withheld" in said.stdout
    told = json.loads(CliRunner().invoke(app, ["dossier", "verify", "--bundle", str(path), "--json"]).stdout)
    assert (told["ok"], told["redacted"]) == (True, {"kind": "content", "withheld": 10})


async def test_a_changed_byte_of_a_redacted_bundle_is_found_or_refused(home: Path, tmp_path: Path) -> None:
    data = (await exported(home, tmp_path / "runs.tar", "content")).read_bytes()
    missed: list[int] = []
    changed = tmp_path / "changed.tar"
    for place in range(0, len(data), 211):
        changed.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            if not faults_of(changed):
                missed.append(place)
        except BundleRejected:
            continue
    assert missed == []


@pytest.mark.parametrize("how", ["dropped", "reordered", "inserted", "rewritten"])
async def test_what_is_done_to_events_is_found_even_where_their_payloads_are_withheld(
    home: Path, tmp_path: Path, how: str
) -> None:
    parts = parts_of(await exported(home, tmp_path / "runs.tar", "content"))
    record = dict(parts)["runs/ra/record.jsonl"].splitlines(keepends=True)
    head, events = record[0], record[1:]
    match how:
        case "dropped":
            events = [*events[:1], *events[2:]]
        case "reordered":
            events = [events[0], events[2], events[1], *events[3:]]
        case "inserted":
            events = [*events[:2], events[1].replace(b'"seq":2', b'"seq":3'), *events[2:]]
        case _:
            events[1] = events[1].replace(b'"kind":"plan_decided"', b'"kind":"step_started"')
    head = head.replace(b'"events":6', f'"events":{len(events)}'.encode())
    forged = b"".join([head, *events])
    withheld = sum(
        b'"withheld"' in line for line in [*events, *dict(parts)["runs/rb/record.jsonl"].splitlines()]
    )
    again = [(name, forged if name == "runs/ra/record.jsonl" else content) for name, content in parts]
    path = signed_anew(
        tmp_path / "forged.tar", again, tmp_path / "other.pem", redacted="content", withheld=withheld
    )
    try:
        found = {fault.run_id for fault in faults_of(path)}
    except BundleRejected as refused:
        found = {"ra"} if "the record of run ra" in refused.message else set[str]()
    assert "ra" in found


async def test_what_is_withheld_without_being_said_and_a_count_that_is_wrong_are_found(
    home: Path, tmp_path: Path
) -> None:
    parts = parts_of(await exported(home, tmp_path / "runs.tar", "content"))
    unsaid = faults_of(signed_anew(tmp_path / "unsaid.tar", parts, tmp_path / "other.pem"))
    assert sum("the signed manifest does not say that any are" in fault.problem for fault in unsaid) == 2
    fewer = signed_anew(tmp_path / "fewer.tar", parts, tmp_path / "other.pem", redacted="content", withheld=9)
    assert [fault.problem for fault in faults_of(fewer)] == [
        "10 payloads are left out, and the signed manifest says 9"
    ]
    other = signed_anew(
        tmp_path / "personal.tar", parts, tmp_path / "other.pem", redacted="personal", withheld=10
    )
    assert any("redacted in another way" in fault.problem for fault in faults_of(other))


async def test_a_redacted_bundle_is_not_imported_and_nothing_of_it_is_taken_in(
    home: Path, tmp_path: Path
) -> None:
    path = await exported(home, tmp_path / "runs.tar", "personal")
    async with opened(tmp_path / "auditor") as planwarden:
        with pytest.raises(BundleRejected, match="whole runs only") as refused:
            await planwarden.archive.bundles.import_from(path)
        assert "redacted.json" in refused.value.remedy
        assert await planwarden.record.runs() == ()


@pytest.mark.parametrize("kind", ["content", "personal"])
async def test_no_digest_by_which_a_guess_at_what_is_withheld_could_be_tested_is_left(
    home: Path, tmp_path: Path, kind: RedactionKind
) -> None:
    told: dict[str, Json] = {"to": MAIL}
    plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("look",), reason=f"{MAIL} wants it"))
    facts = [
        started_as(),
        PlanDecided(decision=PlanDecision(plan=plan)),
        PlanApprovalAsked(plan_digest=plan.digest(), reason="unsure"),
        PlanApprovalGiven(plan_digest=plan.digest(), approved=True, by="ann"),
        begun("Look")[2],
        *approved_call("s1.1", told),
        *approved_call("s1.2", {"text": "a word"}),
        ENDING[-1],
    ]
    path = await exported(await recorded(home, "rc", facts), tmp_path / "runs.tar", kind)
    assert faults_of(path) == []
    key = ToolCall(id="s1.1", step="s1", tool="look", role="primary", arguments=told).idempotency_key("rc")
    for guessed in (digest(told), plan.digest(), key):
        assert guessed.removeprefix("sha256:").encode() not in path.read_bytes()
    left = [line["payload"] for line in lines_of(parts_of(path), "rc") if "withheld" not in line]
    given = [fact["call_id"] for fact in map(json.loads, left) if fact["kind"] == "approval_given"]
    assert given == ([] if kind == "content" else ["s1.2"])


async def test_what_a_tool_calls_its_ids_is_searched_for_personal_data_as_all_else(
    home: Path, tmp_path: Path
) -> None:
    names = ("call_id", "run_id", "idempotency_key", "traceparent")
    for at, name in enumerate(names):
        call = ToolCall(id="s1.1", step="s1", tool="look", role="primary", arguments={name: MAIL})
        facts = [*begun("Look")[:3], CallIntended(call=call, verdict=ALLOWED, idempotency_key="k"), *ENDING]
        await recorded(home, f"r{at}", facts)
    path = await exported(home, tmp_path / "runs.tar", "personal")
    assert MAIL.encode() not in path.read_bytes()
    for at in range(len(names)):
        withheld = [line["kind"] for line in lines_of(parts_of(path), f"r{at}") if "withheld" in line]
        assert withheld == ["call_intended"]


async def test_tenant_and_conversation_beside_the_record_and_card_numbers_in_it_are_searched_for(
    home: Path, tmp_path: Path
) -> None:
    card = 4111111111111111
    call = ToolCall(id="s1.1", step="s1", tool="look", role="primary", arguments={"card": card})
    facts = [
        started_as(tenant="ann@example.com", conversation="talk with bob@example.com"),
        *begun("Look")[1:3],
        CallIntended(call=call, verdict=ALLOWED, idempotency_key="k"),
        *ENDING,
    ]
    path = await exported(await recorded(home, "rc", facts), tmp_path / "runs.tar", "personal")
    assert faults_of(path) == []
    for said in (b"ann@example.com", b"bob@example.com", str(card).encode()):
        assert said not in path.read_bytes()
    head = json.loads(dict(parts_of(path))["runs/rc/record.jsonl"].splitlines()[0])
    assert (head["tenant"], head["conversation"]) == ("[e-mail]", "talk with [e-mail]")
    lines = lines_of(parts_of(path), "rc")
    assert [line["kind"] for line in lines if "withheld" in line] == ["run_started", "call_intended"]


@pytest.mark.parametrize("kind", ["content", "personal"])
async def test_a_run_that_was_erased_has_no_redacted_dossier_and_what_was_said_of_its_erasure_is_withheld(
    home: Path, tmp_path: Path, kind: RedactionKind
) -> None:
    async with opened(home) as planwarden:
        await planwarden.archive.keeping.erase(Selection(runs=("ra",)), by=MAIL, reason="asked for by Erika")
    path = await exported(home, tmp_path / "runs.tar", kind)
    assert faults_of(path) == []
    parts = parts_of(path)
    for said in (MAIL, "Erika"):
        assert said.encode() not in path.read_bytes()
    last = lines_of(parts, "ra")[-1]
    assert (last["kind"], last["withheld"], last["payload"]) == ("payloads_erased", True, None)
    assert {"runs/ra/redacted.json", "runs/ra/dossier.json"}.isdisjoint(dict(parts))
    withheld = sum(line.get("withheld", False) for run in ("ra", "rb") for line in lines_of(parts, run))
    at = next(place for place, (name, _) in enumerate(parts) if name == "runs/ra/record.jsonl")
    again = [*parts[: at + 1], ("runs/ra/redacted.json", b"{}"), *parts[at + 1 :]]
    forged = signed_anew(
        tmp_path / "forged.tar", again, tmp_path / "other.pem", redacted=kind, withheld=withheld
    )
    assert any("whose payloads were erased" in fault.problem for fault in faults_of(forged))


async def test_what_says_that_a_run_was_erased_is_withheld_where_it_would_tell_the_tenant_by_its_digest(
    home: Path, tmp_path: Path
) -> None:
    await recorded(home, "rc", [started_as(tenant="ann@example.com"), *begun("Look")[1:], *ENDING])
    async with opened(home) as planwarden:
        await planwarden.archive.keeping.erase(Selection(runs=("ra", "rc")), by="bob", reason="asked for")
    path = await exported(home, tmp_path / "runs.tar", "personal")
    assert faults_of(path) == []
    parts = parts_of(path)
    assert "withheld" in lines_of(parts, "rc")[-1]
    assert json.loads(lines_of(parts, "ra")[-1]["payload"])["summary_digest"].startswith("sha256:")


async def test_a_redacted_dossier_of_another_run_is_found_even_if_it_lists_the_same_events(
    home: Path, tmp_path: Path
) -> None:
    parts = parts_of(await exported(home, tmp_path / "runs.tar", "content"))
    told = json.loads(dict(parts)["runs/ra/redacted.json"])
    told["dossier"]["run_id"] = "rz"
    forged = canonical_json(told) + b"\n"
    again = [(name, forged if name == "runs/ra/redacted.json" else content) for name, content in parts]
    path = signed_anew(
        tmp_path / "forged.tar", again, tmp_path / "other.pem", redacted="content", withheld=10
    )
    assert [(fault.run_id, "of another run" in fault.problem) for fault in faults_of(path)] == [("ra", True)]
