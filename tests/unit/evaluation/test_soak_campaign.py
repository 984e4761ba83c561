from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pytest

from planwarden.contracts.calls import RefusalKind
from planwarden.contracts.event import ChainFault
from planwarden.contracts.run import RunState
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Allowed, Denied, Verdict
from planwarden.evaluation.soak.campaign import Totals, Wanted, soak
from planwarden.evaluation.soak.ledger import KINDS
from planwarden.evaluation.soak.report import soak_json, soak_markdown, verdict
from planwarden.evaluation.soak.stage import PlannerChoice
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.policy.rules import ToolPolicy
from planwarden.runtime import admission, tool_session
from planwarden.testing.ticking_clock import TickingClock

pytestmark = pytest.mark.anyio

Patch = Callable[[pytest.MonkeyPatch], None]


async def soaked(runs: int, seed: int = 4, planner: PlannerChoice = "scripted") -> Totals:
    return await soak(Wanted(runs=runs, seed=seed, planner=planner), RetrievalPrior(), TickingClock())


@pytest.mark.requirement("SOAK-1", "SOAK-2")
async def test_the_product_lets_nothing_past_and_refuses_nothing_that_is_allowed() -> None:
    seen, seeded = set[str](), set[str]()
    planners: tuple[PlannerChoice, ...] = ("scripted", "adversarial")
    for planner in planners:
        runs = 40
        totals = await soaked(runs, planner=planner)
        assert totals.findings == []
        assert totals.passed
        assert totals.runs == runs
        assert (totals.unauthorised_calls, totals.false_refusals, totals.record_faults) == (0, 0, 0)
        assert totals.caught == totals.seeded
        assert totals.invocations > runs / 2
        assert totals.adherence is not None
        assert 0 < totals.adherence < 1
        seen |= set(totals.deviations)
        seeded |= set(totals.seeded)
    assert set(get_args(RefusalKind)) <= seen
    assert seeded == set(KINDS)


@pytest.mark.requirement("SOAK-3")
async def test_the_same_seed_gives_the_same_report_and_another_seed_another() -> None:
    wanted = Wanted(runs=6, seed=11)
    first, again, other = [
        {**soak_json(wanted, await soaked(6, seed, "adversarial")), "seconds": 0} for seed in (11, 11, 12)
    ]
    assert first == again
    assert first != other


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """A product that is weakened in one place."""

    name: str
    patch: Patch
    shown_by: Callable[[Totals], int]
    """What has to be above 0."""


def admits_everything(patch: pytest.MonkeyPatch) -> None:
    def lenient(state: RunState, wanted: admission.Wanted) -> admission.Admission:
        said = admission.admit(state, wanted)
        step = state.steps.get(wanted.step)
        if not isinstance(said, admission.Refused) or wanted.spec is None or step is None:
            return said
        call = admission.ToolCall(
            id=f"{wanted.step}.{len(step.calls) + 1}",
            step=wanted.step,
            tool=wanted.tool,
            role="primary",
            arguments=dict(wanted.arguments),
        )
        return admission.Admitted(call=call, verdict=wanted.verdict)

    patch.setattr(tool_session, "admit", lenient)


def never_asks_a_person(patch: pytest.MonkeyPatch) -> None:
    strict = ToolPolicy.decide

    def lenient(
        self: ToolPolicy, agent: str, tool: str, arguments: Mapping[str, Json] | None = None
    ) -> Verdict:
        said = strict(self, agent, tool, arguments)
        return said if isinstance(said, Denied) else Allowed(rule="lenient", reason="nobody is asked")

    patch.setattr(ToolPolicy, "decide", lenient)


def checks_no_schema(patch: pytest.MonkeyPatch) -> None:
    def fits(schema: Mapping[str, Json], value: Json) -> tuple[str, ...]:
        return ()

    patch.setattr(tool_session, "schema_problems", fits)


def keeps_no_budget(patch: pytest.MonkeyPatch) -> None:
    def within(state: RunState, step: object) -> None:
        return None

    patch.setattr(admission, "_within_budget", within)


def unlocks_fallbacks(patch: pytest.MonkeyPatch) -> None:
    def unlocked(step: object) -> bool:
        return True

    patch.setattr(admission, "fallback_unlocked", unlocked)


