"""The models in use: opened when first needed, from the settings or from what a run's journal pins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from planwarden.app.answer_style import decide_answer_style
from planwarden.app.system import processors
from planwarden.configuration.measurements import shipped_measurements, stored_measurements
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.facts import RunStarted
from planwarden.llm.absent import AbsentLLM
from planwarden.llm.retrying import RetryingLLM
from planwarden.llm.selection import LLMSettings, ModelOpener
from planwarden.llm.service import LLMService
from planwarden.llm.styled import StyledLLM
from planwarden.runtime.asking import AgentModels


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The two models of a run."""

    planner: LLMService
    agents: AgentModels

    async def aclose(self) -> None:
        """Close every model."""
        await self.planner.aclose()
        await self.agents.default.aclose()
        for llm in self.agents.own.values():
            await llm.aclose()


def absent_models(started: RunStarted) -> Models:
    """Stand for the models of a run that is only ended: none is opened."""
    return Models(planner=AbsentLLM(started.planner), agents=AgentModels(default=AbsentLLM(started.agents)))


class ModelShelf:
    """Opens models and closes them; services on the same weights share one load."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids) -> None:
        self._settings = settings
        self._clock = clock
        self._opener = ModelOpener(clock=clock, ids=ids, cache_dir=settings.planwarden_cache / "models")
        self._open: dict[tuple[str, ...], Models] = {}

    async def models(self, pinned: RunStarted | None = None) -> Models:
        """Open the models; for a run begun earlier, from the providers that its journal pins.

        Raises:
            ModelError, ConfigurationError: a model cannot be had.
        """
        settings = self._settings
        providers = (
            pinned.planner.provider if pinned else settings.planner_llm.provider,
            pinned.agents.provider if pinned else settings.llm.provider,
        )
        style = (pinned.agents.answer_style, pinned.agents.answer_style_because) if pinned else ()
        key = (*providers, *style)
        if key not in self._open:
            planner = await self._model(settings.planner_llm, "PLANNER_LLM", providers[0])
            try:
                agents = await self._agents_model(pinned, providers[1])
            except BaseException:
                await planner.aclose()
                raise
            self._open[key] = Models(planner=planner, agents=AgentModels(default=agents))
        return self._open[key]

    async def _agents_model(self, pinned: RunStarted | None, provider: str) -> LLMService:
        """Open the agents' model with its answer style; a run begun earlier keeps the style it began with."""
        chosen = self._settings.llm
        stored = await asyncio.to_thread(stored_measurements, self._settings.planwarden_home)
        inner = await self._model(chosen, "LLM", provider)
        if pinned is not None and pinned.agents.answer_style_because:
            style, because = pinned.agents.answer_style, pinned.agents.answer_style_because
        else:
            shipped = shipped_measurements()
            style, because = decide_answer_style(inner.identity, chosen.answers, stored, shipped)
        return StyledLLM(inner, style=style, because=because)

    async def model(self, role: Literal["planner", "agents"]) -> LLMService:
        """Open the model of one role by itself, for looking at it; the caller closes it.

        Raises:
            ModelError, ConfigurationError: it cannot be had.
        """
        settings = self._settings
        if role == "planner":
            return await self._model(settings.planner_llm, "PLANNER_LLM", settings.planner_llm.provider)
        return await self._model(settings.llm, "LLM", settings.llm.provider)

    async def _model(self, chosen: PlannerModel | AgentModel, prefix: str, provider: str) -> LLMService:
        settings = LLMSettings(
            model=chosen.model,
            provider=provider if provider in ("ollama", "embedded") else "auto",
            base_url=chosen.base_url,
            num_ctx=chosen.num_ctx,
            keep_alive=chosen.keep_alive,
            model_file=chosen.model_file,
            threads=chosen.threads or processors(),
            prefix=prefix,
        )
        service = await self._opener.open(settings)
        return RetryingLLM(service, clock=self._clock, attempts=chosen.retries + 1)

    async def aclose(self) -> None:
        """Close what was opened."""
        for models in self._open.values():
            await models.aclose()
        self._open.clear()
