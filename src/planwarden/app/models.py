"""The models in use: opened when first needed, from the settings or from what a run's journal pins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planwarden.app.system import processors
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.facts import RunStarted
from planwarden.errors import ModelError
from planwarden.llm.absent import AbsentLLM
from planwarden.llm.circuit import is_outage
from planwarden.llm.resilience import Resilience, resilient
from planwarden.llm.selection import LLMSettings, ModelOpener
from planwarden.llm.service import LLMService
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
        self._open: dict[tuple[str, str], Models] = {}

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
        if providers not in self._open:
            planner = await self._model(settings.planner_llm, "PLANNER_LLM", providers[0])
            try:
                agents = await self._model(settings.llm, "LLM", providers[1])
            except BaseException:
                await planner.aclose()
                raise
            self._open[providers] = Models(planner=planner, agents=AgentModels(default=agents))
        return self._open[providers]

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
        try:
            service = await self._opener.open(settings)
        except ModelError as error:
            if chosen.stand_in == "none" or not is_outage(error):
                raise
            because = f"{error.message.rstrip('.')}; {prefix}__STAND_IN=embedded"
            service = await self._opener.open(replace(settings, provider="embedded"), because)
        try:
            stand_in = await self._stand_in(chosen, settings, service)
        except BaseException:
            await service.aclose()
            raise
        return self._resilient(chosen, service, stand_in)

    async def _stand_in(
        self, chosen: PlannerModel | AgentModel, settings: LLMSettings, service: LLMService
    ) -> LLMService | None:
        if chosen.stand_in == "none" or service.identity.provider == "embedded":
            return None
        opened = await self._opener.open(replace(settings, provider="embedded"), "stands in")
        return self._resilient(chosen, opened, None)

    def _resilient(
        self, chosen: PlannerModel | AgentModel, adapter: LLMService, stand_in: LLMService | None
    ) -> LLMService:
        resilience = Resilience(
            retries=chosen.retries,
            circuit_failures=chosen.circuit_failures,
            circuit_pause_s=chosen.circuit_pause_s,
        )
        return resilient(adapter, clock=self._clock, resilience=resilience, stand_in=stand_in)

    async def aclose(self) -> None:
        """Close what was opened."""
        for models in self._open.values():
            await models.aclose()
        self._open.clear()
