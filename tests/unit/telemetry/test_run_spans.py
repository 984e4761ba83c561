"""A run as spans: the tree, the names of the conventions, and not a word of content."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.trace import SpanKind, StatusCode

from planwarden.contracts.model import ModelIdentity, ModelUsage
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.errors import ModelTimedOut, ReplyIncomplete, ToolFailed
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.llm.wrappers.traced import TracedLLM
from planwarden.telemetry.logs import hide_secrets
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.failing_journal import FailingJournal
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of
from planwarden.tools.function import tool
from planwarden.tools.tool import ToolContext
from traces_kit import CALLER, everything_in, in_memory, noted, parent_of, place

pytestmark = pytest.mark.anyio

ASKED, ARGUMENT, FOUND, SAID = "ask-4711", "argument-4711", "found-4711", "said-4711"
"""Words that stand in prompt, arguments, result and reply, and nowhere else."""
KNOWN = {
    value
    for module in (gen_ai_attributes, error_attributes, server_attributes)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}


def mind(request: LLMRequest) -> str:
    """Plan, fill in, answer."""
    schema = json.dumps(request.output_schema or {})
    if '"plan"' in schema:
        return json.dumps({"plan": ["look"]})
    return json.dumps({"text": ARGUMENT}) if request.output_schema else f"It is {SAID} [s1.1]."


def power_cut() -> None:
    raise ConnectionResetError


def a_stage(*results: Any, **given: Any) -> Stage:
    look = CannedTool("look", *results or ({"text": FOUND},), parameters=ONE_TEXT)
    agents = (AgentSpec(name="worker", description="Works", tools=("look",)),)
    given.setdefault("agent_llm", FunctionLLM(mind))
    return Stage(agents=agents, tools={"look": look}, planner_llm=FunctionLLM(mind), **given)


class ServerLLM(FunctionLLM):
    """Says that it is a server whose address holds more than an address."""

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(provider="openai", model="m", endpoint="https://user:pw@models.example/v1?key=k")


STEP = PlannedAgentStep(id="s1", agent="worker", tools=("look",))


@pytest.mark.requirement("TRC-1")
async def test_a_run_is_a_tree_of_run_plan_step_tool_call_and_model_call() -> None:
    traced = in_memory()
    state = await a_stage(tracing=traced.tracing).orchestrator().route_task(Task(prompt=ASKED))
    run, plan, step, call = (
        traced.spans[name] for name in ("invoke_workflow", "plan", "invoke_agent worker", "execute_tool look")
    )
    chats = traced.named("chat function")
    assert len(traced.exporter.get_finished_spans()) == 7
    assert [parent_of(span) for span in (run, plan, step, call)] == [
        None,
        place(run)[1],
        place(run)[1],
        place(step)[1],
    ]
    assert [parent_of(chat) for chat in chats] == [place(plan)[1], place(step)[1], place(step)[1]]
    assert {place(span)[0] for span in traced.exporter.get_finished_spans()} == {f"{1:032x}"}
    assert {span.kind for span in (run, plan, step, call)} == {SpanKind.INTERNAL}
    assert {chat.kind for chat in chats} == {SpanKind.CLIENT}
    assert (
        noted(run).items()
        >= {
            "gen_ai.operation.name": "invoke_workflow",
            "planwarden.run.id": state.run_id,
            "planwarden.run.status": "completed",
            "planwarden.run.adherence": 1.0,
            "planwarden.run.model_calls": 3,
            "planwarden.run.tool_calls": 1,
        }.items()
    )
    assert (
        noted(plan).items()
        >= {
            "gen_ai.operation.name": "plan",
            "planwarden.plan.source": "planner",
            "planwarden.plan.steps": 1,
            "planwarden.plan.tools": ("look",),
        }.items()
    )
    assert (
        noted(step).items()
        >= {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "worker",
            "planwarden.step.id": "s1",
            "planwarden.step.status": "answered",
        }.items()
    )
    assert noted(call) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "s1.1",
        "planwarden.run.id": state.run_id,
        "planwarden.tool.effect": "read",
    }
    assert {span.status.status_code for span in traced.exporter.get_finished_spans()} == {StatusCode.UNSET}


@pytest.mark.requirement("TRC-1")
async def test_a_model_call_has_model_provider_knobs_tokens_and_server() -> None:
    traced = in_memory()
    usage = ModelUsage(prompt_tokens=100, cached_tokens=60, output_tokens=12)
    llm = TracedLLM(ServerLLM(lambda _: LLMReply(text="{}", usage=usage)), traced.tracing.tracer)
    await llm.complete(
        LLMRequest(messages=(), output_schema={"type": "object"}, temperature=0.2, max_output_tokens=50)
    )
    assert noted(traced.spans["chat m"]) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.seed": 7,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "m",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.output_tokens": 12,
        "server.address": "models.example",
        "server.port": 443,
    }


@pytest.mark.requirement("TRC-1")
@pytest.mark.parametrize("content", [False, True])
async def test_every_name_is_the_conventions_or_says_that_it_is_ours(content: bool) -> None:
    traced = in_memory(content=content)
    await a_stage(tracing=traced.tracing).orchestrator().route_task(Task(prompt=ASKED, conversation="c1"))
    names = {name for span in traced.exporter.get_finished_spans() for name in noted(span)}
    assert {name for name in names if not name.startswith("planwarden.")} <= KNOWN
    assert "gen_ai.conversation.id" in names


@pytest.mark.requirement("TRC-2")
@pytest.mark.parametrize("result", [{"text": FOUND}, ToolFailed(FOUND, remedy=FOUND), RuntimeError(FOUND)])
async def test_no_word_of_prompt_arguments_result_reply_or_error_is_in_a_span(result: Any) -> None:
    traced = in_memory()
    await a_stage(result, tracing=traced.tracing).orchestrator().route_task(Task(prompt=ASKED))
    told = everything_in(traced.exporter.get_finished_spans())
    assert "execute_tool look" in told
    assert [word for word in (ASKED, ARGUMENT, FOUND, SAID) if word in told] == []


@pytest.mark.requirement("TRC-2")
async def test_an_error_of_a_model_leaves_its_code_and_tokens_and_not_its_message() -> None:
    traced = in_memory()
    cut = ReplyIncomplete(SAID, remedy=SAID, prompt_tokens=9, output_tokens=4)
    stage = a_stage(tracing=traced.tracing, agent_llm=FunctionLLM(lambda _: cut))
    await stage.orchestrator().route_task(Task(prompt=ASKED), plan_of(STEP))
    chat, told = traced.named("chat function")[0], everything_in(traced.exporter.get_finished_spans())
    assert noted(chat)["error.type"] == "reply_incomplete"
    assert (noted(chat)["gen_ai.usage.input_tokens"], noted(chat)["gen_ai.usage.output_tokens"]) == (9, 4)
    assert (chat.status.status_code, chat.status.description) == (StatusCode.ERROR, "reply_incomplete")
    assert SAID not in told


@pytest.mark.requirement("TRC-2")
async def test_content_is_in_the_spans_where_it_is_asked_for_but_no_secret() -> None:
    traced, key = in_memory(content=True), "hunter2-hunter2-hunter2"
    hide_secrets([key])
    await (
        a_stage({"text": FOUND, "key": key}, tracing=traced.tracing)
        .orchestrator()
        .route_task(Task(prompt=f"{ASKED} {key}"), plan_of(STEP))
    )
    call, chats = noted(traced.spans["execute_tool look"]), traced.named("chat function")
    assert json.loads(call["gen_ai.tool.call.arguments"]) == {"text": ARGUMENT}
    assert json.loads(call["gen_ai.tool.call.result"]) == {"text": FOUND, "key": "…"}
    asked = json.loads(noted(chats[0])["gen_ai.input.messages"])
    assert [message["role"] for message in asked] == ["system", "user"]
    assert ASKED in asked[-1]["parts"][0]["content"]
    (answer,) = json.loads(noted(chats[1])["gen_ai.output.messages"])
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": f"It is {SAID} [s1.1]."}],
        "finish_reason": "stop",
    }
    assert key not in everything_in(traced.exporter.get_finished_spans())


# ---- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.requirement("TRC-3")
async def test_what_fails_says_so_by_a_code_on_call_step_and_run() -> None:
    traced = in_memory()
    stage = a_stage(ToolFailed("down.", remedy="x"), tracing=traced.tracing)
    state = await stage.orchestrator().route_task(Task(prompt=ASKED), plan_of(STEP))
    assert state.ended is not None
    step = state.steps["s1"]
    codes = {name: noted(span).get("error.type") for name, span in traced.spans.items()}
    assert codes["execute_tool look"] == "error"
    assert codes["invoke_agent worker"] == step.failure_code == "tool_first_policy_violation"
    assert codes["invoke_workflow"] == state.ended.code
    assert noted(traced.spans["invoke_workflow"])["planwarden.run.deviations"] == tuple(
        each.kind for each in state.deviations
    )


@pytest.mark.requirement("TRC-3")
async def test_a_model_that_fails_twice_is_two_failed_calls_in_the_plan() -> None:
    traced = in_memory()
    stage = a_stage(tracing=traced.tracing)
    stage.planner_llm = FunctionLLM(lambda _: ModelTimedOut("late.", remedy="x"))
    await stage.orchestrator().plan_task(Task(prompt=ASKED))
    assert noted(traced.spans["chat function"])["error.type"] == "model_timed_out"
    assert noted(traced.spans["plan"])["planwarden.plan.refusals"][0] == "constrained_output:model_timed_out"


@pytest.mark.requirement("TRC-3")
async def test_refused_calls_have_no_span_and_are_told_on_their_step_by_kind_alone() -> None:
    traced = in_memory()
    said = iter(['{"text": 1}', json.dumps({"text": ARGUMENT})])
    stage = a_stage(
        tracing=traced.tracing,
        agent_llm=FunctionLLM(lambda request: next(said) if request.output_schema else "Done [s1.1]."),
    )
    await stage.orchestrator().route_task(Task(prompt=ASKED), plan_of(STEP))
    assert noted(traced.spans["invoke_agent worker"])["planwarden.step.refusals"] == ("argument_rejected",)
    assert len(traced.named("execute_tool look")) == 1


@pytest.mark.requirement("TRC-3")
async def test_a_step_that_runs_out_of_time_ends_its_open_spans_as_cancelled() -> None:
    traced = in_memory()

    @tool(name="look", effect="read")
    async def look(text: str) -> str:
        """Wait."""
        await anyio.sleep_forever()
        return text

    stage = a_stage(tracing=traced.tracing)
    stage.tools = {"look": look}
    limits = TaskLimits(max_wall_s=1.0)
    await stage.orchestrator().route_task(Task(prompt=ASKED, limits=limits), plan_of(STEP))
    assert noted(traced.spans["execute_tool look"])["error.type"] == "CancelledError"
    assert noted(traced.spans["invoke_workflow"])["planwarden.run.status"] == "failed"


# ---- context ---------------------------------------------------------------------------------------


@pytest.mark.requirement("TRC-4")
async def test_a_run_goes_on_in_the_trace_of_whoever_asked_and_stores_its_own_place() -> None:
    traced = in_memory()
    stage = a_stage(tracing=traced.tracing)
    task = Task(prompt=ASKED, traceparent=CALLER)
    state = await stage.orchestrator().route_task(task, plan_of(STEP))
    run = traced.spans["invoke_workflow"]
    assert (place(run)[0], parent_of(run)) == ("c" * 32, "d" * 16)
    assert state.traces == (f"00-{'c' * 32}-{place(run)[1]}-01",)
    await stage.orchestrator().plan_task(task)
    assert (place(traced.spans["plan"])[0], parent_of(traced.spans["plan"])) == ("c" * 32, "d" * 16)


@pytest.mark.requirement("TRC-4")
async def test_a_trace_that_nobody_samples_is_not_recorded_but_carried_on() -> None:
    traced = in_memory()
    stage = a_stage(tracing=traced.tracing)
    state = await stage.orchestrator().route_task(
        Task(prompt=ASKED, traceparent=CALLER[:-1] + "0"), plan_of(STEP)
    )
    assert traced.exporter.get_finished_spans() == ()
    assert state.traces[0].startswith(f"00-{'c' * 32}-")
    assert state.traces[0].endswith("-00")


@pytest.mark.requirement("TRC-4")
@pytest.mark.parametrize(
    "wrong",
    ["", "x", CALLER + "\n", CALLER.replace("00-", "ff-", 1), f"00-{'0' * 32}-{'d' * 16}-01", CALLER.upper()],
)
def test_a_task_takes_only_a_place_in_a_trace_for_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="traceparent"):
        Task(prompt=ASKED, traceparent=wrong)


@pytest.mark.requirement("TRC-5")
@pytest.mark.parametrize("caller", [None, CALLER])
async def test_a_resumed_run_stays_in_its_trace_and_links_to_all_who_had_it_before(
    caller: str | None,
) -> None:
    first, second = in_memory(), in_memory()
    stage = a_stage(tracing=first.tracing)
    journal = stage.record
    stage.journal = FailingJournal(journal, at=6, when="before", strike=power_cut)
    with pytest.raises(ConnectionResetError):
        await stage.orchestrator().route_task(Task(prompt=ASKED, traceparent=caller), plan_of(STEP))
    (run_id,) = [head.run_id for head in await journal.heads(limit=9)]
    stage.journal, stage.tracing = journal, second.tracing
    state = await stage.orchestrator().resume(run_id)
    assert state.status == "completed"
    began, resumed = first.spans["invoke_workflow"], second.spans["invoke_workflow"]
    assert place(resumed)[0] == place(began)[0]
    assert parent_of(resumed) == ("d" * 16 if caller else place(began)[1])
    assert [f"{link.context.span_id:016x}" for link in resumed.links] == [place(began)[1]]
    assert noted(resumed)["planwarden.run.resumed"] is True
    assert [each.split("-")[2] for each in state.traces] == [place(began)[1], place(resumed)[1]]


@pytest.mark.requirement("TRC-6")
async def test_a_tool_is_told_the_place_of_its_call_so_that_it_can_send_it_on() -> None:
    traced, told = in_memory(), list[str | None]()

    @tool(name="look", effect="read")
    def look(text: str, context: ToolContext) -> str:
        """Look."""
        told.append(context.traceparent)
        return text

    stage = a_stage(tracing=traced.tracing)
    stage.tools = {"look": look}
    await stage.orchestrator().route_task(Task(prompt=ASKED), plan_of(STEP))
    trace_id, span_id = place(traced.spans["execute_tool look"])
    assert told == [f"00-{trace_id}-{span_id}-01"]


@pytest.mark.requirement("TRC-7")
async def test_off_nothing_is_traced_and_nothing_of_a_trace_is_stored() -> None:
    stage = a_stage()
    state = await stage.orchestrator().route_task(Task(prompt=ASKED), plan_of(STEP))
    assert state.traces == ()
    assert state.started.traceparent is None
    assert not stage.tracing.on
