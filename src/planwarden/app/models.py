"""The models in use: opened when first needed, from the settings or from what a run's journal pins."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from planwarden.app.answer_style import decide_answer_style
from planwarden.app.system import processors
from planwarden.app.traces import trace_headers, traced_model
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.measurements import shipped_measurements, stored_measurements
from planwarden.configuration.model_entry import model_settings
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.facts import ModelNotOpened, RunStarted
from planwarden.contracts.model import ModelIdentity, ModelRole
from planwarden.errors import ModelError
from planwarden.llm.selection import LLMSettings, ModelOpener, Provider, asked_for
from planwarden.llm.service import LLMService
from planwarden.llm.wrappers.absent import AbsentLLM
from planwarden.llm.wrappers.circuit import is_outage
from planwarden.llm.wrappers.resilience import Resilience, resilient
from planwarden.llm.wrappers.styled import StyledLLM
from planwarden.runtime.asking import AgentModels, AgentSettings
from planwarden.telemetry.logs import hide_secrets
from planwarden.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The planner's model and those of the agents; the shelf they came from closes them."""

    planner: LLMService
    agents: AgentModels


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedModel:
    """A model that a run needs."""

    role: ModelRole
    agent: str | None = None
    """Whose own model it is."""
    chosen: PlannerModel | AgentModel
    prefix: str
    pinned: ModelIdentity | None
    key_variable: str = ""

    @property
    def provider(self) -> str:
        """Say where it comes from."""
        return self.pinned.provider if self.pinned else self.chosen.provider

    def opening(self) -> LLMSettings:
        """Give what it is opened with."""
        return _opening(self.chosen, self.prefix, self.provider, key_variable=self.key_variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHad:
    """A model that its server does not give."""

    error: ModelError
    of: WantedModel

    def fact(self) -> ModelNotOpened:
        """Say it as the record does."""
        return ModelNotOpened(
            role=self.of.role,
            agent=self.of.agent,
            code=self.error.code,
            message=self.error.message,
            remedy=self.error.remedy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What came of opening models."""

    models: Models
    """Where one could not be had, it and those after it are only known by name."""
    not_had: NotHad | None = None


def _put_together(wanted: Sequence[WantedModel], services: Sequence[LLMService]) -> Models:
    own: dict[str, LLMService] = {}
    knobs: dict[str, AgentSettings] = {}
    for each, service in zip(wanted, services, strict=True):
        if each.agent is not None and isinstance(each.chosen, AgentModel):
            own[each.agent] = service
            knobs[each.agent] = agent_settings(each.chosen)
    return Models(planner=services[0], agents=AgentModels(default=services[1], own=own, settings=knobs))


def absent_models(started: RunStarted) -> Models:
    """Stand for the models of a run that is only ended: none is opened."""
    return Models(planner=AbsentLLM(started.planner), agents=AgentModels(default=AbsentLLM(started.agents)))


class ModelShelf:
    """Opens models and closes them; services on the same weights share one load."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids, tracing: Tracing) -> None:
        self._settings = settings
        self._tracing = tracing
        self._clock = clock
        self._opener = ModelOpener(
            clock=clock,
            ids=ids,
            cache_dir=settings.planwarden_cache / "models",
            adapters_dir=settings.adapter_folder,
            headers=partial(trace_headers, tracing),
        )
        self._open: dict[tuple[str, str], LLMService] = {}

    async def models(self, pinned: RunStarted | None = None, world: AssembledCatalog | None = None) -> Models:
        """Open the models, or fail; see `try_models`.

        Raises:
            ModelError, ConfigurationError: a model cannot be had.
        """
        opened = await self.try_models(pinned, world)
        if opened.not_had is not None:
            raise opened.not_had.error
        return opened.models

    async def try_models(
        self, pinned: RunStarted | None = None, world: AssembledCatalog | None = None
    ) -> Opened:
        """Open the models; for a run begun earlier, from the providers that its journal pins.

        Models of their own are opened for the agents of `world`, each once, and none that nobody names. The
        first that its server does not give ends this.

        Raises:
            ConfigurationError: what is configured cannot be used.
        """
        wanted = self._wanted(pinned, world)
        opened: list[LLMService] = []
        for each in wanted:
            try:
                service = await self._model(each)
            except ModelError as error:
                rest = (AbsentLLM(asked_for(later.opening())) for later in wanted[len(opened) :])
                models = _put_together(wanted, [*opened, *rest])
                return Opened(models=models, not_had=NotHad(error=error, of=each))
            if each.role == "agents":
                service = await self._styled(service, each.chosen, each.pinned)
            opened.append(service)
        return Opened(models=_put_together(wanted, opened))

    def _wanted(self, pinned: RunStarted | None, world: AssembledCatalog | None) -> tuple[WantedModel, ...]:
        """Give the planner's model first, the agents' second, then those that agents have of their own."""
        settings = self._settings
        wanted = [
            WantedModel(
                role="planner",
                chosen=settings.planner_llm,
                prefix="PLANNER_LLM",
                pinned=pinned.planner if pinned else None,
            ),
            WantedModel(
                role="agents",
                chosen=settings.llm,
                prefix="LLM",
                pinned=pinned.agents if pinned else None,
            ),
        ]
        for agent, spec in world.catalog.agents.items() if world else ():
            if world is None or spec.model is None:
                continue
            entry = world.models[spec.model]
            own = WantedModel(
                role="agents",
                agent=agent,
                chosen=model_settings(spec.model, entry, settings.llm, os.environ),
                prefix=f"models.{spec.model}",
                pinned=pinned.agent_models.get(agent) if pinned else None,
                key_variable=entry.api_key_env or "",
            )
            wanted.append(own)
        return tuple(wanted)

    async def _styled(
        self, inner: LLMService, chosen: PlannerModel | AgentModel, pinned: ModelIdentity | None
    ) -> LLMService:
        """Give the model with its answer style; a run begun earlier keeps the style it began with."""
        if pinned is not None and pinned.answer_style_because:
            return StyledLLM(inner, style=pinned.answer_style, because=pinned.answer_style_because)
        stored = await asyncio.to_thread(stored_measurements, self._settings.planwarden_home)
        wanted = chosen.answers if isinstance(chosen, AgentModel) else "auto"
        style, because = decide_answer_style(inner.identity, wanted, stored, shipped_measurements())
        return StyledLLM(inner, style=style, because=because)

    async def model(self, role: Literal["planner", "agents"]) -> LLMService:
        """Open the model of one role by itself, for looking at it; the caller closes it.

        Raises:
            ModelError, ConfigurationError: it cannot be had.
        """
        settings = self._settings
        if role == "planner":
            return await self._opened(
                settings.planner_llm,
                _opening(settings.planner_llm, "PLANNER_LLM", settings.planner_llm.provider),
            )
        return await self._opened(settings.llm, _opening(settings.llm, "LLM", settings.llm.provider))

    async def planner_on(self, chosen: PlannerModel, prefix: str) -> LLMService:
        """Open the model of another planner than the configured one; the caller closes it.

        Raises:
            ModelError, ConfigurationError: it cannot be had.
        """
        return await self._opened(chosen, _opening(chosen, prefix, chosen.provider))

    async def _model(self, wanted: WantedModel) -> LLMService:
        key = (wanted.prefix, wanted.provider)
        if key not in self._open:
            self._open[key] = await self._opened(wanted.chosen, wanted.opening())
        return self._open[key]

    async def _opened(self, chosen: PlannerModel | AgentModel, settings: LLMSettings) -> LLMService:
        hide_secrets([settings.api_key])
        try:
            service = await self._opener.open(settings)
        except ModelError as error:
            if chosen.stand_in == "none" or not is_outage(error):
                raise
            because = f"{error.message.rstrip('.')}; {settings.setting('STAND_IN')} is embedded"
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
        stored = await asyncio.to_thread(stored_measurements, self._settings.planwarden_home)
        style, because = decide_answer_style(opened.identity, "auto", stored, shipped_measurements())
        return StyledLLM(self._resilient(chosen, opened, None), style=style, because=because)

    def _resilient(
        self, chosen: PlannerModel | AgentModel, adapter: LLMService, stand_in: LLMService | None
    ) -> LLMService:
        resilience = Resilience(
            retries=chosen.retries,
            circuit_failures=chosen.circuit_failures,
            circuit_pause_s=chosen.circuit_pause_s,
        )
        traced = traced_model(adapter, self._tracing)
        return resilient(traced, clock=self._clock, resilience=resilience, stand_in=stand_in)

    async def aclose(self) -> None:
        """Close what was opened."""
        while self._open:
            _, service = self._open.popitem()
            await service.aclose()


def _opening(
    chosen: PlannerModel | AgentModel, prefix: str, provider: str, *, key_variable: str = ""
) -> LLMSettings:
    return LLMSettings(
        model=chosen.model,
        provider=_provider(provider),
        base_url=chosen.base_url,
        api_key=chosen.api_key.get_secret_value(),
        key_variable=key_variable,
        num_ctx=chosen.num_ctx,
        keep_alive=chosen.keep_alive,
        model_file=chosen.model_file,
        threads=chosen.threads or processors(),
        adapter=chosen.adapter if isinstance(chosen, PlannerModel) else "none",
        prefix=prefix,
    )


def agent_settings(chosen: AgentModel) -> AgentSettings:
    """Give the knobs that go with every request of an agent."""
    return AgentSettings(
        temperature=chosen.temperature,
        seed=chosen.seed,
        max_output_tokens=chosen.max_output_tokens,
        timeout_s=chosen.timeout_s,
        num_ctx=chosen.num_ctx,
        unsupported_numbers=chosen.unsupported_numbers,
        execution=chosen.execution,
    )


def _provider(name: str) -> Provider:
    """Read a provider that a journal pins; one that is none (a test's double) is chosen anew."""
    match name:
        case "ollama" | "openai" | "pydantic-ai" | "embedded":
            return name
        case _:
            return "auto"
