"""Doctor's examination of a model: a good server passes, and every lie of a bad one is caught."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from planwarden.contracts.finding import Finding
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelTimedOut, ToolCallingUnsupported
from planwarden.llm.examination import ExaminationOptions, examine
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth, ReplyTiming
from planwarden.testing import lying_llm
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.lying_llm import Lie, LyingLLM
from planwarden.testing.obedient_llm import ObedientLLM
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("DR-1")]

NUM_CTX = 1024
OPTIONS = ExaminationOptions(
    prefix="PLANNER_LLM",
    num_ctx=NUM_CTX,
    max_output_tokens=320,
    timeout_s=60,
    needs_probabilities=True,
    thorough=True,
)
Findings = dict[str, Finding]


async def examined(llm: LLMService, options: ExaminationOptions = OPTIONS) -> Findings:
    found = [finding async for finding in examine(llm, options)]
    assert len({finding.check for finding in found}) == len(found)
    for finding in found:
        assert finding.detail
        assert finding.remedy or finding.status in ("ok", "skipped"), finding
    return {finding.check: finding for finding in found}


async def over_the_wire(
    service: LLMService, change: Callable[[FakeOllama], None] = lambda _: None
) -> Findings:
    """Examine what an Ollama server says that has this mind behind it."""
    fake = FakeOllama(service=service)
    change(fake)
    async with fake.serve():
        ollama = await OllamaLLM.connect(
            base_url=fake.url, model="llama3.2:1b", clock=TickingClock(), num_ctx=NUM_CTX
        )
        try:
            return await examined(ollama)
        finally:
            await ollama.aclose()


def figure(finding: Finding, name: str) -> int:
    value = finding.figures[name]
    assert isinstance(value, int)
    return value


def bad(found: Findings) -> set[str]:
    return {name for name, finding in found.items() if finding.status in ("bad", "warning")}


async def test_a_server_that_does_as_it_is_told_passes_with_every_figure() -> None:
    found = await over_the_wire(ObedientLLM(num_ctx=NUM_CTX))
    assert bad(found) == set(), found
    assert [*found] == [
        "reachable", "present", "schema", "probabilities", "output limit", "temperature and seed",
        "context", "full context", "tool calls", "speed",
    ]  # fmt: skip
    assert figure(found["context"], "sent_tokens") > NUM_CTX
    assert figure(found["full context"], "read_tokens") > 0.9 * NUM_CTX
    assert "first words" in found["full context"].detail
    assert found["probabilities"].figures["alternatives"] == 20
    assert found["tool calls"].status == "skipped"
    assert "one sample" in found["speed"].detail


@pytest.mark.parametrize(
    ("lie", "caught", "words"),
    [
        (lying_llm.cuts_prompts(NUM_CTX), {"context"}, "cut"),
        (lying_llm.ignores_schema, {"schema"}, "not held to the JSON schema"),
        (lying_llm.gives_no_alternatives, {"probabilities"}, "without alternatives"),
        (lying_llm.is_always_certain, {"probabilities"}, "more than 1"),
        (lying_llm.ignores_sampling, {"temperature and seed"}, "could not be shown"),
        (lying_llm.ignores_limit, {"output limit"}, "where 8 were allowed"),
    ],
)
async def test_a_lie_of_the_server_is_caught(lie: Lie, caught: set[str], words: str) -> None:
    found = await over_the_wire(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lie))
    assert caught <= bad(found), found
    for name in caught:
        assert words in found[name].detail
        assert found[name].remedy
    assert not {"reachable", "present"} & bad(found)


async def test_a_server_that_lets_the_model_talk_is_blamed_for_that_alone() -> None:
    found = await over_the_wire(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lying_llm.ignores_schema))
    assert {name for name, finding in found.items() if finding.status == "bad"} == {"schema"}
    assert found["temperature and seed"].status == "skipped"
    assert "could not be shown" in found["temperature and seed"].detail


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Why did the gull laugh?", "not JSON"),
        ('{"joke":"Why did the gull laugh?"}', "'joke' was unexpected"),
        ('{"verdict":"zq-maple","codes":["#17"]}', "too short"),
    ],
)
async def test_a_reply_of_another_form_is_caught_however_short_it_is(said: str, words: str) -> None:
    async def lie(inner: LLMService, request: LLMRequest) -> LLMReply:
        reply = await inner.complete(request)
        return replace(reply, text=said) if "joke" in request.messages[0].content else reply

    found = await examined(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lie))
    assert found["schema"].status == "bad"
    assert words in found["schema"].detail


async def test_a_seed_that_is_not_heard_is_caught() -> None:
    found = await over_the_wire(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lying_llm.ignores_seed()))
    assert "two answers at temperature 0 differ" in found["temperature and seed"].detail


async def test_a_prompt_within_the_context_whose_beginning_is_dropped_is_caught_by_its_count() -> None:
    """It refuses what is too long, as it should, and yet reads only half of what fits."""

    async def lie(inner: LLMService, request: LLMRequest) -> LLMReply:
        if lying_llm.prompt_tokens(request) >= NUM_CTX:
            return await inner.complete(request)
        return await lying_llm.cuts_prompts(NUM_CTX // 2)(inner, request)

    found = await examined(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lie))
    assert found["context"].status == "ok"
    assert found["full context"].status == "bad"
    assert "cut silently" in found["full context"].detail


async def test_a_cut_that_the_server_even_miscounts_is_caught_by_the_first_words_changing_nothing() -> None:
    async def lie(inner: LLMService, request: LLMRequest) -> LLMReply:
        if lying_llm.prompt_tokens(request) >= NUM_CTX:
            return await inner.complete(request)
        return await lying_llm.cuts_prompts(NUM_CTX // 2, counts_all=True)(inner, request)

    found = await over_the_wire(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lie))
    assert found["context"].status == "ok"
    assert found["full context"].status == "bad"
    assert "change nothing" in found["full context"].detail


@pytest.mark.parametrize(("counts_all", "words"), [(False, "cut silently"), (True, "change nothing")])
async def test_a_cut_is_caught_also_where_no_adapter_counts_words(counts_all: bool, words: str) -> None:
    lie = lying_llm.cuts_prompts(NUM_CTX, counts_all=counts_all)
    found = await examined(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lie))
    assert found["context"].status == "bad"
    assert words in found["context"].detail


async def test_a_context_smaller_than_promised_is_found_and_bracketed() -> None:
    found = await over_the_wire(ObedientLLM(num_ctx=NUM_CTX // 2))
    full = found["full context"]
    assert full.status == "bad"
    assert (full.figures["fits"], full.figures["refused"]) == (NUM_CTX // 2, NUM_CTX)
    assert full.remedy.endswith(f"export PLANNER_LLM__NUM_CTX={NUM_CTX // 2}")


async def test_a_model_made_for_less_than_the_settings_want_is_said_with_the_line() -> None:
    def shrink(fake: FakeOllama) -> None:
        fake.context_length = 768

    found = await over_the_wire(ObedientLLM(num_ctx=768), shrink)
    assert found["promised context"].status == "warning"
    assert found["promised context"].remedy == "export PLANNER_LLM__NUM_CTX=768"
    assert found["full context"].status == "ok"


async def test_a_load_with_less_room_than_set_is_said() -> None:
    def load(fake: FakeOllama) -> None:
        fake.loaded = ({"name": "llama3.2:1b", "size": 2 * 10**8, "size_vram": 0, "context_length": 512},)

    found = await over_the_wire(ObedientLLM(num_ctx=NUM_CTX), load)
    assert found["loaded context"].status == "bad"
    assert found["loaded context"].remedy == "export PLANNER_LLM__NUM_CTX=512"


async def test_a_context_that_is_larger_than_set_is_no_trouble() -> None:
    found = await examined(_Claiming(ObedientLLM(num_ctx=4 * NUM_CTX), context_tokens=NUM_CTX))
    assert found["context"].status == "ok"
    assert "longer than" in found["context"].detail


async def test_missing_probabilities_trouble_only_the_role_that_needs_them() -> None:
    llm = LyingLLM(ObedientLLM(num_ctx=NUM_CTX), lying_llm.gives_no_probabilities)
    planner = await examined(llm)
    assert planner["probabilities"].status == "warning"
    assert "export PLANNER_LLM__MIN_CONFIDENCE=0" in planner["probabilities"].remedy
    agents = await examined(llm, replace(OPTIONS, prefix="LLM", needs_probabilities=False))
    assert agents["probabilities"].status == "skipped"


async def test_filling_the_context_is_left_out_where_it_would_take_long() -> None:
    async def slow(inner: LLMService, request: LLMRequest) -> LLMReply:
        reply = await inner.complete(request)
        return replace(reply, timing=ReplyTiming(prompt_s=reply.usage.prompt_tokens / 20, output_s=1))

    llm = ObedientLLM(num_ctx=NUM_CTX)
    found = await examined(LyingLLM(llm, slow), replace(OPTIONS, thorough=False))
    assert found["full context"].status == "skipped"
    assert found["full context"].remedy == "planwarden doctor --thorough"
    assert found["speed"].status == "warning"
    assert "20 prompt" in found["speed"].detail
    assert found["speed"].remedy.startswith("export PLANNER_LLM__TIMEOUT_S=")
    assert len(llm.requests) <= 12


async def test_a_full_context_that_outlasts_the_time_out_is_said_with_the_line() -> None:
    async def tired(inner: LLMService, request: LLMRequest) -> LLMReply:
        if NUM_CTX > lying_llm.prompt_tokens(request) > NUM_CTX // 2:
            raise ModelTimedOut("no whole reply within 60 s.", remedy="Raise TIMEOUT_S.")
        return await inner.complete(request)

    found = await examined(LyingLLM(ObedientLLM(num_ctx=NUM_CTX), tired))
    assert found["full context"].status == "warning"
    assert "export PLANNER_LLM__TIMEOUT_S=90" in found["full context"].remedy


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(None, "ok"), ('{"word": 7}', "warning"), ("{", "warning"), ("", "warning")],
)
async def test_native_tool_calls_are_tried_where_the_model_is_said_to_make_them(
    arguments: str | None, status: str
) -> None:
    async def calls(inner: LLMService, request: LLMRequest) -> LLMReply:
        reply = await inner.complete(request)
        if arguments is None or not request.tools:
            return reply
        asked = [each.model_copy(update={"arguments": arguments}) for each in reply.tool_requests]
        return replace(reply, text="I will not.", tool_requests=tuple(asked) if arguments else ())

    llm = ObedientLLM(num_ctx=NUM_CTX, calls_tools=True)
    found = await examined(LyingLLM(llm, calls))
    assert found["tool calls"].status == status


async def test_a_server_that_refuses_tools_is_said_with_what_works_without() -> None:
    async def refuses(inner: LLMService, request: LLMRequest) -> LLMReply:
        if request.tools:
            raise ToolCallingUnsupported("This model takes no tools.", remedy="Use directed execution.")
        return await inner.complete(request)

    found = await examined(LyingLLM(ObedientLLM(num_ctx=NUM_CTX, calls_tools=True), refuses))
    assert found["tool calls"].status == "bad"
    assert "directed" in found["tool calls"].remedy


async def test_a_server_that_fails_every_question_gives_one_finding_and_no_exception() -> None:
    def fail(fake: FakeOllama) -> None:
        fake.fault = "status_500"

    found = await over_the_wire(ObedientLLM(), fail)
    assert [*found] == ["reachable", "present", "answers"]
    assert found["answers"].status == "bad"
    assert found["answers"].remedy


async def test_a_stand_in_is_not_examined_in_the_place_of_the_model() -> None:
    async def other(inner: LLMService, request: LLMRequest) -> LLMReply:
        reply = await inner.complete(request)
        return replace(reply, answered_by=ModelIdentity(provider="embedded", model="small"))

    found = await examined(LyingLLM(ObedientLLM(), other))
    assert "small stood in" in found["answers"].detail


async def test_without_questions_only_the_server_is_looked_at() -> None:
    llm = ObedientLLM()
    found = [finding.check async for finding in examine(llm, OPTIONS, ask=False)]
    assert found == ["reachable", "present"]
    assert llm.requests == []


class _Claiming:
    """Says of itself that it has a context of some length."""

    def __init__(self, inner: LLMService, *, context_tokens: int) -> None:
        self._inner = inner
        self._context_tokens = context_tokens

    @property
    def identity(self) -> ModelIdentity:
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        return await self._inner.complete(request)

    async def health(self) -> ModelHealth:
        return replace(await self._inner.health(), context_tokens=self._context_tokens)

    async def aclose(self) -> None:
        await self._inner.aclose()
