"""A model that shows it cannot drive a step: the step goes on directed, and the record says why."""

from __future__ import annotations

import pytest
from door import a_step
from free_kit import DIRECTED_SAYS, FREE, Caller, driven, fell, free_stage, names

from planwarden.audit.render import dossier_markdown
from planwarden.contracts.facts import ExecutionFell
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.turns import FallReason
from planwarden.errors import (
    ModelError,
    ModelTimedOut,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.service import LLMReply
from planwarden.testing.scripted_llm import FunctionLLM, asking

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("FREE-3")]

LOOK = asking(("look", {}))
BAD = asking(("typed", "not json"))
NOTHING = asking(text=" \n")

CUT = ReplyIncomplete("Cut.", remedy="More.")
BROKEN_REPLY = ReplyInvalid("Broken.", remedy="Look.")
TOO_LONG = PromptTooLong("Too long.", remedy="Less.")
NO_TOOLS = ToolCallingUnsupported("It takes no tools.", remedy="Use directed.")
SAVE, SEND, SEEK = asking(("save", {})), asking(("send", {})), asking(("seek", {}))
MANY_BAD = asking(("typed", "{"), ("typed", "[]"), ("typed", {"text": "never carried out"}))
ONE, TWO, SPARED = a_step("look"), a_step("look", "typed"), a_step("seek", fallback=("spare",))

FALLS: dict[str, tuple[FallReason, PlannedAgentStep, tuple[str | LLMReply | ModelError, ...], list[str]]] = {
    "the server refuses tools": ("tool_calling_unsupported", ONE, (NO_TOOLS,), ["look"]),
    "neither a request nor an answer": ("no_usable_reply", ONE, (NOTHING,), ["look"]),
    "nothing to read after a call": ("no_usable_reply", TWO, (LOOK, NOTHING), ["look", "typed"]),
    "cut at its limit": ("no_usable_reply", ONE, (CUT,), ["look"]),
    "not what the protocol promises": ("no_usable_reply", ONE, (BROKEN_REPLY,), ["look"]),
    "a conversation too long for its context": ("no_usable_reply", ONE, (LOOK, TOO_LONG), ["look"]),
    "only unplanned tools in two turns": ("no_planned_tool", ONE, (SAVE, SEND), ["look"]),
    "words, then an unplanned tool": ("no_planned_tool", ONE, ("Hm.", SAVE), ["look"]),
    "two requests that are no JSON": ("malformed_requests", a_step("typed"), (BAD, BAD), ["typed"]),
    "two such in one turn, and more behind": ("malformed_requests", a_step("typed"), (MANY_BAD,), ["typed"]),
    "answers twice without any call": ("answered_early", ONE, ("I know it.",), ["look"]),
    "answers twice with a planned tool left": ("answered_early", TWO, (LOOK, "Known."), ["look", "typed"]),
    "answers twice with a fallback left": ("answered_early", SPARED, (SEEK, "No."), ["seek", "spare"]),
}


@pytest.mark.parametrize("name", list(FALLS))
async def test_a_model_that_shows_it_cannot_goes_on_directed_from_the_calls_already_made(name: str) -> None:
    reason, step, turns, expected = FALLS[name]
    llm = Caller(*turns)
    stage, ran = free_stage(llm)
    state = await driven(stage, step)
    assert (fell(state), names(ran)) == (reason, expected)
    assert (state.status, state.steps["s1"].answer and state.steps["s1"].answer.text) == (
        "completed",
        DIRECTED_SAYS,
    )
    assert len(llm.work) <= 3


async def test_a_model_not_known_to_call_tools_is_never_asked_to() -> None:
    llm = FunctionLLM(lambda request: DIRECTED_SAYS)
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("look"))
    assert (fell(state), names(ran), state.status) == ("tool_calling_unsupported", ["look"], "completed")
    assert [request.tools for request in llm.requests] == [()]
    assert state.steps["s1"].fell is not None
    assert state.steps["s1"].fell.message == "function (function) is not known to call tools"


