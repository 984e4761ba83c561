"""Free execution: the model asks natively, the session judges, the model is told, and it answers."""

from __future__ import annotations

import pytest
from door import a_step
from free_kit import NONE, Caller, driven, exchanges, fell, free_stage, names, told

from planwarden.contracts.plan import CallBinding, LiteralValue, PlannedAgentStep, ResultReference
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import ModelUnavailable
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM, asking
from planwarden.testing.stage import plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("FREE-1")]

LOOK = asking(("look", {}))


def offered(llm: Caller) -> list[list[str]]:
    return [[tool.name for tool in request.tools] for request in llm.work]


async def test_a_model_calls_its_planned_tools_in_turn_and_answers_from_what_they_returned() -> None:
    llm = Caller(LOOK, asking(("typed", {"text": "this"}), text="Now the other."), "It is 7 [s1.2].")
    stage, ran = free_stage(
        llm, tools=(CannedTool("look", {"text": "seen"}), CannedTool("typed", {"n": 7}, parameters=ONE_TEXT)),
        agents=(AgentSpec(name="worker", description="W", instruction="Be brief.", tools=("look", "typed")),),
    )  # fmt: skip
    state = await driven(stage, a_step("look", "typed"))
    assert [(each.tool, each.arguments) for each in ran] == [("look", {}), ("typed", {"text": "this"})]
    answer = state.steps["s1"].answer
    assert answer is not None
    assert (answer.text, answer.evidence, answer.unsupported_numbers) == ("It is 7 [s1.2].", ("s1.2",), ())
    assert (state.status, state.adherence, state.deviations, fell(state)) == ("completed", 1.0, (), None)
    assert offered(llm) == [["look"], ["look", "typed"], ["look", "typed"]]
    last = llm.work[-1].messages
    assert last[0].content.startswith("Be brief. Work on the request")
    assert [message.role for message in last] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert told(llm.work[-1]) == ["[s1.1] seen", '[s1.2] {"n": 7}']
    assert [(m.answers.tool, m.answers.id) for m in last if m.answers] == [
        ("look", "call_1"),
        ("typed", "call_1"),
    ]
    assert last[4].content == "Now the other."
    recorded = await exchanges(stage, state.run_id)
    assert [each.purpose for each in recorded] == ["work"] * 3
    assert [each.offered_tools for each in recorded] == [("look",), ("look", "typed"), ("look", "typed")]
    assert [each.tool_requests for each in recorded] == [*(r.tool_requests for r in (LOOK, asking(("typed", {"text": "this"})))), ()]  # fmt: skip  # noqa: E501


async def test_several_requests_of_one_turn_are_carried_out_in_their_order() -> None:
    llm = Caller(asking(("look", {}), ("typed", {"text": "a"}), ("typed", {"text": "b"})), "Done.")
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("look", "typed"))
    assert [each.arguments for each in ran] == [{}, {"text": "a"}, {"text": "b"}]
    assert told(llm.work[-1]) == ["[s1.1] look says so", "[s1.2] typed says so", "[s1.3] typed says so"]
    assert (state.status, state.adherence) == ("completed", 1.0)


async def test_a_request_without_arguments_text_is_one_without_arguments() -> None:
    stage, ran = free_stage(Caller(asking(("look", " ")), "Done."))
    state = await driven(stage, a_step("look"))
    assert ([each.arguments for each in ran], state.deviations) == ([{}], ())


async def test_a_refusal_is_told_to_the_model_which_may_do_better() -> None:
    llm = Caller(asking(("typed", {"text": 5}), ("save", {})), asking(("typed", {"text": "x"})), "Done.")
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("typed"))
    assert [each.arguments for each in ran] == [{"text": "x"}]
    assert told(llm.work[1]) == [
        "refused (argument_rejected): text: 5 is not of type 'string'",
        "refused (unplanned_tool_blocked): 'save' is not planned for step 's1' (planned: typed)",
    ]
    assert [d.kind for d in state.deviations] == ["argument_rejected", "unplanned_tool_blocked"]
    assert (state.status, fell(state)) == ("completed", None)


