"""Two models in turn: does the server keep both in memory, or load one anew each time?"""

from __future__ import annotations

from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError
from planwarden.llm.examination.asked import Asked, ExaminationOptions
from planwarden.llm.examination.context import LETTER, prompt_of
from planwarden.llm.service import LLMService, ModelHealth

RELOADED_S = 0.3
"""A load that took longer than this was one; weights that are there take a few milliseconds."""


async def take_turns(
    planner: LLMService, agents: LLMService, of_planner: ExaminationOptions, of_agents: ExaminationOptions
) -> Finding:
    """Ask planner, agents and planner again, as each run does, and see whether the third had to load."""
    first = Asked(llm=planner, options=of_planner)
    second = Asked(llm=agents, options=of_agents)
    try:
        for asked in (first, second):
            await asked.ask(prompt_of(8), schema=LETTER)
        health = await planner.health()
        other = await agents.health()
        again = await first.ask(prompt_of(8, "east"), schema=LETTER)
        back = await second.ask(prompt_of(8, "east"), schema=LETTER)
    except PlanwardenError as error:
        return Finding(check="in turn", status="bad", detail=error.message, remedy=error.remedy)
    if again.timing is None or back.timing is None:
        detail = "the server does not say how long it loads"
        return Finding(check="in turn", status="skipped", detail=detail)
    pushed_out = _is_loaded(other) and not _is_loaded(health)
    loads = (again.timing.load_s, back.timing.load_s)
    figures = {"planner_load_s": round(loads[0], 3), "agents_load_s": round(loads[1], 3)}
    if not pushed_out and loads[0] < RELOADED_S:
        detail = f"both stay loaded: asked in turn, the planner was there again in {loads[0]:.2f} s"
        return Finding(check="in turn", status="ok", detail=detail, figures={**figures})
    how = "at every change between them"
    cost = f"loading costs {loads[0]:.1f} s for the planner and {loads[1]:.1f} s for the agents, {how}"
    same = planner.identity.digest == agents.identity.digest
    return Finding(
        check="in turn",
        status="warning",
        detail=f"{_why(planner, agents, same=same)}: {cost}",
        remedy=_even(of_planner, of_agents) if same else _room(of_planner, of_agents, agents),
        figures={**figures},
    )


def _why(planner: LLMService, agents: LLMService, *, same: bool) -> str:
    if same:
        return f"{planner.identity.model} is loaded anew, for planner and agents want another NUM_CTX"
    return f"{planner.identity.model} and {agents.identity.model} push each other out of memory"


def _even(of_planner: ExaminationOptions, of_agents: ExaminationOptions) -> str:
    longest = max(of_planner.num_ctx, of_agents.num_ctx)
    return f"{of_planner.line('NUM_CTX', longest)}; {of_agents.line('NUM_CTX', longest)}"


def _room(of_planner: ExaminationOptions, of_agents: ExaminationOptions, agents: LLMService) -> str:
    return (
        "Start the server with `OLLAMA_MAX_LOADED_MODELS=2 ollama serve`, and let it keep both:"
        f" {of_planner.line('KEEP_ALIVE', '30m')}; {of_agents.line('KEEP_ALIVE', '30m')}. Where memory is"
        " short, take a smaller quantisation, or one model for both roles:"
        f" {of_planner.line('MODEL', agents.identity.model)}"
    )


def _is_loaded(health: ModelHealth) -> bool:
    return health.footprint is not None and health.footprint.loaded_bytes is not None
