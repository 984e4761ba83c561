"""Two models in turn: does the server keep both in memory, or load one anew each time?"""

from __future__ import annotations

from planwarden.contracts.finding import Finding
from planwarden.errors import PlanwardenError
from planwarden.llm.examination.asked import Asked, ExaminationOptions
from planwarden.llm.examination.context import LETTER, prompt_of
from planwarden.llm.service import LLMService, ModelHealth

RELOADED_S = 0.3
"""A load that took longer than this was one; weights that are there take a few milliseconds."""
_REMEDY = (
    "Let the server keep both: set OLLAMA_MAX_LOADED_MODELS=2 for `ollama serve`, and a keep-alive that"
    " outlasts a run: {planner} and {agents}. Where memory is short, take a smaller quantisation of the"
    " agents' model, or one model for both roles: {one}"
)


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
    names = f"{planner.identity.model} and {agents.identity.model}"
    return Finding(
        check="in turn",
        status="warning",
        detail=f"{names} push each other out of memory: loading costs {loads[0]:.1f} s for the planner and"
        f" {loads[1]:.1f} s for the agents, at every change between them",
        remedy=_REMEDY.format(
            planner=of_planner.line("KEEP_ALIVE", "30m"),
            agents=of_agents.line("KEEP_ALIVE", "30m"),
            one=of_planner.line("MODEL", agents.identity.model),
        ),
        figures={**figures},
    )


def _is_loaded(health: ModelHealth) -> bool:
    return health.footprint is not None and health.footprint.loaded_bytes is not None
