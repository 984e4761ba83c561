"""Which model a part of the program uses, and the plain words for why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import httpx

from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.value import digest_bytes
from planwarden.errors import ModelError, ModelFileRejected, SettingsRejected
from planwarden.llm.embedded import adapter, model_file
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.embedded.service import DEFAULT_LABEL, EmbeddedLLM
from planwarden.llm.library_model.opening import open_library_model
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.llm.service import LLMService
from planwarden.llm.wire.endpoint import HeaderSource, no_headers

Provider = Literal["auto", "ollama", "openai", "pydantic-ai", "embedded"]

OLLAMA_URL = "http://127.0.0.1:11434"

PROBE_TIMEOUT_S = 1.0
"""How long `auto` waits for an Ollama; an explicit `ollama` gets five times that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMSettings:
    """The knobs of one model; planner and agents have one set each."""

    model: str
    provider: Provider = "auto"
    base_url: str | None = None
    """None: Ollama's own address; `openai` has none of its own."""
    api_key: str = field(default="", repr=False)
    key_variable: str = ""
    """Where the key comes from, for the words in messages; else `API_KEY` of the prefix."""
    temperature: float = 0.0
    seed: int = 7
    max_output_tokens: int = 256
    num_ctx: int = 4096
    """Context length in tokens."""
    timeout_s: float = 60.0
    keep_alive: str = "5m"
    """How long Ollama keeps the model in memory after a request."""
    model_file: Path | None = None
    """A GGUF file of one's own for `embedded`; without one, the pinned file in the cache."""
    threads: int = 2
    """Processor threads of the embedded model; see `EngineOptions`."""
    adapter: Literal["auto", "none"] | Path = "none"
    """A LoRA adapter on the embedded weights; `auto`: one that was installed for them, else the one that
    ships, if any."""
    prefix: str = "LLM"
    """Of the environment variables these came from, or `models.NAME` of the catalog file; for messages."""

    def setting(self, name: str) -> str:
        """Say how the user calls a setting of this model."""
        return f"{self.prefix}.{name.lower()}" if "." in self.prefix else f"{self.prefix}__{name}"


def asked_for(settings: LLMSettings) -> ModelIdentity:
    """Say which model the settings ask for, of one that was not opened: where it is, and no more. Pure."""
    own_address = OLLAMA_URL if settings.provider == "ollama" else None
    return ModelIdentity(
        provider=settings.provider,
        model=settings.model,
        endpoint=settings.base_url or own_address,
        chosen_because=f"set by {settings.setting('PROVIDER')}; not opened",
    )


