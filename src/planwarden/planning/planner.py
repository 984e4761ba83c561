"""`LLMOrchestrationPlanner`: asks the planner model, validates, repairs once, falls back.

Every rung that refuses leaves a `Refusal`; every exchange with the model is given back for the record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.conversation import requests_before, turns
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import Message, ModelExchange, ModelUsage, Purpose
from planwarden.contracts.plan import PlanDecision, PlannerPlan, PlanSource, Refusal, Rung
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.task import Task
from planwarden.contracts.value import storable
from planwarden.contracts.verdict import Allowed
from planwarden.errors import ModelError, PromptTooLong
from planwarden.llm.fitting import Fitted, assumed_per_byte, fit, room_beside
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, Question
from planwarden.planning.expand import PlanOrigin, expand
from planwarden.planning.fallback import build_fallback_plan
from planwarden.planning.memory.repeat import cached_plan, repeated
from planwarden.planning.notation import WaysOut, WirePlan, read_wire, wire_schema
from planwarden.planning.prompt import PROMPT_VERSION, build_prompt, repair_turn
from planwarden.planning.shortlist import Retriever, Shortlist
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import ToolPolicy
from planwarden.tools.grounding import groundable

CONVERSATION_SHARE = 0.25
"""Of the planner's context: what earlier turns may take at most. A plan needs to know what was spoken of, not
every word of it, and each token costs the planner's time."""
MAX_EARLIER_REQUESTS = 4
"""How many earlier requests a request may lean on, each on the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """The knobs of planning; see docs/planner.md for what each does."""

    max_agents: int = 4
    shortlist: int = 6
    near: float = 0.5
    """A tool is shown when retrieval scores it at least this share of the best one for the same clause."""
    guided: bool = False
    """Let retrieval decide how many steps there are, and the model only among what is near each of them and
    can be called with values that the request names."""
    examples: int = 3
    temperature: float = 0.0
    seed: int = 7
    max_output_tokens: int = 256
    timeout_s: float = 60.0
    num_ctx: int = 4096
    """Of the planner model, in tokens."""
    min_confidence: float = 0.0
    on_low_confidence: str = "fallback"
    """`fallback` or `person`."""
    stand_in_near: float | None = None
    """Set where a stand-in may answer that has to be guided: `near` for it."""
    reuse_plans: Literal["never", "rescue", "first"] = "rescue"
    """When a repeat gets the remembered plan: where the model's own was refused, or before it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What planning one task came to."""

    decision: PlanDecision
    exchanges: tuple[ModelExchange, ...]
    needs_person: bool = False
    """The plan is valid, but the model was less sure than `min_confidence`, and a person is to say."""


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One planning, on its way down the ladder."""

    task: Task
    catalog: Catalog
    policy: ToolPolicy
    shortlist: Shortlist
    simpler: Shortlist | None
    """What a stand-in is shown that has to be guided."""
    guided: bool
    ways_out: WaysOut
    remembered: Sequence[RememberedPlan] = ()
    exchanges: list[ModelExchange] = field(default_factory=list[ModelExchange])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    last_reply: str | None = None


class LLMOrchestrationPlanner:
    """The planner of the product: a small model decides, the ladder makes it valid."""

    def __init__(self, llm: LLMService, settings: PlannerSettings) -> None:
        self._llm = llm
        self._settings = settings
        self._retriever = Retriever()
        self._tokens_per_byte = 0.0
        """The highest that was measured."""

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Planning:
        """Give the plan to follow for a task, always valid against catalog and policy as they are now.

        A task that does not fit the planner's context even with a single tool shown is refused.

        Args:
            task: what was asked.
            catalog: as it is now.
            policy: as it is now.
            remembered: plans that worked, as recalled for the task's tenant and conversation.
        """
        attempt = self._begin(task, catalog, policy)
        attempt.remembered = remembered
        if self._settings.reuse_plans == "first" and (again := self._cached(attempt)) is not None:
            return Planning(decision=PlanDecision(plan=again), exchanges=())
        try:
            plan = await self._ask(attempt, "plan", ())
        except PromptTooLong as error:
            _refuse(attempt, "constrained_output", error.code, str(error))
            decision = PlanDecision(plan=None, refusals=tuple(attempt.refusals))
            return Planning(decision=decision, exchanges=tuple(attempt.exchanges))
        if plan is None and attempt.last_reply is not None:
            plan = await self._repair(attempt, attempt.last_reply)
        return self._conclude(attempt, plan)

    async def _repair(self, attempt: _Attempt, reply: str) -> PlannerPlan | None:
        """Ask once more, telling what was wrong; what is refused then is refused at rung `repair`."""
        before = len(attempt.refusals)
        plan = await self._ask(attempt, "repair", repair_turn(reply, attempt.refusals[-1].message))
        attempt.refusals[before:] = [
            refusal.model_copy(update={"rung": "repair", "inner": refusal.rung})
            for refusal in attempt.refusals[before:]
        ]
        return plan

    def prepare(self, catalog: Catalog) -> None:
        """Make the retrieval index of a catalog, which is kept, ahead of the first request over it."""
        self._retriever.prepare(catalog)

    def close(self) -> None:
        """Drop the retrieval indexes."""
        self._retriever.close()

    def _begin(self, task: Task, catalog: Catalog, policy: ToolPolicy) -> _Attempt:
        earlier = requests_before(task.exchanges)[:MAX_EARLIER_REQUESTS]
        settings = self._settings

        def shortlist(*, near: float, guided: bool) -> Shortlist:
            shown = self._retriever.shortlist(
                task.prompt,
                catalog,
                policy,
                size=settings.shortlist,
                near=near,
                earlier=earlier[::-1],
                fill=not guided,
            )
            if not guided:
                return shown
            return shown.only(lambda tool: groundable(catalog.tools[tool], task.prompt, earlier))

        simpler = None if settings.guided else settings.stand_in_near
        return _Attempt(
            task=task,
            catalog=catalog,
            policy=policy,
            shortlist=shortlist(near=settings.near, guided=settings.guided),
            simpler=None if simpler is None else shortlist(near=simpler, guided=True),
            guided=settings.guided,
            ways_out=offered_ways_out(catalog, policy),
        )

    async def _ask(
        self, attempt: _Attempt, purpose: Purpose, more: tuple[Message, ...]
    ) -> PlannerPlan | None:
        """Ask once and take the reply through parse, schema and semantics; None leaves a refusal."""
        if attempt.shortlist.empty and not attempt.ways_out.names:
            _refuse(attempt, "constrained_output", "nothing_allowed", "policy leaves nothing to plan with")
            return None
        try:
            reply, schema = await self._complete(attempt, purpose, more)
        except ModelError as error:
            if isinstance(error, PromptTooLong) and purpose == "plan":
                raise
            _refuse(attempt, "constrained_output", error.code, str(error))
            return None
        attempt.last_reply = reply.text
        wire = _parse(attempt, reply.text, schema)
        if wire is None:
            return None
        source: PlanSource = "repaired" if purpose == "repair" else "planner"
        origin = PlanOrigin(
            source=source,
            reply=reply,
            usage=_total(attempt.exchanges),
            model=(reply.answered_by or self._llm.identity).model,
            prompt_version=PROMPT_VERSION,
            ways_out=attempt.ways_out,
            guided=attempt.guided,
            refusals=tuple(attempt.refusals),
        )
        plan = expand(wire, origin, attempt.shortlist, attempt.catalog, attempt.policy)
        issues = plan_issues(
            plan, attempt.catalog, attempt.policy, PlanLimits(max_agents=self._settings.max_agents)
        )
        attempt.refusals.extend(issues)
        return None if issues else plan

    async def _complete(
        self, attempt: _Attempt, purpose: Purpose, more: tuple[Message, ...]
    ) -> tuple[LLMReply, JsonSchema]:
        """Send the prompt; one that does not fit is shortened by rule.

        First the conversation, oldest turns first, then tools and examples.
        """
        examples = self._settings.examples
        alone = self._question(attempt, attempt.shortlist, more, (examples, Fitted()), guided=attempt.guided)
        told = self._fitting(attempt.task, alone.messages)
        while True:
            question = self._question(
                attempt, attempt.shortlist, more, (examples, told), guided=attempt.guided
            )
            simpler = None
            if attempt.simpler is not None:
                simpler = self._question(attempt, attempt.simpler, more, (examples, told), guided=True)
            try:
                reply = await self._exchange(attempt, purpose, question, simpler, told)
            except PromptTooLong:
                if told.turns:
                    told = told.without_oldest()
                    continue
                if examples == 0 and len(attempt.shortlist.tools) <= 1:
                    raise
                examples //= 2
                attempt.shortlist = attempt.shortlist.shortened()
                attempt.simpler = attempt.simpler.shortened() if attempt.simpler else None
                continue
            if simpler is not None and attempt.simpler is not None and _by_stand_in(reply):
                attempt.shortlist, attempt.guided = attempt.simpler, True
                return reply, simpler.output_schema
            return reply, question.output_schema

    def _question(
        self,
        attempt: _Attempt,
        shortlist: Shortlist,
        more: tuple[Message, ...],
        shown: tuple[int, Fitted],
        *,
        guided: bool,
    ) -> Question:
        examples, told = shown
        prompt = build_prompt(
            attempt.task,
            attempt.catalog,
            shortlist,
            attempt.ways_out,
            examples=examples,
            earlier=told.exchanges,
        )
        schema = wire_schema(shortlist, attempt.ways_out, max_agents=self._settings.max_agents, guided=guided)
        return Question(messages=(*prompt.messages, *more), output_schema=schema)

    def _fitting(self, task: Task, beside: tuple[Message, ...]) -> Fitted:
        """Give as much of the conversation as fits beside a prompt, within the planner's share."""
        settings, per_byte = self._settings, assumed_per_byte(self._tokens_per_byte)
        room = room_beside(
            beside,
            num_ctx=settings.num_ctx,
            max_output_tokens=settings.max_output_tokens,
            per_byte=per_byte,
        )
        share = int(settings.num_ctx * CONVERSATION_SHARE)
        return fit(turns(task.exchanges), min(room, share), per_byte)

    async def _exchange(
        self,
        attempt: _Attempt,
        purpose: Purpose,
        question: Question,
        simpler: Question | None,
        told: Fitted,
    ) -> LLMReply:
        settings = self._settings
        request = LLMRequest(
            messages=question.messages,
            output_schema=question.output_schema,
            simpler=simpler,
            max_output_tokens=settings.max_output_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            top_logprobs=20,
            timeout_s=settings.timeout_s,
        )
        asked = _asked(purpose, question, attempt.task, told)
        try:
            reply = await self._llm.complete(request)
        except ModelError as error:
            failed = {"error_code": error.code, "error": str(error)}
            attempt.exchanges.append(asked.model_copy(update=failed))
            raise
        if simpler is not None and _by_stand_in(reply):
            asked = _asked(purpose, simpler, attempt.task, told)
        reply = replace(reply, text=storable(reply.text))
        said = asked.model_copy(
            update={"reply": reply.text, "usage": reply.usage, "answered_by": reply.answered_by}
        )
        attempt.exchanges.append(said)
        self._tokens_per_byte = max(self._tokens_per_byte, said.tokens_per_byte)
        return reply

    def _conclude(self, attempt: _Attempt, plan: PlannerPlan | None) -> Planning:
        settings, exchanges = self._settings, tuple(attempt.exchanges)
        if plan is not None and plan.confidence < settings.min_confidence:
            message = f"confidence {plan.confidence:.2f} is below the minimum {settings.min_confidence:.2f}"
            _refuse(attempt, "semantics", "confidence_too_low", message)
            if settings.on_low_confidence == "person":
                decision = PlanDecision(plan=plan, refusals=tuple(attempt.refusals))
                return Planning(decision=decision, exchanges=exchanges, needs_person=True)
            plan = None
        if plan is None and settings.reuse_plans == "rescue":
            plan = self._cached(attempt)
        if plan is None:
            plan = build_fallback_plan(
                attempt.catalog, attempt.policy, attempt.shortlist.tools, tuple(attempt.refusals)
            )
        if plan is None:
            _refuse(attempt, "fallback", "nothing_allowed", f"'{FALLBACK_AGENT}' may do nothing here")
        return Planning(
            decision=PlanDecision(plan=plan, refusals=tuple(attempt.refusals)), exchanges=exchanges
        )

    def _cached(self, attempt: _Attempt) -> PlannerPlan | None:
        """Give the plan that did exactly this task before; what speaks against it now leaves a refusal."""
        found = repeated(attempt.task, attempt.catalog, attempt.policy, attempt.remembered)
        limits = PlanLimits(max_agents=self._settings.max_agents)
        plan, issues = cached_plan(found, attempt.catalog, attempt.policy, limits, attempt.refusals)
        attempt.refusals.extend(issues)
        return plan


