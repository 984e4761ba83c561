"""A model of pydantic-ai as an LLMService."""

from __future__ import annotations

from collections.abc import Callable

from pydantic_ai.direct import model_request
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.llm.library_model.failures import failure
from planwarden.llm.library_model.wire import parameters_of, reply_of, sent_messages
from planwarden.llm.openai_chat.refusals import Server
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth
from planwarden.llm.wire.endpoint import within


def infer(model: str, *, api_key: str, base_url: str | None) -> Model:
    """Give the library's model; key and address, where there are any, go before its environment variables.

    Raises:
        UserError, ValueError: no such model, or no key.
        ImportError: the provider's own library is missing.
        TypeError: the provider takes no key or no base URL.
    """
    given = {name: value for name, value in (("api_key", api_key), ("base_url", base_url)) if value}
    if not given:
        return infer_model(model)

    def provider(name: str) -> Provider[object]:
        return infer_provider_class(name)(**given)

    return infer_model(model, provider_factory=provider)


class LibraryLLM:
    """One model by pydantic-ai; it reports no token probabilities, so replies have no tokens."""

    def __init__(
        self,
        model: Model,
        *,
        name: str,
        clock: Clock,
        api_key: str = "",
        setting: Callable[[str], str] = "LLM__{}".format,
        chosen_because: str = "",
    ) -> None:
        """Take an opened model, which is closed with this service."""
        self._model = model
        self._clock = clock
        endpoint = model.base_url
        self._server = Server(
            endpoint=endpoint or name.partition(":")[0],
            model=name,
            key_variable=setting("API_KEY"),
            secret=api_key,
        )
        self._identity = ModelIdentity(
            provider="pydantic-ai",
            model=name,
            endpoint=endpoint,
            chosen_because=chosen_because,
            calls_tools=bool(model.profile.get("supports_tools", True)),
        )
        self._entered = False

    @property
    def identity(self) -> ModelIdentity:
        """Say which model, by the name it was opened with."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once, in one piece. Errors: see `LLMService.complete`."""
        started = self._clock.monotonic()
        native = bool(self._model.profile.get("supports_json_schema_output", False))
        async with within(request.timeout_s, f"{self._server.model} gave no whole reply"):
            try:
                await self._enter()
                response = await model_request(
                    self._model,
                    sent_messages(request),
                    model_settings=_settings(request),
                    model_request_parameters=parameters_of(request, native=native),
                )
            except Exception as error:
                raise failure(error, self._server, tools=bool(request.tools)) from error
        latency_s = max(0.0, self._clock.monotonic() - started)
        return reply_of(response, request, self._server, latency_s=latency_s)

    async def health(self) -> ModelHealth:
        """Say what is known; the library has no way to look without a request, which may cost money."""
        window = self._model.profile.get("context_window")
        return ModelHealth(
            reachable=True,
            present=True,
            context_tokens=window if isinstance(window, int) else None,
            detail=f"{self._server.model} at {self._server.endpoint} by pydantic-ai; not asked, since that"
            " may cost money; it reports no token probabilities",
        )

    async def aclose(self) -> None:
        """Close the model's connections; a second call does nothing."""
        if self._entered:
            self._entered = False
            await self._model.__aexit__(None, None, None)

    async def _enter(self) -> None:
        if not self._entered:
            await self._model.__aenter__()
            self._entered = True


def _settings(request: LLMRequest) -> ModelSettings:
    return ModelSettings(
        temperature=request.temperature,
        seed=request.seed,
        max_tokens=request.max_output_tokens,
        max_retries=0,
    )
