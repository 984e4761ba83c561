"""`LLMOrchestrationPlanner`: prior and model together make the plan; validates, repairs once, falls back.

Every rung that refuses leaves a `Refusal`; every exchange with the model is given back for the record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.calibration import PlannerCalibration
from planwarden.contracts.conversation import requests_before
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import Message, ModelExchange, ModelIdentity, Purpose
from planwarden.contracts.plan import PlanDecision, PlannerPlan
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.task import Task
from planwarden.errors import ModelError, PromptTooLong, ReplyIncomplete, ReplyInvalid
from planwarden.llm.service import LLMService
from planwarden.planning.asking import PlannerQuestions
from planwarden.planning.attempt import Attempt, PlannerSettings, bounds_of, shown_to_model
from planwarden.planning.considered import Considered
from planwarden.planning.drafting import Answered, from_answer, from_prior
from planwarden.planning.fallback import build_fallback_plan
from planwarden.planning.fusion.defaults import default_calibration
from planwarden.planning.fusion.evidence import ModelEvidence
from planwarden.planning.fusion.hearing import hear
from planwarden.planning.fusion.worth_asking import worth_asking
from planwarden.planning.memory.repeat import cached_plan, repeated
from planwarden.planning.notation.offer import Offer
from planwarden.planning.notation.reading import WirePlan, read_wire
from planwarden.planning.prior import Prior, PriorRequest, PriorSource
from planwarden.planning.prompt import PROMPT_VERSION, repair_turn
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import ToolPolicy

MAX_EARLIER_REQUESTS = 4
"""How many earlier requests a request may lean on, each on the one before."""

Calibrated = Callable[[ModelIdentity], PlannerCalibration]
"""What a model's word was measured to be worth; an unmeasured default for one that was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What planning one task came to."""

    decision: PlanDecision
    exchanges: tuple[ModelExchange, ...]
    needs_person: bool = False
    """The plan is valid, but the planner was less sure than `min_confidence`, and a person is to say."""


def unmeasured(identity: ModelIdentity) -> PlannerCalibration:
    """Give the default for a model's size class."""
    return default_calibration(identity, PROMPT_VERSION)