async def test_a_fallback_is_offered_once_a_planned_tool_failed_and_may_then_be_called() -> None:
    llm = Caller(asking(("seek", {})), asking(("spare", {})), "Done.")
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("seek", fallback=("spare", "spare2")))
    assert names(ran) == ["seek", "spare"]
    assert offered(llm) == [["seek"], ["seek", "spare"], ["seek", "spare"]]
    assert told(llm.work[1]) == ["[s1.1] failed (error): it is broken. Mend it."]
    assert [d.kind for d in state.deviations] == ["tool_failed", "fallback_used"]
    assert (state.status, state.adherence) == ("completed", 0.0)


async def test_a_tool_that_reads_may_be_called_again_and_one_with_an_effect_is_not_offered_twice() -> None:
    llm = Caller(asking(("look", {}), ("look", {})), asking(("save", {})), "Done.")
    stage, ran = free_stage(llm)
    await driven(stage, a_step("look", "save"))
    assert names(ran) == ["look", "look", "save"]
    assert offered(llm) == [["look"], ["look", "save"], ["look"]]


async def test_nothing_is_offered_when_the_budget_of_calls_is_spent() -> None:
    llm = Caller(asking(("look", {}), ("look", {})), "Done.")
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("look"), max_calls_per_step=2)
    assert (offered(llm), len(ran), state.status) == ([["look"], []], 2, "completed")


async def test_what_the_plan_binds_is_not_offered_and_cannot_be_written_over() -> None:
    llm = Caller(asking(("typed", {"text": "mine"})), "Done.")
    stage, ran = free_stage(llm)
    binding = CallBinding(tool="typed", arguments={"text": LiteralValue(value="bound")})
    state = await driven(
        stage, PlannedAgentStep(id="s1", agent="worker", tools=("typed",), bindings=(binding,))
    )
    assert [each.arguments for each in ran] == [{"text": "bound"}]
    (schema,) = (tool.parameters for tool in llm.work[0].tools)
    assert (schema["properties"], schema["required"]) == ({}, [])
    assert state.status == "completed"


async def test_a_binding_that_cannot_be_evaluated_fails_the_step() -> None:
    reference = ResultReference(step="s1", tool="look", pointer="/nowhere")
    step = PlannedAgentStep(
        id="s2", agent="worker", tools=("typed",), depends_on=("s1",),
        bindings=(CallBinding(tool="typed", arguments={"text": reference}),),
    )  # fmt: skip
    stage, ran = free_stage(Caller(LOOK, "Done.", asking(("typed", {}))))
    state = await stage.orchestrator().route_task(Task(prompt="Do it."), plan_of(a_step("look"), step))
    assert (names(ran), state.ended and state.ended.code) == (["look"], "binding_failed")


async def test_a_long_result_is_cut_with_a_note_and_the_record_keeps_all_of_it() -> None:
    llm = Caller(LOOK, "Done.")
    tools = (CannedTool("look", {"text": "x" * 5_000}),)
    agent = AgentSpec(name="worker", description="Works", tools=("look",))
    stage, _ = free_stage(llm, tools=tools, agents=(agent,))
    state = await driven(stage, a_step("look"))
    (said,) = told(llm.work[1])
    assert said == "[s1.1] " + "x" * 1_500 + "… (cut: the first 1500 of 5000 characters)"
    assert state.calls[0].value == {"text": "x" * 5_000}


async def test_many_results_share_one_budget_of_characters() -> None:
    llm = Caller(asking(*[("look", NONE)] * 8), "Done.")
    agent = AgentSpec(name="worker", description="Works", tools=("look",))
    stage, _ = free_stage(llm, tools=(CannedTool("look", {"text": "x" * 5_000}),), agents=(agent,))
    await driven(stage, a_step("look"))
    assert sum(map(len, told(llm.work[1]))) < 6_600