def _by_stand_in(reply: LLMReply) -> bool:
    """Say whether a model answered that has to be guided, and was asked the simpler question."""
    return reply.answered_by is not None and reply.answered_by.argument_style == "grounded"


def _asked(purpose: Purpose, question: Question, task: Task, told: Fitted) -> ModelExchange:
    return ModelExchange(
        purpose=purpose,
        messages=question.messages,
        output_schema=question.output_schema,
        turns_left_out=task.turns_left_out + told.left_out,
        turns_shortened=told.shortened,
        reply=None,
    )


def offered_ways_out(catalog: Catalog, policy: ToolPolicy) -> WaysOut:
    """Say which ways out catalog and policy offer. Pure."""
    spec = catalog.agents.get(FALLBACK_AGENT)
    allowed = (
        spec is not None
        and spec.may_answer_without_tools
        and isinstance(policy.may_answer_without_tools(FALLBACK_AGENT), Allowed)
    )
    return WaysOut(answer=allowed, ask=allowed)


def _parse(attempt: _Attempt, text: str, schema: JsonSchema) -> WirePlan | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(attempt, "parse", "not_json", f"not JSON: {error}")
        return None
    wire = read_wire(value, schema)
    if isinstance(wire, WirePlan):
        return wire
    _refuse(attempt, "schema", "notation_broken", wire[0], field_path=wire[0].split(":")[0])
    return None


def _refuse(attempt: _Attempt, rung: Rung, reason: str, message: str, field_path: str = "") -> None:
    refusal = Refusal(rung=rung, reason=reason, field=field_path[:200], message=message[:2_000])
    attempt.refusals.append(refusal)


def _total(exchanges: list[ModelExchange]) -> ModelUsage:
    return ModelUsage(
        prompt_tokens=sum(exchange.usage.prompt_tokens for exchange in exchanges),
        cached_tokens=sum(exchange.usage.cached_tokens for exchange in exchanges),
        output_tokens=sum(exchange.usage.output_tokens for exchange in exchanges),
        latency_s=sum(exchange.usage.latency_s for exchange in exchanges),
    )
