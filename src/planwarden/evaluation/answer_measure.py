"""Measuring how well a model writes answers: each item on the real answer path, its record in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.clock import Clock
from planwarden.contracts.measurement import AnswerMeasurement, measurement_key
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import final_answer
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.evaluation.answer_scores import AnswerItems, ItemScore, score_answer
from planwarden.llm.service import LLMService
from planwarden.llm.wrappers.styled import StyledLLM
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.stage import Stage, plan_of

BECAUSE = "being measured"


async def score_items(
    llm: LLMService, items: AnswerItems, settings: AgentSettings, told: Callable[[ItemScore], None]
) -> tuple[ItemScore, ...]:
    """Have a model answer every item as prose, one after the other; `told` hears of each as it is done."""
    styled = StyledLLM(llm, style="prose", because=BECAUSE)
    scores: list[ItemScore] = []
    for item in items.items:
        answer = await _answer(styled, item.request, item.evidence, settings)
        score = score_answer(item, answer, items.admits.get(item.language, ()))
        scores.append(score)
        told(score)
    return tuple(scores)


async def _answer(
    llm: LLMService, request: str, evidence: Sequence[str], settings: AgentSettings
) -> StepAnswer | None:
    tools = {
        f"evidence.part{at}": CannedTool(f"evidence.part{at}", {"text": said})
        for at, said in enumerate(evidence, 1)
    }
    agent = AgentSpec(name="reader", description="Answers from evidence", tools=tuple(tools))
    stage = Stage(agents=(agent,), tools=tools, agent_llm=llm, agent_settings=settings)
    step = PlannedAgentStep(id="s1", agent="reader", tools=tuple(tools))
    state = await stage.orchestrator().route_task(Task(prompt=request), plan_of(step))
    return final_answer(state)


def measurement(
    llm: LLMService, scores: Sequence[ItemScore], items: AnswerItems, version: str, clock: Clock
) -> AnswerMeasurement:
    """Sum up the scores of a model's answers. Pure but for the day."""
    holding = [score for score in scores if score.item.answer]
    lacking = [score for score in scores if not score.item.answer]
    identity = llm.identity
    return AnswerMeasurement(
        model=measurement_key(identity),
        label=f"{identity.provider} {identity.model}",
        items=len(scores),
        items_digest=items.digest,
        right=_share([score.right for score in scores]),
        stated=_share([score.stated for score in holding]),
        cited=_share([score.cited for score in holding]),
        admitted=_share([score.admitted for score in lacking]),
        invented=_share([bool(score.invented) for score in scores]),
        language=_share([score.language for score in scores]),
        failed=_share([not score.text for score in scores]),
        planwarden_version=version,
        measured_on=clock.now().date().isoformat(),
    )


def _share(said: Sequence[bool]) -> float:
    return round(sum(said) / len(said), 4) if said else 0.0