async def test_a_call_that_needs_a_person_waits_and_the_same_call_runs_once_approved() -> None:
    rules = (Rule(name="ask", says="ask", tools=("save",)), Rule(name="rest", says="allow", tools=("*",)))
    llm = Caller(asking(("look", {}), ("save", {}), ("look", {})), "Saved [s1.2].")
    stage, ran = free_stage(llm, policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    waiting = await driven(stage, a_step("look", "save"))
    assert (waiting.status, names(ran), len(llm.work)) == ("waiting", ["look"], 1)
    state = await stage.orchestrator().resolve(waiting.run_id, "approve", by="ann")
    assert (state.status, names(ran), len(llm.work)) == ("completed", ["look", "save", "look"], 2)
    assert told(llm.work[1]) == ["[s1.1] look says so", "[s1.2] save says so", "[s1.3] look says so"]
    assert state.deviations == ()


async def test_a_call_that_a_person_refuses_fails_the_step_as_it_does_directed() -> None:
    rules = (Rule(name="ask", says="ask", tools=("*",)),)
    llm = Caller(asking(("save", {}), ("save", {})), "Done.")
    stage, ran = free_stage(llm, policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    waiting = await driven(stage, a_step("save", fallback=("spare",)))
    state = await stage.orchestrator().resolve(waiting.run_id, "deny", by="ann")
    assert (ran, state.status, state.ended and state.ended.code) == ([], "failed", "approval_denied")


async def test_an_approved_call_that_policy_denies_by_now_is_refused_and_costs_no_other_request() -> None:
    rules = (Rule(name="ask", says="ask", tools=("save",)), Rule(name="rest", says="allow", tools=("*",)))
    llm = Caller(asking(("save", {}), ("look", {})), "Done.")
    stage, ran = free_stage(llm, policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    waiting = await driven(stage, a_step("save", "look"))
    deny = (Rule(name="no", says="deny", tools=("save",)), Rule(name="rest", says="allow", tools=("*",)))
    stage.policy = ToolPolicy(agents={"worker": AgentPolicy(rules=deny)})
    state = await stage.orchestrator().resolve(waiting.run_id, "approve", by="ann")
    assert (ran, state.ended and state.ended.code) == ([], "policy_denied")
    assert state.steps["s1"].turns[0].outcomes == ("s1.1",)


async def test_when_every_planned_tool_failed_an_answer_is_a_tool_first_violation() -> None:
    stage, ran = free_stage(Caller(asking(("seek", {})), "I know it anyway."))
    state = await driven(stage, a_step("seek"))
    assert (names(ran), state.status) == (["seek"], "failed")
    assert state.ended is not None
    assert state.ended.code == "tool_first_policy_violation"
    assert state.steps["s1"].answer is None


async def test_a_model_that_is_down_while_planned_tools_are_left_fails_the_step() -> None:
    down = ModelUnavailable("Nothing answers.", remedy="Start it.")
    stage, ran = free_stage(Caller(LOOK, down))
    state = await driven(stage, a_step("look", "typed"))
    assert (names(ran), state.ended and state.ended.code, fell(state)) == (
        ["look"],
        "model_unavailable",
        None,
    )


async def test_a_model_that_is_down_when_only_the_answer_is_left_leaves_the_evidence_to_directed() -> None:
    def gone(request: LLMRequest) -> LLMReply | ModelUnavailable:
        first = request.tools and request.messages[-1].role != "tool"
        return LOOK if first else ModelUnavailable("Nothing answers.", remedy="Start it.")

    stage, ran = free_stage(FunctionLLM(gone, calls_tools=True))
    state = await driven(stage, a_step("look"))
    assert (names(ran), state.status, fell(state)) == (["look"], "completed", "no_usable_reply")
    answer = state.steps["s1"].answer
    assert answer is not None
    assert (answer.style, answer.rendered_because, answer.evidence) == (
        "evidence",
        "model_unavailable",
        ("s1.1",),
    )


async def test_the_token_budget_of_a_run_ends_a_free_step_too() -> None:
    stage, ran = free_stage(Caller(LOOK))
    state = await driven(stage, a_step("look"), max_tokens=2)
    assert (state.ended and state.ended.code, len(ran)) == ("budget_exceeded", 2)


async def test_earlier_turns_of_the_conversation_and_answers_built_on_reach_a_free_step() -> None:
    llm = Caller(LOOK, "First.", LOOK, "Second.")
    stage, _ = free_stage(llm)
    plan = plan_of(
        a_step("look"), PlannedAgentStep(id="s2", agent="worker", tools=("look",), depends_on=("s1",))
    )
    task = Task(prompt="And now?", exchanges=(Exchange(role="user", content="Earlier words"),))
    state = await stage.orchestrator().route_task(task, plan)
    assert state.status == "completed"
    assert "Earlier words" in llm.work[0].messages[1].content
    assert "Known from earlier steps:\nFirst." in llm.work[2].messages[2].content


async def test_an_agent_of_the_catalog_says_how_it_works_and_else_the_setting_does() -> None:
    for own, setting, expected in (
        ("free", "directed", "free"),
        ("directed", "free", "directed"),
        (None, "free", "free"),
        (None, "directed", "directed"),
    ):
        llm = Caller(LOOK, "Done.")
        agent = AgentSpec(name="worker", description="Works", tools=("look",), execution=own)  # type: ignore[arg-type]
        stage, _ = free_stage(llm, tools=(CannedTool("look"),), agents=(agent,))
        stage.agent_settings = AgentSettings(execution=setting)  # type: ignore[arg-type]
        state = await driven(stage, a_step("look"))
        assert (state.steps["s1"].execution, state.status) == (expected, "completed")
        assert bool(llm.work) is (expected == "free")


async def test_how_a_step_began_is_pinned_in_its_record() -> None:
    rules = (Rule(name="ask", says="ask", tools=("*",)),)
    llm = Caller(LOOK, "Freely.")
    stage, _ = free_stage(llm, policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    waiting = await driven(stage, a_step("look"))
    stage.agent_settings = AgentSettings(execution="directed")
    state = await stage.orchestrator().resolve(waiting.run_id, "approve", by="ann")
    assert (state.steps["s1"].execution, state.steps["s1"].answer and state.steps["s1"].answer.text) == (
        "free",
        "Freely.",
    )


async def test_a_plan_has_the_same_digest_however_its_steps_are_executed() -> None:
    digests: set[str] = set()
    for execution in ("directed", "free"):
        stage, _ = free_stage(Caller(LOOK, "Done."))
        stage.agent_settings = AgentSettings(execution=execution)
        state = await driven(stage, a_step("look"))
        assert state.decision is not None
        assert state.decision.plan is not None
        digests.add(state.decision.plan.digest())
    assert len(digests) == 1


async def test_a_step_without_tools_is_answered_as_ever() -> None:
    agent = AgentSpec(name="worker", description="Works", may_answer_without_tools=True)
    llm = Caller(LLMReply(text="never asked", usage=asking().usage))
    stage, _ = free_stage(llm, agents=(agent,), tools=())
    state = await driven(stage, a_step())
    assert (state.steps["s1"].execution, state.status, llm.work) == ("directed", "completed", [])


async def test_a_request_with_half_a_character_pair_is_recorded_and_refused() -> None:
    stage, ran = free_stage(Caller(asking(("lo\ud83dok", '{"a": "\ud83d"}')), LOOK, "Half \ud83d."))
    state = await driven(stage, a_step("look"))
    assert (names(ran), state.status) == (["look"], "completed")
    assert [refused.tool for refused in state.steps["s1"].refused] == ["lo?ok"]
