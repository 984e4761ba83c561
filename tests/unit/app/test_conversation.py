"""Which runs are a task's earlier turns, and how agents are told of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from planwarden.app.conversation import MAX_TURNS, with_earlier_turns
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.facts import (
    Fact,
    ModelAnswered,
    PlanDecided,
    RunEnded,
    RunOutcome,
    RunStarted,
    StepAnswered,
)
from planwarden.contracts.model import Message, ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import PromptTooLong
from planwarden.journal.memory import MemoryJournal
from planwarden.journal.port import Owner
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock

pytestmark = pytest.mark.anyio

MODEL = ModelIdentity(provider="p", model="m")
DIGEST = "sha256:" + "0" * 64
ME = Owner(id="me", host="here", pid=1)
ASKED = Task(prompt="And now?", conversation="talk")


class Past:
    """A journal with runs of before."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(TickingClock(), CountingIds(), is_dead=lambda _: False)
        self._runs = 0

    async def run(
        self,
        prompt: str,
        outcome: RunOutcome | None = "completed",
        *,
        answer: str | None = "done",
        conversation: str | None = "talk",
        tenant: str = "default",
    ) -> None:
        task = Task(prompt=prompt, conversation=conversation, tenant=tenant)
        step = PlannedAgentStep(id="s1", agent="finance_agent", tools=("finance.snapshot",))
        facts: list[Fact] = [
            RunStarted(
                task=task,
                planner=MODEL,
                agents=MODEL,
                catalog_digest=DIGEST,
                policy_digest=DIGEST,
                planwarden_version="0",
            ),
            PlanDecided(decision=PlanDecision(plan=plan_of(step))),
        ]
        if answer is not None:
            facts.append(
                StepAnswered(step="s1", answer=StepAnswer(text=answer, style="evidence", grounded=True))
            )
        if outcome is not None:
            facts.append(RunEnded(outcome=outcome, code="x", message="a tool read hunter2"))
        self._runs += 1
        await self.journal.create(f"r{self._runs}", tenant, ME, facts)

    async def before(self, task: Task = ASKED, *, context_tokens: int = 4_096) -> Task:
        return await with_earlier_turns(task, self.journal, context_tokens=context_tokens)


def said(exchanges: Sequence[Exchange]) -> list[str]:
    return [exchange.content for exchange in exchanges]


@pytest.mark.requirement("CNV-1")
async def test_requests_and_answers_of_the_same_conversation_and_tenant_are_told_oldest_first() -> None:
    past = Past()
    await past.run("one", answer="1")
    await past.run("else", conversation="other")
    await past.run("alone", conversation=None)
    await past.run("foreign", tenant="rival")
    await past.run("two", "asked", answer="2?")
    task = await past.before()
    assert said(task.exchanges) == ["one", "1", "two", "2?"]
    assert [exchange.role for exchange in task.exchanges] == ["user", "assistant"] * 2
    assert (await past.before(Task(prompt="x"))).exchanges == ()
    foreign = await past.before(Task(prompt="x", conversation="talk", tenant="rival"))
    assert said(foreign.exchanges) == ["foreign", "done"]


@pytest.mark.requirement("CNV-1")
@pytest.mark.parametrize("outcome", ["failed", "refused", "cancelled"])
async def test_a_run_without_a_good_answer_is_told_with_its_outcome_and_nothing_of_its_error(
    outcome: RunOutcome,
) -> None:
    past = Past()
    await past.run("Do it", outcome, answer=None)
    assert said((await past.before()).exchanges) == ["Do it", f"(No answer: {outcome}.)"]


@pytest.mark.requirement("CNV-1")
async def test_a_run_that_is_not_over_is_not_told() -> None:
    past = Past()
    await past.run("one")
    await past.run("two", None)
    assert said((await past.before()).exchanges) == ["one", "done"]


@pytest.mark.requirement("CNV-1")
async def test_exchanges_that_a_task_brings_are_kept_as_they_are() -> None:
    past = Past()
    await past.run("one")
    brought = ASKED.model_copy(update={"exchanges": (Exchange(role="user", content="mine"),)})
    assert await past.before(brought) == brought


@pytest.mark.requirement("CNV-1")
async def test_what_no_context_could_hold_is_counted_as_left_out() -> None:
    past = Past()
    for number in range(10):
        await past.run(f"{number}", answer="x" * 1_000)
    task = await past.before(context_tokens=512)
    assert len(task.exchanges) // 2 + task.turns_left_out == 10
    assert task.exchanges[-2].content == "9"
    assert 0 < task.turns_left_out < 10


@pytest.mark.requirement("CNV-1")
async def test_of_a_very_long_conversation_only_the_newest_runs_are_read() -> None:
    past = Past()
    for number in range(MAX_TURNS + 3):
        await past.run(f"{number}")
    task = await past.before()
    assert (len(task.exchanges), task.turns_left_out) == (2 * MAX_TURNS, 3)


AGENT = AgentSpec(name="general_agent", description="Anything", may_answer_without_tools=True)


async def exchanges_of(llm: ScriptedLLM, task: Task) -> list[ModelAnswered]:
    stage = Stage(agents=(AGENT,), tools={}, agent_llm=llm)
    step = PlannedAgentStep(id="s1", agent="general_agent")
    plan = plan_of(step)
    declared = plan.model_copy(
        update={"metadata": plan.metadata.model_copy(update={"way_out": "answer_without_tools"})}
    )
    state = await stage.orchestrator().route_task(task, declared)
    assert state.status == "completed"
    events = await stage.record.read(state.run_id)
    return [event.fact for event in events if isinstance(event.fact, ModelAnswered)]


EARLIER = tuple(
    Exchange(role="assistant" if place % 2 else "user", content=f"said {place}") for place in range(8)
)


@pytest.mark.requirement("RUN-21")
async def test_an_agent_is_told_the_earlier_turns_after_its_instruction() -> None:
    with ScriptedLLM("Hello.") as llm:
        (answered,) = await exchanges_of(llm, Task(prompt="And now?", exchanges=EARLIER))
    system, *told, asked = llm.requests[0].messages
    assert system.role == "system"
    assert told == [Message(role=each.role, content=each.content) for each in EARLIER]
    assert asked.content.endswith("And now?")
    assert answered.exchange.turns_left_out == 0


@pytest.mark.requirement("RUN-21")
async def test_when_the_server_finds_them_too_long_the_older_half_is_dropped_until_it_fits() -> None:
    too_long = PromptTooLong("Too long.", remedy="Shorten it.")
    task = Task(prompt="And now?", exchanges=EARLIER, turns_left_out=1)
    with ScriptedLLM(too_long, too_long, too_long, "Hello.") as llm:
        answered = await exchanges_of(llm, task)
    assert [len(request.messages) for request in llm.requests] == [10, 6, 4, 2]
    assert [fact.exchange.turns_left_out for fact in answered] == [1, 3, 4, 5]