async def test_an_early_answer_is_sent_back_once_and_may_be_mended() -> None:
    llm = Caller("I know it.", LOOK, "It is so [s1.1].")
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("look"))
    assert (fell(state), names(ran)) == (None, ["look"])
    assert state.steps["s1"].answer is not None
    assert state.steps["s1"].answer.text == "It is so [s1.1]."
    roles = [(message.role, message.content) for message in llm.work[1].messages[-2:]]
    assert roles == [
        ("assistant", "I know it."),
        ("user", "Do not answer yet: the plan of this step uses look. Call what is left of it, then answer."),
    ]


async def test_the_turns_of_a_step_are_limited_and_passing_the_limit_is_a_deviation() -> None:
    llm = Caller(LOOK)
    stage, ran = free_stage(llm)
    state = await driven(stage, a_step("look", "typed"), max_turns_per_step=4, max_calls_per_step=100)
    assert (fell(state), len(llm.work), names(ran)) == ("turn_limit", 4, ["look"] * 4 + ["typed"])
    assert [(d.kind, d.detail) for d in state.deviations] == [
        ("budget_exceeded", "all 4 turns of the step are used")
    ]
    assert state.status == "completed"


async def test_a_model_that_times_out_fails_the_step_and_does_not_fall() -> None:
    stage, _ = free_stage(Caller(ModelTimedOut("Too slow.", remedy="Wait.")))
    state = await driven(stage, a_step("look"))
    assert (state.ended and state.ended.code, fell(state)) == ("model_timed_out", None)


async def test_refusals_before_the_fall_do_not_end_the_directed_part_but_count_for_the_step() -> None:
    turns = (asking(("save", {})), asking(("send", {})))
    stage, ran = free_stage(Caller(*turns))
    state = await driven(stage, a_step("look"))
    assert (names(ran), state.status, len(state.steps["s1"].refused)) == (["look"], "completed", 2)
    stage, ran = free_stage(Caller(*turns))
    state = await driven(stage, a_step("look"), max_refusals_per_step=2)
    assert (ran, fell(state), state.ended and state.ended.code) == ([], None, "unplanned_tool_blocked")


async def fallen() -> tuple[RunState, str, list[str]]:
    stage, _ = free_stage(Caller("I know it."))
    stage.agent_settings = FREE
    state = await driven(stage, a_step("look"))
    dossier = await stage.dossier(state.run_id)
    assert (dossier.steps[0].execution, dossier.steps[0].fell) == (
        "free",
        "answered_early: the model answered 2 times before 'look' was used",
    )
    events = await stage.record.read(state.run_id)
    return state, dossier_markdown(dossier), [event.fact.kind for event in events]


@pytest.mark.requirement("FREE-4")
async def test_the_fall_is_in_the_record_the_dossier_its_page_and_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, page, kinds = await fallen()
    logged = [record.getMessage() for record in caplog.records if "execution_fell" in record.getMessage()]
    assert len(logged) == 1
    assert '"reason": "answered_early"' in logged[0]
    assert kinds.count("execution_fell") == 1
    assert kinds.index("execution_fell") < kinds.index("call_intended")
    assert isinstance(state.steps["s1"].fell, ExecutionFell)
    assert "| s1 | worker | free, then directed (answered_early: the model answered 2 times" in page


@pytest.mark.requirement("FREE-4")
async def test_the_dossier_says_how_a_step_was_executed() -> None:
    stage, _ = free_stage(Caller(LOOK, "Done."))
    state = await driven(stage, a_step("look"))
    dossier = await stage.dossier(state.run_id)
    assert (dossier.steps[0].execution, dossier.steps[0].fell) == ("free", "")
    assert "| s1 | worker | free | answered |" in dossier_markdown(dossier)
    assert [each.exchange.offered_tools for each in dossier.exchanges] == [("look",), ("look",)]
