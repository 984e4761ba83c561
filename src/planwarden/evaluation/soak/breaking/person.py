"""The people of a soak: they say yes, no, done and not done; and hands that try to go on without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from planwarden.contracts.facts import ApprovalGiven, PlanApprovalGiven
from planwarden.contracts.run import CallState, RunState
from planwarden.contracts.value import digest
from planwarden.errors import StoreCorrupt
from planwarden.evaluation.soak.breaking.tampering import edit_payload, tampered
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.ledger import Ledger, PersonKind, SeenBySoak
from planwarden.journal.port import Journal
from planwarden.orchestration.orchestrator import Orchestrator

PERSON = "soak-person"
FORGED = digest("another plan, or other arguments")
MOST_WAITS = 12
"""How often one run is helped on; more would be a run that never ends."""
YES = 0.75
"""Probability that a person agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who stands beside one run."""

    orchestrator: Orchestrator
    journal: Journal
    path: Path
    """Of the journal's file."""
    history: History
    ledger: Ledger
    rng: Random
    most: int
    """Violations in one run."""
    tighten: Callable[[RunState], Orchestrator | None]
    """Denies what a waiting plan means to use; None where there is nothing to deny."""

    async def see_through(self, state: RunState) -> RunState:
        """Say whatever a run waits for until it is over; one that waits on and on is cancelled."""
        for _ in range(MOST_WAITS):
            match state.status:
                case "waiting" if state.plan_approval == "asked":
                    state = await self._on_plan(state)
                case "waiting":
                    state = await self._on_call(state)
                case "in_doubt":
                    state = await self._in_doubt(state)
                case _:
                    break
        if state.ended is not None:
            return state
        return await self.orchestrator.cancel(state.run_id, by=PERSON)

    def _kind(self, *kinds: PersonKind) -> PersonKind | None:
        """Choose what is tried before anybody speaks; None now and then."""
        if len(self.ledger.seeded) >= self.most or self.rng.random() < 0.3:
            return None
        return self.ledger.rarest(kinds)

    # ---- a plan waits ----------------------------------------------------------------------------------

    async def _on_plan(self, state: RunState) -> RunState:
        kinds: tuple[PersonKind, ...] = (
            "plan_approval_forged",
            "plan_edited_after_approval",
            "approval_missing",
        )
        match self._kind(*kinds, "policy_tightened"):
            case "plan_approval_forged":
                forged = PlanApprovalGiven(plan_digest=FORGED, approved=True, by="forger")
                await self.journal.post(state.run_id, forged)
                await self._expect_waiting("plan_approval_forged", state)
            case "approval_missing":
                await self._expect_waiting("approval_missing", state)
            case "plan_edited_after_approval" if tool := _first_tool(state):
                return await self._edit(state, tool)
            case "policy_tightened" if (tightened := self.tighten(state)) is not None:
                return await self._approve_plan(state, tightened)
            case _:
                pass
        if self.rng.random() < YES:
            return await self._approve_plan(state, self.orchestrator)
        return await self.orchestrator.resolve(state.run_id, "deny", by=PERSON, listener=self.history.tell)

    async def _approve_plan(self, state: RunState, orchestrator: Orchestrator) -> RunState:
        self.history.watch.plan_waits = False
        return await orchestrator.resolve(state.run_id, "approve", by=PERSON, listener=self.history.tell)

    async def _edit(self, state: RunState, tool: str) -> RunState:
        """Approve a plan, and name another tool in the record before the run goes on."""
        run_id, plan = state.run_id, state.decision.plan if state.decision else None
        events = await self.journal.read(run_id)
        seq = next(event.seq for event in events if event.fact.kind == "plan_decided")
        approved = PlanApprovalGiven(plan_digest=plan.digest() if plan else FORGED, approved=True, by=PERSON)
        await self.journal.post(run_id, approved)
        since, before = len(self.history.moments), len(self.history.invocations)
        with tampered(self.path, run_id, edit_payload(run_id, seq, tool.encode(), b"z" * len(tool))):
            faults = await self.journal.verify(run_id)
            refused = await self._is_refused(run_id)
        idle = len(self.history.invocations) == before
        placed = any(fault.seq == seq for fault in faults)
        caught = refused and idle and placed
        self.ledger.add("plan_edited_after_approval", SeenBySoak(caught=caught), since=since)
        self.history.watch.plan_waits = False
        return await self.orchestrator.resume(run_id, self.history.tell)

    async def _is_refused(self, run_id: str) -> bool:
        """Say whether a run whose record was altered is refused."""
        try:
            await self.orchestrator.resume(run_id, self.history.tell)
        except StoreCorrupt:
            return True
        return False

    # ---- a call waits ----------------------------------------------------------------------------------

    async def _on_call(self, state: RunState) -> RunState:
        waiting = next(call for call in state.calls if call.status == "asked")
        match self._kind("approval_missing", "approval_forged", "approval_denied"):
            case "approval_missing":
                await self._expect_waiting("approval_missing", state)
            case "approval_forged":
                forged = ApprovalGiven(
                    call_id=waiting.call.id, arguments_digest=FORGED, approved=True, by="forger"
                )
                await self.journal.post(state.run_id, forged)
                await self._expect_waiting("approval_forged", state)
            case "approval_denied":
                return await self._answer(state, waiting, yes=False)
            case _:
                pass
        return await self._answer(state, waiting, yes=self.rng.random() < YES)

    async def _answer(self, state: RunState, waiting: CallState, *, yes: bool) -> RunState:
        call = waiting.call
        self.history.watch.say(call.step, call.tool, call.arguments, yes=yes)
        before = len(self.history.moments)
        after = await self.orchestrator.resolve(
            state.run_id,
            "approve" if yes else "deny",
            by=PERSON,
            call_id=call.id,
            listener=self.history.tell,
        )
        if not yes:
            told = any(
                each.kind == "approval_denied" and (each.step, each.tool) == (call.step, call.tool)
                for each in after.deviations
            )
            ran = any(each.context.call_id == call.id for each in self.history.invocations)
            self.ledger.add(
                "approval_denied",
                SeenBySoak(caught=told and not ran),
                since=before,
                step=call.step,
                tool=call.tool,
            )
        return after

    # ---- both ------------------------------------------------------------------------------------------

    async def _expect_waiting(self, kind: PersonKind, state: RunState) -> None:
        """Have the run go on without what it waits for: it has to wait still, and no tool to begin."""
        before = len(self.history.invocations)
        since = len(self.history.moments)
        after = await self.orchestrator.resume(state.run_id, self.history.tell)
        still = after.status == "waiting" and after.plan_approval == state.plan_approval
        same = [call.status for call in after.calls] == [call.status for call in state.calls]
        idle = len(self.history.invocations) == before
        self.ledger.add(kind, SeenBySoak(caught=still and same and idle), since=since)

    async def _in_doubt(self, state: RunState) -> RunState:
        doubtful = next(call for call in state.calls if call.status == "in_doubt")
        done = self.rng.random() < 0.5
        self.history.settle(doubtful.call.id, done=done)
        resolution = "done" if done else "not_done"
        return await self.orchestrator.resolve(
            state.run_id, resolution, by=PERSON, call_id=doubtful.call.id, listener=self.history.tell
        )


def _first_tool(state: RunState) -> str:
    """Give the first tool of a plan; empty where it has none."""
    plan = state.decision.plan if state.decision else None
    return next((tool for step in (plan.steps if plan else ()) for tool in step.tools), "")
