"""What every plan memory has to do. An implementation's test class inherits these and opens a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.errors import InputError
from planwarden.planning.memory.port import PlanMemory

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
STEP = RememberedStep(agent="worker", tools=("look",))


def taught(plan_id: str, minute: int = 0, **given: Any) -> RememberedPlan:
    value: dict[str, Any] = {
        "id": plan_id,
        "tenant": "default",
        "request": f"Request {plan_id}",
        "steps": (STEP,),
        "origin": "run",
        "at": NOON + timedelta(minutes=minute),
        "run_id": f"run-{plan_id}",
    }
    return RememberedPlan(**{**value, **given})


def an_example(plan_id: str, minute: int = 0, **given: Any) -> RememberedPlan:
    return taught(plan_id, minute, origin="example", run_id=None, **given)


class PlanMemoryConformance:
    """Inherit, and give `open_memory`."""

    pytestmark = pytest.mark.anyio

    def open_memory(self, folder: Path) -> AbstractAsyncContextManager[PlanMemory]:
        raise NotImplementedError

    @pytest.fixture
    async def memory(self, tmp_path: Path, anyio_backend: str) -> AsyncIterator[PlanMemory]:
        async with self.open_memory(tmp_path) as memory:
            yield memory

    # ---- who may see what ------------------------------------------------------------------------------

    @pytest.mark.requirement("MEM-5")
    async def test_a_recall_gives_the_tenants_own_plans_and_those_of_its_conversation(
        self, memory: PlanMemory
    ) -> None:
        for number, (tenant, conversation) in enumerate(product(("a", "b"), (None, "c1", "c2"))):
            await memory.remember(taught(f"m{number}", number, tenant=tenant, conversation=conversation))
        seen = {
            (tenant, conversation): {
                (plan.tenant, plan.conversation) for plan in await memory.recall(tenant, conversation)
            }
            for tenant, conversation in product(("a", "b", "nobody"), (None, "c1", "c2", "c3"))
        }
        assert seen == {
            (tenant, conversation): set()
            if tenant == "nobody"
            else {(tenant, None)} | ({(tenant, conversation)} if conversation in ("c1", "c2") else set())
            for tenant, conversation in product(("a", "b", "nobody"), (None, "c1", "c2", "c3"))
        }

    @pytest.mark.requirement("MEM-5")
    @pytest.mark.parametrize("near", ["A", "a ", " a", "a%", "_", "%", "*", "a'--", "a\n", "\u0430", ""])
    async def test_a_tenant_or_conversation_of_nearly_the_same_name_sees_nothing(
        self, memory: PlanMemory, near: str
    ) -> None:
        await memory.remember(taught("m1", tenant="a"))
        await memory.remember(taught("m2", tenant="b", conversation="a"))
        assert await memory.recall(near, None) == ()
        assert await memory.recall("b", near) == ()
        assert await memory.listed(near, limit=9) == ()

    @pytest.mark.requirement("MEM-5")
    async def test_the_same_id_in_two_tenants_is_two_plans(self, memory: PlanMemory) -> None:
        await memory.remember(taught("m1", tenant="a", request="Of a"))
        await memory.remember(taught("m1", tenant="b", request="Of b"))
        assert await memory.forget("a", ["m1"]) == 1
        assert await memory.recall("a", None) == ()
        assert [plan.request for plan in await memory.recall("b", None)] == ["Of b"]

    # ---- what comes back -------------------------------------------------------------------------------

    @pytest.mark.requirement("MEM-7")
    async def test_what_was_remembered_comes_back_as_it_was(self, memory: PlanMemory) -> None:
        given = taught(
            "m1",
            conversation="c1",
            request='Ünï\u202e "quoted"',
            repeat_key="sha256:" + "1" * 64,
            steps=(
                STEP,
                RememberedStep(agent=None, tools=("a b",), fallback_tools=("x", "y"), depends_on=(0,)),
            ),
            handoff="parallel",
            way_out="ask_user",
            catalog_digest="sha256:" + "2" * 64,
            policy_digest="sha256:" + "3" * 64,
        )
        assert await memory.recall("default", "c1") == ()
        assert await memory.remember(given)
        assert await memory.recall("default", "c1") == (given,) == await memory.listed("default", limit=9)

    @pytest.mark.requirement("MEM-7")
    async def test_newest_first_those_without_a_time_last(self, memory: PlanMemory) -> None:
        for plan in (taught("m1", 1), an_example("m9", at=None), taught("m3", 3), an_example("m2", 2)):
            await memory.remember(plan)
        for plans in (await memory.recall("default", None), await memory.listed("default", limit=9)):
            assert [plan.id for plan in plans] == ["m3", "m2", "m1", "m9"]
        assert [plan.id for plan in await memory.listed("default", limit=2)] == ["m3", "m2"]

    @pytest.mark.requirement("MEM-7")
    async def test_the_same_lesson_is_kept_once_as_new_as_its_last_time(self, memory: PlanMemory) -> None:
        await memory.remember(taught("m1", 5, run_id="r5"))
        await memory.remember(taught("m2", 6))
        await memory.remember(taught("m1", 9, run_id="r9"))
        await memory.remember(taught("m1", 7, run_id="r7"))
        seen = await memory.recall("default", None)
        assert [(plan.id, plan.run_id) for plan in seen] == [("m1", "r9"), ("m2", "run-m2")]

    @pytest.mark.requirement("MEM-7")
    async def test_a_recall_sees_what_was_added_made_newer_and_forgotten_since_the_last(
        self, memory: PlanMemory
    ) -> None:
        async def ids() -> list[str]:
            return [plan.id for plan in await memory.recall("default", "c1")]

        assert await ids() == []
        await memory.remember(taught("m1", 1))
        assert await ids() == ["m1"]
        await memory.remember(taught("m2", 2, conversation="c1"))
        await memory.remember(taught("m3", 3, conversation="c2"))
        assert await ids() == ["m2", "m1"]
        await memory.remember(taught("m1", 4))
        assert await ids() == ["m1", "m2"]
        await memory.forget("default", ["m1"])
        assert await ids() == ["m2"]
        assert await ids() == ["m2"]

    # ---- forgetting ------------------------------------------------------------------------------------

    @pytest.mark.requirement("MEM-6")
    async def test_a_forgotten_plan_is_gone_and_no_run_that_taught_it_brings_it_back(
        self, memory: PlanMemory
    ) -> None:
        lessons = [taught("m1", 1, run_id="r1"), taught("m1", 2, run_id="r2"), taught("m2", 3)]
        for each in lessons:
            await memory.remember(each)
        assert await memory.forget("default", ["m1", "m1"]) == 1
        for each in lessons[:2]:
            assert not await memory.remember(each)
        assert await memory.rebuild(lessons, begun=NOON + timedelta(days=1)) == 1
        assert [plan.id for plan in await memory.recall("default", None)] == ["m2"]

    @pytest.mark.requirement("MEM-6")
    async def test_a_later_run_of_the_same_request_teaches_it_anew(self, memory: PlanMemory) -> None:
        await memory.remember(taught("m1", 1, run_id="r1"))
        await memory.forget("default", ["m1"])
        assert await memory.remember(taught("m1", 2, run_id="r2"))
        assert [plan.run_id for plan in await memory.recall("default", None)] == ["r2"]

    @pytest.mark.requirement("MEM-6")
    async def test_an_id_that_is_not_there_is_named_and_nothing_is_forgotten(
        self, memory: PlanMemory
    ) -> None:
        with pytest.raises(InputError, match="m9"):
            await memory.forget("default", ["m9"])
        await memory.remember(taught("m1"))
        with pytest.raises(InputError, match="m9"):
            await memory.forget("default", ["m1", "m9"])
        with pytest.raises(InputError, match="m1"):
            await memory.forget("other", ["m1"])
        assert [plan.id for plan in await memory.recall("default", None)] == ["m1"]

    @pytest.mark.requirement("MEM-6")
    async def test_forgetting_a_run_forgets_its_plan_though_other_runs_taught_the_same(
        self, memory: PlanMemory
    ) -> None:
        for run in ("r1", "r2"):
            await memory.remember(taught("m1", 1, run_id=run))
        await memory.remember(taught("m2", 2))
        assert await memory.forget_run("default", "r1") == 1
        assert [plan.id for plan in await memory.recall("default", None)] == ["m2"]
        assert not await memory.remember(taught("m1", 1, run_id="r2"))

    @pytest.mark.requirement("MEM-6")
    async def test_a_run_can_be_forgotten_before_it_taught_anything(self, memory: PlanMemory) -> None:
        assert await memory.forget_run("default", "r1") == 0
        assert not await memory.remember(taught("m1", run_id="r1"))
        assert await memory.remember(taught("m1", run_id="r1", tenant="other"))
        assert await memory.recall("default", None) == ()

    @pytest.mark.requirement("MEM-6")
    async def test_forgetting_all_forgets_one_tenant_and_nothing_of_that_time_comes_back(
        self, memory: PlanMemory
    ) -> None:
        unseen = taught("m5", 5)
        for plan in (taught("m1", 1), an_example("m2", 2), taught("m3", conversation="c1")):
            await memory.remember(plan)
        await memory.remember(taught("m4", 1, tenant="other"))
        assert await memory.forget_all("default", at=NOON + timedelta(minutes=10)) == 3
        assert await memory.listed("default", limit=9) == ()
        assert not await memory.remember(unseen)
        assert await memory.rebuild([unseen, taught("m1", 1)], begun=NOON + timedelta(days=1)) == 0
        assert await memory.remember(taught("m6", 11))
        assert await memory.remember(an_example("m7", 12))
        assert [plan.id for plan in await memory.recall("default", None)] == ["m7", "m6"]

    # ---- filling anew ----------------------------------------------------------------------------------

    @pytest.mark.requirement("MEM-6")
    async def test_a_rebuild_puts_lessons_in_place_of_what_runs_taught_and_leaves_examples(
        self, memory: PlanMemory
    ) -> None:
        begun = NOON + timedelta(minutes=30)
        for plan in (taught("stale", 1), taught("edit", 2, origin="edit"), an_example("mine", 3)):
            await memory.remember(plan)
        await memory.remember(taught("meanwhile", 40))
        count = await memory.rebuild([taught("m1", 5), taught("m2", 6, tenant="other")], begun=begun)
        assert count == 3
        assert [plan.id for plan in await memory.recall("default", None)] == ["meanwhile", "m1", "mine"]
        assert [plan.id for plan in await memory.recall("other", None)] == ["m2"]