class LLMOrchestrationPlanner:
    """The planner of the product: a prior and a small model decide, the ladder makes it valid."""

    def __init__(
        self,
        llm: LLMService,
        settings: PlannerSettings,
        source: PriorSource | None = None,
        calibrated: Calibrated = unmeasured,
    ) -> None:
        """Put the planner together.

        Args:
            llm: the planner model.
            settings: the knobs.
            source: of priors; retrieval alone where none is given. Closed with the planner.
            calibrated: what a model's word is worth.
        """
        self._llm = llm
        self._settings = settings
        self._source = RetrievalPrior() if source is None else source
        self._calibrated = calibrated
        self._questions = PlannerQuestions(llm, settings)

    @property
    def settings(self) -> PlannerSettings:
        """Give the knobs."""
        return self._settings

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Planning:
        """Give the plan to follow for a task, always valid against catalog and policy as they are now.

        A task that does not fit the planner's context even with a single tool shown is refused.
        `remembered` are plans that worked, as recalled for the task's tenant and conversation.
        """
        attempt = self._begin(task, catalog, policy, remembered)
        if self._settings.reuse_plans == "first" and (again := self._cached(attempt)) is not None:
            return Planning(decision=PlanDecision(plan=again), exchanges=())
        if attempt.spec.offer.empty:
            attempt.refuse("constrained_output", "nothing_allowed", "policy leaves nothing to plan with")
            return self._conclude(attempt, None)
        if not self._has_to_ask(attempt):
            return self._conclude(attempt, self._checked(attempt, from_prior(attempt, self._settings)))
        try:
            plan = await self._ask(attempt, "plan", ())
        except PromptTooLong as error:
            attempt.refuse("constrained_output", error.code, str(error))
            decision = PlanDecision(plan=None, refusals=tuple(attempt.refusals))
            return Planning(decision=decision, exchanges=tuple(attempt.exchanges))
        if plan is None and attempt.last_reply is not None and self._carries_weight(attempt):
            plan = await self._repair(attempt, attempt.last_reply)
        return self._conclude(attempt, plan)

    async def consider(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Considered:
        """Ask the model whatever its word weighs, and give what it is evidence of; nothing is decided.

        Raises:
            ModelError: the model cannot be had; a reply that is no plan is no evidence.
        """
        attempt = self._begin(task, catalog, policy, remembered)
        evidence = None if attempt.spec.offer.empty else await self._evidence(attempt)
        return Considered(
            prior=attempt.prior, evidence=evidence, bounds=attempt.bounds, offer=attempt.spec.offer
        )

    async def _evidence(self, attempt: Attempt) -> ModelEvidence | None:
        try:
            reply, question = await self._questions.ask(attempt, "plan", ())
        except (PromptTooLong, ReplyIncomplete, ReplyInvalid):
            return None
        if reply.answered_by is not None:  # it is not the stand-in that is looked at
            return None
        wire = _parse(attempt, reply.text, question.output_schema, attempt.spec.offer)
        return None if wire is None else hear(wire, reply.tokens, attempt.spec.offer, attempt.prior)

    def prepare(self, catalog: Catalog) -> None:
        """Make the retrieval index of a catalog, which is kept, ahead of the first request over it."""
        self._source.prepare(catalog)

    def close(self) -> None:
        """Drop the retrieval indexes."""
        self._source.close()

    def _begin(
        self, task: Task, catalog: Catalog, policy: ToolPolicy, remembered: Sequence[RememberedPlan]
    ) -> Attempt:
        settings = self._settings
        prior = self._prior(task, catalog, policy, remembered)
        bounds = bounds_of(catalog, policy, settings.max_agents)
        return Attempt(
            task=task,
            catalog=catalog,
            policy=policy,
            remembered=remembered,
            prior=prior,
            bounds=bounds,
            spec=shown_to_model(prior, catalog, bounds, settings),
            calibration=self._calibrated(self._llm.identity),
        )

    def _prior(
        self, task: Task, catalog: Catalog, policy: ToolPolicy, remembered: Sequence[RememberedPlan]
    ) -> Prior:
        earlier = requests_before(task.exchanges)[:MAX_EARLIER_REQUESTS]
        return self._source.prior(
            PriorRequest(
                text=task.prompt,
                catalog=catalog,
                policy=policy,
                earlier=tuple(earlier[::-1]),
                tenant=task.tenant,
                conversation=task.conversation,
                remembered=tuple(remembered),
                groundable_only=self._settings.groundable_only,
            )
        )

    def _has_to_ask(self, attempt: Attempt) -> bool:
        match self._settings.mode:
            case "prior":
                return False
            case "model":
                return True
            case "fused":
                return self._settings.ask == "always" or worth_asking(
                    attempt.prior, attempt.calibration.weights, attempt.spec.offer, attempt.bounds
                )

    def _carries_weight(self, attempt: Attempt) -> bool:
        return self._settings.mode == "model" or attempt.calibration.weights.model_counts

    async def _repair(self, attempt: Attempt, reply: str) -> PlannerPlan | None:
        """Ask once more, telling what was wrong; what is refused then is refused at rung `repair`."""
        before = len(attempt.refusals)
        plan = await self._ask(attempt, "repair", repair_turn(reply, attempt.refusals[-1].message))
        attempt.refusals[before:] = [
            refusal.model_copy(update={"rung": "repair", "inner": refusal.rung})
            for refusal in attempt.refusals[before:]
        ]
        return plan

    async def _ask(self, attempt: Attempt, purpose: Purpose, more: tuple[Message, ...]) -> PlannerPlan | None:
        """Ask once and take the reply through parse, schema and semantics; None leaves a refusal."""
        try:
            reply, question = await self._questions.ask(attempt, purpose, more)
        except ModelError as error:
            if isinstance(error, PromptTooLong) and purpose == "plan":
                raise
            attempt.refuse("constrained_output", error.code, str(error))
            return None
        attempt.last_reply = reply.text
        wire = _parse(attempt, reply.text, question.output_schema, attempt.spec.offer)
        if wire is None:
            return None
        answering = reply.answered_by or self._llm.identity
        if reply.answered_by is not None:
            attempt.calibration = self._calibrated(answering)
        answered = Answered(
            wire=wire,
            tokens=reply.tokens,
            model=answering.model,
            source="repaired" if purpose == "repair" else "planner",
        )
        return self._checked(attempt, from_answer(attempt, answered, self._settings))

    def _checked(self, attempt: Attempt, plan: PlannerPlan | None) -> PlannerPlan | None:
        """Give the plan where it may be followed; what speaks against it leaves a refusal each."""
        if plan is None:
            return None
        limits = PlanLimits(max_agents=self._settings.max_agents)
        issues = plan_issues(plan, attempt.catalog, attempt.policy, limits)
        attempt.refusals.extend(issues)
        return None if issues else plan

    def _conclude(self, attempt: Attempt, plan: PlannerPlan | None) -> Planning:
        """Take what is left of the ladder: memory, the prior alone, the confidence gate, the fallback."""
        settings = self._settings
        rescued = self._rescued(attempt) if plan is None else None
        if plan is None and rescued is None and attempt.exchanges and settings.mode == "fused":
            plan = self._of_prior_alone(attempt)
        if plan is not None and plan.confidence < settings.min_confidence:
            message = f"confidence {plan.confidence:.2f} is below the minimum {settings.min_confidence:.2f}"
            attempt.refuse("semantics", "confidence_too_low", message)
            if settings.on_low_confidence == "person":
                return self._done(attempt, plan, needs_person=True)
            plan, rescued = None, self._rescued(attempt)
        plan = plan or rescued
        if plan is None:
            ranked = tuple(tool.name for tool in attempt.prior.tools)
            plan = build_fallback_plan(attempt.catalog, attempt.policy, ranked, tuple(attempt.refusals))
        if plan is None:
            attempt.refuse("fallback", "nothing_allowed", f"'{FALLBACK_AGENT}' may do nothing here")
        return self._done(attempt, plan)

    def _done(self, attempt: Attempt, plan: PlannerPlan | None, *, needs_person: bool = False) -> Planning:
        decision = PlanDecision(plan=plan, refusals=tuple(attempt.refusals))
        return Planning(decision=decision, exchanges=tuple(attempt.exchanges), needs_person=needs_person)

    def _of_prior_alone(self, attempt: Attempt) -> PlannerPlan | None:
        """Plan without the model, which gave nothing usable, under catalog and policy as they are by now."""
        attempt.prior = self._prior(attempt.task, attempt.catalog, attempt.policy, attempt.remembered)
        attempt.bounds = bounds_of(attempt.catalog, attempt.policy, self._settings.max_agents)
        return self._checked(attempt, from_prior(attempt, self._settings))

    def _rescued(self, attempt: Attempt) -> PlannerPlan | None:
        return self._cached(attempt) if self._settings.reuse_plans == "rescue" else None

    def _cached(self, attempt: Attempt) -> PlannerPlan | None:
        """Give the plan that did exactly this task before; what speaks against it now leaves a refusal."""
        found = repeated(attempt.task, attempt.catalog, attempt.policy, attempt.remembered)
        limits = PlanLimits(max_agents=self._settings.max_agents)
        plan, issues = cached_plan(found, attempt.catalog, attempt.policy, limits, attempt.refusals)
        attempt.refusals.extend(issues)
        return plan


def _parse(attempt: Attempt, text: str, schema: JsonSchema, offer: Offer) -> WirePlan | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        attempt.refuse("parse", "not_json", f"not JSON: {error}")
        return None
    wire = read_wire(value, schema, offer)
    if isinstance(wire, WirePlan):
        return wire
    attempt.refuse("schema", "notation_broken", wire[0], field_path=wire[0].split(":")[0])
    return None