def verifies_nothing(patch: pytest.MonkeyPatch) -> None:
    async def clean(self: SqliteJournal, run_id: str) -> Sequence[ChainFault]:
        return ()

    patch.setattr(SqliteJournal, "verify", clean)


def unauthorised(totals: Totals) -> int:
    return totals.unauthorised_calls


def missed(totals: Totals) -> int:
    return totals.seeded_violations - totals.caught_violations


WEAK = (
    Weak(name="admits everything", patch=admits_everything, shown_by=unauthorised),
    Weak(name="never asks a person", patch=never_asks_a_person, shown_by=unauthorised),
    Weak(name="checks no schema", patch=checks_no_schema, shown_by=unauthorised),
    Weak(name="keeps no budget", patch=keeps_no_budget, shown_by=unauthorised),
    Weak(name="unlocks fallbacks", patch=unlocks_fallbacks, shown_by=unauthorised),
    Weak(name="verifies nothing", patch=verifies_nothing, shown_by=missed),
)


@pytest.mark.requirement("SOAK-4")
@pytest.mark.parametrize("weak", WEAK, ids=[each.name for each in WEAK])
async def test_a_product_that_is_weakened_anywhere_is_found_out(
    weak: Weak, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak.patch(monkeypatch)
    totals = await soaked(20)
    assert weak.shown_by(totals) > 0
    assert missed(totals) > 0
    assert not totals.passed
    assert totals.findings
    assert verdict(totals).startswith("Failed: ")


@pytest.mark.requirement("SOAK-5")
async def test_a_policy_stricter_than_it_was_written_shows_as_false_refusals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_written = ToolPolicy.decide

    def stricter(
        self: ToolPolicy, agent: str, tool: str, arguments: Mapping[str, Json] | None = None
    ) -> Verdict:
        if arguments is not None:
            return Denied(rule="strict", reason="nothing is allowed when it comes to it")
        return as_written(self, agent, tool, arguments)

    monkeypatch.setattr(ToolPolicy, "decide", stricter)
    totals = await soaked(8)
    assert totals.false_refusals > 0
    assert totals.unauthorised_calls == 0
    assert not totals.passed
    assert "false refusals" in verdict(totals)


@pytest.mark.requirement("SOAK-4")
def test_a_soak_that_seeded_nothing_or_caught_nothing_did_not_pass() -> None:
    nothing = Totals(runs=3)
    assert not nothing.passed
    assert nothing.recall is None
    assert verdict(nothing) == "Failed: nothing was seeded, so nothing was shown."
    none_caught = Totals(runs=3)
    none_caught.seeded["unplanned_tool"] = 2
    assert not none_caught.passed
    assert none_caught.recall == 0
    assert verdict(none_caught) == "Failed: 2 of 2 violations missed."


@pytest.mark.requirement("SOAK-4")
async def test_what_the_product_should_not_raise_is_a_finding_and_the_soak_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(state: RunState, wanted: admission.Wanted) -> admission.Admission:
        raise KeyError(wanted.tool)

    monkeypatch.setattr(tool_session, "admit", broken)
    totals = await soaked(6)
    assert totals.runs == 6
    assert totals.outcomes["crashed"] > 0
    assert totals.record_faults == totals.outcomes["crashed"]
    assert not totals.passed


@pytest.mark.requirement("SOAK-6")
def test_the_markdown_report_says_what_was_done_and_found_and_how_to_do_it_again() -> None:
    totals = Totals(runs=2, invocations=5, unauthorised_calls=1)
    totals.seeded.update(["unknown_tool", "unknown_tool"])
    totals.caught.update(["unknown_tool"])
    totals.deviations.update(["unplanned_tool_blocked"])
    totals.findings.append("soak-9-scripted-1: unauthorised call: s1.1 `x`\x1b[2J")
    text = soak_markdown(Wanted(runs=2, seed=9), totals, "1.2.3")
    assert "**Failed: 1 unauthorised calls, 1 of 2 violations missed.**" in text
    assert "`planwarden soak --runs 2 --seed 9 --planner scripted`" in text
    assert "| unknown_tool | 2 | 1 |" in text
    assert "| unplanned_tool_blocked | 1 |" in text
    assert "- `soak-9-scripted-1: unauthorised call: s1.1 'x'\N{REPLACEMENT CHARACTER}[2J`" in text
    assert "Planwarden 1.2.3" in text
