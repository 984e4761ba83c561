"""What every journal has to do. An implementation's test class inherits these tests and opens a bench."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planwarden.contracts.event import GENESIS
from planwarden.contracts.facts import CallReturned, CancelRequested, Fact, RunStarted, StepFailed
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Task
from planwarden.errors import LeaseHeld, LeaseLost, RunNotFound, StoreUnavailable
from planwarden.journal.port import Journal, Lease, Owner

LEASE_S = 15.0
ALICE = Owner(id="alice-1", host="box/boot/1", pid=101)
BOB = Owner(id="bob-1", host="box/boot/1", pid=102)
DIGEST = "sha256:" + "0" * 64
FAR = Owner(id="far-1", host="far/boot/1", pid=101)


def said(words: str) -> Fact:
    return StepFailed(step="s1", code="said", message=words)


def started(conversation: str | None, tenant: str = "default") -> Fact:
    return RunStarted(
        task=Task(prompt="Do it", conversation=conversation, tenant=tenant),
        planner=ModelIdentity(provider="p", model="m"),
        agents=ModelIdentity(provider="p", model="m"),
        catalog_digest=DIGEST,
        policy_digest=DIGEST,
        planwarden_version="0",
    )


def words(facts: Sequence[Fact]) -> list[str]:
    return [fact.message for fact in facts if isinstance(fact, StepFailed)]


@dataclass
class HandClock:
    """Stands still until it is moved."""

    at: datetime = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class CountingIds:
    count: int = 0

    def run_id(self) -> str:
        self.count += 1
        return f"run-{self.count}"

    def nonce(self) -> str:
        self.count += 1
        return f"{self.count:032x}"


@dataclass
class Graveyard:
    """Knows who is dead, and who was asked about."""

    dead: set[str] = field(default_factory=set[str])
    asked: list[str] = field(default_factory=list[str])

    def is_dead(self, owner: Owner) -> bool:
        self.asked.append(owner.id)
        return owner.id in self.dead


@dataclass
class Bench:
    """A journal and everything that it was given."""

    journal: Journal
    clock: HandClock
    graveyard: Graveyard

    async def begin(self, run_id: str = "r1", *, tenant: str = "default", owner: Owner = ALICE) -> Lease:
        lease, _ = await self.journal.create(run_id, tenant, owner, [said("begun")])
        return lease

    async def told(self, run_id: str = "r1") -> list[str]:
        return words([event.fact for event in await self.journal.read(run_id)])


class JournalConformance:
    """Inherit, and give `open_bench`."""

    pytestmark = pytest.mark.anyio

    def open_bench(self, folder: Path) -> AbstractAsyncContextManager[Bench]:
        raise NotImplementedError

    @pytest.fixture
    async def bench(self, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Bench]:
        async with self.open_bench(tmp_path) as bench:
            yield bench

    @pytest.mark.requirement("JRN-1")
    async def test_events_are_numbered_from_one_without_gaps_in_the_order_written(self, bench: Bench) -> None:
        lease, first = await bench.journal.create("r1", "default", ALICE, [said("a"), said("b")])
        second = await bench.journal.append(lease, [said("c")])
        third = await bench.journal.append(lease, [said("d"), said("e")])
        events = await bench.journal.read("r1")
        assert [event.seq for event in events] == [1, 2, 3, 4, 5]
        assert words([event.fact for event in events]) == ["a", "b", "c", "d", "e"]
        assert (*first, *second, *third) == events

    @pytest.mark.requirement("JRN-1")
    async def test_an_append_of_nothing_writes_nothing(self, bench: Bench) -> None:
        lease = await bench.begin()
        assert await bench.journal.append(lease, []) == ()
        assert await bench.told() == ["begun"]

    @pytest.mark.requirement("JRN-1")
    async def test_events_carry_the_time_and_the_epoch_they_were_written_under(self, bench: Bench) -> None:
        lease = await bench.begin()
        bench.clock.pass_s(LEASE_S + 1)
        taken = await bench.journal.acquire("r1", BOB)
        (event,) = await bench.journal.append(taken, [said("later")])
        first = (await bench.journal.read("r1"))[0]
        assert (first.epoch, event.epoch) == (lease.epoch, taken.epoch) == (1, 2)
        assert event.at - first.at == timedelta(seconds=LEASE_S + 1)

    @pytest.mark.requirement("JRN-1")
    async def test_what_append_returns_is_what_read_gives_for_awkward_values(self, bench: Bench) -> None:
        lease = await bench.begin()
        value = {
            "tuple": (1, 2),
            "text": "Grüße \U0001f600 \x00 \ud800",
            "big": 2**70,
            "small": 1e-300,
            "none": None,
        }
        written = await bench.journal.append(
            lease, [CallReturned(call_id="s1.1", value=value, duration_s=0.25)]
        )
        assert (await bench.journal.read("r1"))[1:] == written
        fact = written[0].fact
        assert isinstance(fact, CallReturned)
        assert fact.value == {**value, "tuple": [1, 2]}
        assert await bench.journal.verify("r1") == ()

    @pytest.mark.requirement("JRN-1")
    async def test_a_fact_that_is_not_json_is_refused_and_nothing_of_its_batch_written(
        self, bench: Bench
    ) -> None:
        lease = await bench.begin()
        with pytest.raises(ValueError, match="JSON compliant"):
            await bench.journal.append(
                lease, [said("x"), CallReturned(call_id="s1.1", value=float("nan"), duration_s=0)]
            )
        assert await bench.told() == ["begun"]

    @pytest.mark.requirement("JRN-1")
    async def test_a_run_begins_with_a_fact(self, bench: Bench) -> None:
        with pytest.raises(ValueError, match="at least one fact"):
            await bench.journal.create("r1", "default", ALICE, [])
        with pytest.raises(RunNotFound):
            await bench.journal.read("r1")

    @pytest.mark.requirement("JRN-1")
    async def test_a_run_cannot_be_created_twice(self, bench: Bench) -> None:
        lease = await bench.begin()
        with pytest.raises(LeaseHeld, match="r1 exists already"):
            await bench.begin(owner=BOB)
        await bench.journal.append(lease, [said("still ours")])
        assert await bench.told() == ["begun", "still ours"]

    @pytest.mark.requirement("JRN-1")
    async def test_appends_to_many_runs_at_once_keep_each_run_in_order(self, bench: Bench) -> None:
        leases = [await bench.begin(f"r{number}") for number in range(8)]

        async def write(lease: Lease) -> None:
            for number in range(5):
                await bench.journal.append(lease, [said(f"{lease.run_id}:{number}"), said("and")])

        await asyncio.gather(*(write(lease) for lease in leases))
        for lease in leases:
            expected = [word for number in range(5) for word in (f"{lease.run_id}:{number}", "and")]
            assert await bench.told(lease.run_id) == ["begun", *expected]
            assert await bench.journal.verify(lease.run_id) == ()

    @pytest.mark.requirement("JRN-2")
    async def test_a_lease_that_was_taken_over_is_refused_everywhere_and_writes_nothing(
        self, bench: Bench
    ) -> None:
        stale = await bench.begin()
        bench.clock.pass_s(LEASE_S)
        current = await bench.journal.acquire("r1", BOB)
        await bench.journal.post("r1", said("posted"))
        for refused in (
            bench.journal.append(stale, [said("no")]),
            bench.journal.renew(stale),
            bench.journal.check(stale),
            bench.journal.absorb(stale),
        ):
            with pytest.raises(LeaseLost, match=r"process 102 on box took it over \(epoch 2, ours is 1\)"):
                await refused
        await bench.journal.release(stale)
        await bench.journal.check(current)
        assert await bench.told() == ["begun"]
        assert words([event.fact for event in await bench.journal.absorb(current)]) == ["posted"]

    @pytest.mark.requirement("JRN-2")
    async def test_a_lease_that_was_given_back_is_refused(self, bench: Bench) -> None:
        lease = await bench.begin()
        await bench.journal.release(lease)
        with pytest.raises(LeaseLost, match="was given back"):
            await bench.journal.append(lease, [said("no")])
        assert await bench.told() == ["begun"]

    @pytest.mark.requirement("JRN-2")
    async def test_an_expired_lease_fails_its_check_but_can_be_renewed_until_taken(
        self, bench: Bench
    ) -> None:
        lease = await bench.begin()
        await bench.journal.check(lease)
        bench.clock.pass_s(LEASE_S)
        with pytest.raises(LeaseLost, match="ended at"):
            await bench.journal.check(lease)
        renewed = await bench.journal.renew(lease)
        assert renewed.epoch == lease.epoch
        assert renewed.expires_at == bench.clock.now() + timedelta(seconds=LEASE_S)
        await bench.journal.check(lease)

    @pytest.mark.requirement("JRN-2")
    async def test_an_append_does_not_extend_the_lease(self, bench: Bench) -> None:
        lease = await bench.begin()
        bench.clock.pass_s(LEASE_S - 1)
        await bench.journal.append(lease, [said("late")])
        bench.clock.pass_s(1)
        with pytest.raises(LeaseLost):
            await bench.journal.check(lease)

    @pytest.mark.requirement("JRN-3")
    async def test_a_live_lease_is_not_stolen_and_the_refusal_names_its_owner(self, bench: Bench) -> None:
        lease = await bench.begin()
        bench.clock.pass_s(LEASE_S - 0.001)
        with pytest.raises(
            LeaseHeld, match=r"process 101 on box \(owner alice-1\); its lease ends at 2026-05-04T"
        ):
            await bench.journal.acquire("r1", BOB)
        with pytest.raises(LeaseHeld):
            await bench.journal.acquire("r1", ALICE)
        await bench.journal.check(lease)

    @pytest.mark.requirement("JRN-3")
    async def test_an_expired_lease_is_taken_over_under_the_next_epoch(self, bench: Bench) -> None:
        await bench.begin()
        bench.clock.pass_s(LEASE_S)
        taken = await bench.journal.acquire("r1", BOB)
        assert (taken.epoch, taken.owner) == (2, BOB)
        assert taken.expires_at == bench.clock.now() + timedelta(seconds=LEASE_S)
        await bench.journal.append(taken, [said("mine")])

    @pytest.mark.requirement("JRN-3")
    async def test_a_lease_given_back_is_free_at_once(self, bench: Bench) -> None:
        await bench.journal.release(await bench.begin())
        assert (await bench.journal.acquire("r1", BOB)).epoch == 2

    @pytest.mark.requirement("JRN-3")
    async def test_the_lease_of_a_dead_process_is_free_at_once_on_its_own_host(self, bench: Bench) -> None:
        await bench.begin()
        bench.graveyard.dead.add(ALICE.id)
        with pytest.raises(LeaseHeld):
            await bench.journal.acquire("r1", FAR)
        assert bench.graveyard.asked == []
        assert (await bench.journal.acquire("r1", BOB)).epoch == 2

    @pytest.mark.requirement("JRN-3")
    async def test_of_many_who_want_a_free_run_exactly_one_gets_it(self, bench: Bench) -> None:
        await bench.journal.release(await bench.begin())
        wanting = [Owner(id=f"w{number}", host="box/boot/1", pid=200 + number) for number in range(6)]
        got = await asyncio.gather(
            *(bench.journal.acquire("r1", owner) for owner in wanting), return_exceptions=True
        )
        assert sum(isinstance(answer, Lease) for answer in got) == 1
        assert sum(isinstance(answer, LeaseHeld) for answer in got) == 5

    @pytest.mark.requirement("JRN-4")
    async def test_heads_give_the_newest_runs_first_of_one_tenant_or_of_all(self, bench: Bench) -> None:
        for run_id, tenant in (("r1", "red"), ("r2", "blue"), ("r3", "red"), ("r4", "red")):
            await bench.begin(run_id, tenant=tenant)
            bench.clock.pass_s(0 if run_id == "r3" else 1)
        assert [head.run_id for head in await bench.journal.heads()] == ["r4", "r3", "r2", "r1"]
        assert [head.run_id for head in await bench.journal.heads(tenant="red", limit=2)] == ["r4", "r3"]
        assert await bench.journal.heads(limit=0) == ()
        assert await bench.journal.heads(tenant="green") == ()

    @pytest.mark.requirement("JRN-13")
    async def test_heads_give_the_runs_of_one_conversation_and_nobody_elses(self, bench: Bench) -> None:
        for run_id, tenant, conversation in (
            ("r1", "red", "talk"),
            ("r2", "red", None),
            ("r3", "blue", "talk"),
            ("r4", "red", "other"),
            ("r5", "red", "talk"),
        ):
            await bench.journal.create(run_id, tenant, ALICE, [started(conversation, tenant)])
            bench.clock.pass_s(1)
        heads = await bench.journal.heads(tenant="red", conversation="talk")
        assert [(head.run_id, head.conversation) for head in heads] == [("r5", "talk"), ("r1", "talk")]
        newest = await bench.journal.heads(tenant="red", conversation="talk", limit=1)
        assert [head.run_id for head in newest] == ["r5"]
        assert [head.run_id for head in await bench.journal.heads(conversation="talk")] == ["r5", "r3", "r1"]
        assert await bench.journal.heads(tenant="red", conversation="TALK") == ()
        assert await bench.journal.heads(tenant="green", conversation="talk") == ()
        assert [head.conversation for head in await bench.journal.heads(tenant="red")] == [
            "talk", "other", None, "talk",
        ]  # fmt: skip

    @pytest.mark.requirement("JRN-13")
    @pytest.mark.parametrize("awkward", ["%", "' OR 1=1 --", "a\x00b", "Grüße \U0001f600", " "])
    async def test_a_conversation_is_found_by_exactly_its_id(self, bench: Bench, awkward: str) -> None:
        await bench.journal.create("r1", "default", ALICE, [started(awkward)])
        await bench.journal.create("r2", "default", ALICE, [started("plain")])
        assert [head.run_id for head in await bench.journal.heads(conversation=awkward)] == ["r1"]

    @pytest.mark.requirement("MET-3")
    async def test_all_runs_can_be_paged_through_oldest_first(self, bench: Bench) -> None:
        for number in range(1, 6):
            await bench.begin(f"r{number}", tenant="red" if number % 2 else "blue")
        place, pages = 0, list[list[str]]()
        while page := await bench.journal.runs_after(place, limit=2):
            pages.append([run_id for _, run_id in page])
            place = page[-1][0]
        assert pages == [["r1", "r2"], ["r3", "r4"], ["r5"]]
        assert await bench.journal.runs_after(0, limit=0) == ()

    @pytest.mark.requirement("JRN-4")
    async def test_a_head_tells_the_last_event_and_whether_somebody_living_owns_the_run(
        self, bench: Bench
    ) -> None:
        lease = await bench.begin()
        created = bench.clock.now()
        bench.clock.pass_s(2)
        await bench.journal.append(lease, [CancelRequested(by="me")])
        (head,) = await bench.journal.heads()
        assert (head.last_seq, head.last_kind, head.epoch, head.owned) == (2, "cancel_requested", 1, True)
        assert (head.created_at, head.updated_at) == (created, bench.clock.now())
        assert head.head == (await bench.journal.links("r1"))[-1].hash
        bench.graveyard.dead.add(ALICE.id)
        assert not (await bench.journal.heads())[0].owned
        bench.graveyard.dead.clear()
        bench.clock.pass_s(LEASE_S)
        assert not (await bench.journal.heads())[0].owned

    @pytest.mark.requirement("JRN-5")
    async def test_what_was_posted_is_absorbed_once_and_in_order(self, bench: Bench) -> None:
        lease = await bench.begin()
        await bench.begin("r2")
        for word in ("one", "two", "three"):
            await bench.journal.post("r1", said(word))
        await bench.journal.post("r2", said("other"))
        assert await bench.told() == ["begun"]
        absorbed = await bench.journal.absorb(lease)
        assert words([event.fact for event in absorbed]) == ["one", "two", "three"]
        assert await bench.journal.absorb(lease) == ()
        assert await bench.told() == ["begun", "one", "two", "three"]
        assert await bench.journal.verify("r1") == ()

    @pytest.mark.requirement("JRN-5")
    async def test_posts_wait_for_the_next_owner(self, bench: Bench) -> None:
        await bench.journal.release(await bench.begin())
        await bench.journal.post("r1", said("waiting"))
        taken = await bench.journal.acquire("r1", BOB)
        (event,) = await bench.journal.absorb(taken)
        assert (event.seq, event.epoch) == (2, 2)

    @pytest.mark.requirement("JRN-5")
    async def test_a_run_that_is_not_there_is_not_found_by_any_call(self, bench: Bench) -> None:
        for refused in (
            bench.journal.acquire("nope", ALICE),
            bench.journal.post("nope", said("x")),
            bench.journal.read("nope"),
            bench.journal.links("nope"),
            bench.journal.verify("nope"),
        ):
            with pytest.raises(RunNotFound, match="no run nope"):
                await refused

    @pytest.mark.requirement("JRN-6")
    async def test_links_form_one_chain_from_the_genesis(self, bench: Bench) -> None:
        lease = await bench.begin()
        await bench.journal.append(lease, [said("a"), said("b")])
        links = await bench.journal.links("r1")
        assert [link.previous for link in links] == [GENESIS, *(link.hash for link in links[:-1])]
        assert len({link.payload_digest for link in links}) == 3
        assert [link.kind for link in links] == ["step_failed"] * 3
        assert await bench.journal.verify("r1") == ()

    @pytest.mark.requirement("JRN-6")
    async def test_equal_facts_have_different_payload_digests(self, bench: Bench) -> None:
        lease = await bench.begin()
        await bench.journal.append(lease, [said("same"), said("same")])
        _, one, two = await bench.journal.links("r1")
        assert one.payload_digest != two.payload_digest

    @pytest.mark.requirement("JRN-12")
    @pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 50])
    async def test_a_task_cancelled_in_append_leaves_all_of_its_facts_or_none(
        self, bench: Bench, turns: int
    ) -> None:
        lease = await bench.begin()
        task = asyncio.create_task(_append(bench.journal, lease, ["a", "b", "c"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bench.journal.append(lease, [said("after")])
        assert await bench.told() in (["begun", "after"], ["begun", "a", "b", "c", "after"])
        assert await bench.journal.verify("r1") == ()

    @pytest.mark.requirement("JRN-12")
    async def test_a_closed_journal_refuses_everything(self, bench: Bench) -> None:
        lease = await bench.begin()
        await bench.journal.aclose()
        for refused in (
            bench.journal.append(lease, [said("x")]),
            bench.journal.read("r1"),
            bench.journal.heads(),
        ):
            with pytest.raises(StoreUnavailable, match="is closed"):
                await refused
        await bench.journal.aclose()


async def _append(journal: Journal, lease: Lease, said_words: Sequence[str]) -> None:
    await journal.append(lease, [said(word) for word in said_words])
