"""What is left of a summary once what its run said is erased."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.summary import RunSummary, SummarisedCall
from planwarden.journal.erasure import UNKNOWN_TOOL, Chosen, summary_left

pytestmark = pytest.mark.requirement("KEEP-2")

AT = datetime(2026, 5, 4, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64
NAMES = st.text(min_size=1, max_size=12)


def a_summary(tools: list[str]) -> RunSummary:
    return RunSummary(
        run_id="r1",
        tenant="red",
        seq=7,
        status="completed",
        started_at=AT,
        updated_at=AT,
        tools=tuple(dict.fromkeys(tools)),
        calls=tuple(SummarisedCall(tool=tool, status="refused") for tool in tools),
        planner_provider="p",
        planner_model="m",
        agents_model="m",
        catalog_digest=DIGEST,
        policy_digest=DIGEST,
    )


@given(st.lists(NAMES, max_size=8), st.frozensets(NAMES, max_size=8))
def test_only_names_of_the_catalog_stay_and_nothing_else_changes(
    wanted: list[str], known: frozenset[str]
) -> None:
    before = a_summary(wanted)
    left = summary_left(before, seq=8, tools=known)
    assert set(left.tools) <= known | {UNKNOWN_TOOL}
    assert [call.tool for call in left.calls] == [tool if tool in known else UNKNOWN_TOOL for tool in wanted]
    assert (left.seq, left.erased, len(left.tools)) == (8, True, len(set(left.tools)))
    same = {"seq": 7, "erased": False, "tools": before.tools, "calls": before.calls}
    assert left.model_copy(update=same) == before


@pytest.mark.requirement("KEEP-5")
@pytest.mark.parametrize(
    ("over", "owned", "erased", "erasable"),
    [
        (True, False, False, True),
        (False, False, False, False),
        (True, True, False, False),
        (True, False, True, False),
    ],
)
def test_only_a_run_that_is_over_and_free_can_be_erased(
    over: bool, owned: bool, erased: bool, erasable: bool
) -> None:
    run = Chosen(run_id="r1", tenant="red", conversation=None, over=over, owned=owned, erased=erased)
    assert run.erasable is erasable