@dataclass(slots=True, kw_only=True)
class ModelOpener:
    """Opens models by settings; services on the same weights share one load."""

    clock: Clock
    ids: Ids
    cache_dir: Path
    """Where `planwarden models fetch` puts the file."""
    adapters_dir: Path | None = None
    """Where `planwarden tune planner` installs adapters."""
    headers: HeaderSource = no_headers
    """What goes with each request to a server beside what is configured, as the trace it is part of."""
    _engines: list[EmbeddedEngine] = field(default_factory=list[EmbeddedEngine])

    async def open(self, settings: LLMSettings, because: str = "") -> LLMService:
        """Open what the settings name; `identity.chosen_because` says what was chosen and why.

        Args:
            settings: the model's knobs.
            because: why the embedded model, where that is not the settings' own choice.

        Raises:
            ModelUnavailable, ModelTimedOut, ReplyInvalid: a server is set and is not usable.
            ModelFileRejected: the embedded file is missing or has the wrong bytes.
            SettingsRejected: the base URL is none, or missing; or the model's name is not one.
            ConfigurationError: a library that the provider needs is not installed.
        """
        _check_base_url(settings)
        stated = f"set by {settings.setting('PROVIDER')}"
        match settings.provider:
            case "ollama":
                return (await self._ollama(settings, 5 * PROBE_TIMEOUT_S)).because(stated)
            case "openai":
                return (await self._openai(settings)).because(stated)
            case "pydantic-ai":
                return open_library_model(
                    settings.model,
                    clock=self.clock,
                    api_key=settings.api_key,
                    base_url=settings.base_url,
                    setting=settings.setting,
                    chosen_because=stated,
                )
            case "embedded":
                return await self._embedded(settings, because or stated)
            case "auto":
                return await self._auto(settings)

    async def _auto(self, settings: LLMSettings) -> LLMService:
        try:
            found = await self._ollama(settings, PROBE_TIMEOUT_S)
        except ModelError as error:
            because = f"auto: {error.message.rstrip('.')}; using the embedded trial model"
            try:
                return await self._embedded(settings, because)
            except ModelFileRejected as missing:
                raise ModelFileRejected(
                    f"{missing.message} It was needed by {because}.",
                    remedy=f"{missing.remedy} Or use Ollama: {error.remedy}",
                ) from missing
        return found.because(f"auto: Ollama at {found.identity.endpoint} has {settings.model}")

    async def _ollama(self, settings: LLMSettings, probe_timeout_s: float) -> OllamaLLM:
        return await OllamaLLM.connect(
            base_url=settings.base_url or OLLAMA_URL,
            model=settings.model,
            clock=self.clock,
            num_ctx=settings.num_ctx,
            keep_alive=settings.keep_alive,
            probe_timeout_s=probe_timeout_s,
            headers=self.headers,
        )

    async def _openai(self, settings: LLMSettings) -> OpenAIChatLLM:
        if settings.base_url is None:
            line = settings.setting("BASE_URL")
            mark = ": " if "." in settings.prefix else "="
            raise SettingsRejected(
                f"{settings.setting('PROVIDER')} is openai, but {line} is not set.",
                remedy=f"Set {line}{mark}http://127.0.0.1:8080/v1 for llama.cpp's server, http://127.0.0.1:8000/v1"
                " for vLLM, http://127.0.0.1:1234/v1 for LM Studio, or a cloud's address.",
            )
        return await OpenAIChatLLM.connect(
            base_url=settings.base_url,
            model=settings.model,
            clock=self.clock,
            api_key=settings.api_key,
            key_variable=settings.key_variable or settings.setting("API_KEY"),
            num_ctx=settings.num_ctx,
            probe_timeout_s=5 * PROBE_TIMEOUT_S,
            headers=self.headers,
        )

    async def _embedded(self, settings: LLMSettings, because: str) -> EmbeddedLLM:
        own = settings.model_file
        path = own or model_file.find(self.cache_dir)
        if path is None:
            raise ModelFileRejected(
                f"The embedded model's file is not in {self.cache_dir}.",
                remedy="Run `planwarden models fetch`.",
            )
        check = self._checks(own)
        digest = await asyncio.to_thread(check, path)
        label = own.stem if own and digest != model_file.SMOLLM2.digest else DEFAULT_LABEL
        found = await asyncio.to_thread(self._adapter, settings.adapter, digest)
        return EmbeddedLLM(
            self._engine(path, settings, check, found.path if found else None),
            clock=self.clock,
            digest=found.on(digest) if found else digest,
            model=f"{label}+{found.label}" if found else label,
            chosen_because=because,
            adapter=found.digest if found else None,
        )

    def _adapter(self, wanted: Literal["auto", "none"] | Path, base: str) -> adapter.Adapter | None:
        match wanted:
            case "none":
                return None
            case "auto":
                return adapter.automatic(self.adapters_dir, base)
            case _:
                return adapter.own(wanted, base)

    def _engine(
        self, path: Path, settings: LLMSettings, check: Callable[[Path], str], adapted: Path | None
    ) -> EmbeddedEngine:
        self._engines = [engine for engine in self._engines if not engine.closed]
        for engine in self._engines:
            if engine.options.path != path or (adapted is not None and not engine.offer_adapter(adapted)):
                continue
            if engine.offer_context(settings.num_ctx):
                return engine
        options = EngineOptions(
            path=path,
            n_ctx=settings.num_ctx,
            threads=settings.threads,
            adapter=adapted,
            listener_key=self.ids.nonce(),
        )
        engine = EmbeddedEngine(options, check=check)
        self._engines.append(engine)
        return engine

    def _checks(self, own: Path | None) -> Callable[[Path], str]:
        if own is None:
            return model_file.verify
        named = digest_bytes(str(own.absolute()).encode()).removeprefix("sha256:")[:16]
        return partial(model_file.digest_of, memo=self.cache_dir / f"{named}.verified.json")


def _check_base_url(settings: LLMSettings) -> None:
    if settings.base_url is None:
        return
    try:
        url = httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        url, why = None, str(error)
    else:
        why = "it needs http:// or https:// and a host"
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        raise SettingsRejected(
            f"{settings.setting('BASE_URL')} is {settings.base_url!r}: {why}.",
            remedy=f"Set it to the server's address, for example {OLLAMA_URL}.",
        )
    if url.userinfo or url.query:
        raise SettingsRejected(
            f"{settings.setting('BASE_URL')} holds more than an address: it would stand in every record.",
            remedy=f"Put the key into {settings.key_variable or settings.setting('API_KEY')}.",
        )
