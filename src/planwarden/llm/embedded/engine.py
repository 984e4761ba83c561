"""llama.cpp inside the process: one load of the weights, one thread, one request at a time.

The engine is shared by every service on the same weights and lets go of them when the last one is closed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from planwarden.errors import ModelFileRejected, ModelUnavailable, ReplyInvalid
from planwarden.llm.embedded.kept_prompt import (
    Body,
    KeptPrompt,
    leaving_off_earlier,
    prompt_read,
    with_read,
)

OnChunk = Callable[[object], bool]
_T = TypeVar("_T")

BATCH_TOKENS = 256
"""Prompt tokens between two looks at the stop flag: about a second on two slow cores."""


class ChatServer(Protocol):
    """The part of `xllamacpp.Server` that is used."""

    def handle_chat_completions(self, body: Body, on_chunk: OnChunk) -> object:
        """Answer; each chunk goes to `on_chunk`, which returns True to stop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What a load of the weights depends on."""

    path: Path
    n_ctx: int = 2048
    """Context length in tokens."""
    threads: int = 2
    """A fixed number, not the machine's: log-probabilities depend on it in the third digit."""
    adapter: Path | None = None
    """A LoRA adapter that is loaded too and applied to the requests that ask for it, to no other."""
    listener_key: str
    """llama.cpp always opens a loopback listener; this random key keeps everyone else out."""


def load_llama(options: EngineOptions) -> ChatServer:
    """Load the weights with llama.cpp; takes about a second and blocks.

    Raises:
        ModelFileRejected: llama.cpp itself, or the file with these options, cannot be loaded.
    """
    # Threads that spin while they wait make a busy machine 10 times slower, threads that sleep at once make
    # an idle one 2 times slower: spin briefly. libgomp reads this once, when it is loaded.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        llama: Any = importlib.import_module("xllamacpp")  # 30 MB that only the embedded provider needs
    except ImportError as error:
        raise ModelFileRejected(
            f"llama.cpp cannot be loaded: {error}.",
            remedy="Install OpenMP's library (Debian, Ubuntu: `apt-get install libgomp1`), or use Ollama.",
        ) from error
    params = llama.CommonParams()
    params.model.path = str(options.path)
    params.n_ctx = options.n_ctx
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    # With flash attention, what a token comes to depends on how many are read together: see kept_prompt.py.
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.n_parallel = 1
    params.cache_ram_mib = 0
    params.warmup = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    if options.adapter is not None:
        params.lora_adapters = [
            llama.CommonAdapterLoraInfo(str(options.adapter), 0.0)
        ]  # off unless asked for
    params.api_keys = [options.listener_key]
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = -1
    try:
        return cast("ChatServer", llama.Server(params))
    except RuntimeError as error:
        raise ModelFileRejected(
            f"llama.cpp cannot load {options.path} with a context of {options.n_ctx} tokens: {error}",
            remedy="Check that the file is a GGUF model, or run `planwarden models fetch`"
            + (f"; {options.adapter} has to be an adapter for it." if options.adapter else "."),
        ) from error


class EmbeddedEngine:
    """Loads on first use, in its own thread; requests wait in line there, never on the event loop."""

    def __init__(
        self,
        options: EngineOptions,
        *,
        check: Callable[[Path], object],
        load: Callable[[EngineOptions], ChatServer] = load_llama,
    ) -> None:
        """Take what a load needs; `check` may refuse the file and runs right before it is loaded."""
        self._options = options
        self._check = check
        self._load = load
        self._server: ChatServer | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planwarden-llama")
        self._stops: set[threading.Event] = set()
        self._users = 0
        self._closed = False
        self._load_begun = False
        self._held: KeptPrompt | None = None
        """What llama.cpp still has of the last prompt; None where nobody knows."""

    @property
    def options(self) -> EngineOptions:
        """Say what the weights are loaded with."""
        return self._options

    @property
    def closed(self) -> bool:
        """Say whether the weights were let go."""
        return self._closed

    def offer_context(self, n_ctx: int) -> bool:
        """Say whether `n_ctx` tokens fit; before the load, the context grows to fit them."""
        if n_ctx > self._options.n_ctx and not self._load_begun:
            self._options = replace(self._options, n_ctx=n_ctx)
        return n_ctx <= self._options.n_ctx

    def offer_adapter(self, adapter: Path) -> bool:
        """Say whether this adapter can be asked for; before the load, it is added."""
        if self._options.adapter is None and not self._load_begun:
            self._options = replace(self._options, adapter=adapter)
        return adapter == self._options.adapter

    def acquire(self) -> None:
        """Count one more service on these weights."""
        self._users += 1

    async def release(self) -> None:
        """Count one service less; the last one frees the weights and waits for the thread to end."""
        self._users -= 1
        if self._users <= 0:
            await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Stop what runs, free the weights, end the thread; blocks for one batch at most."""
        self._closed = True
        for stop in tuple(self._stops):
            stop.set()
        self._executor.submit(self._unload)
        self._executor.shutdown(wait=True)

    async def load(self) -> None:
        """Load now instead of at the first request.

        Raises:
            ModelFileRejected: the file is missing, refused by `check`, or not loadable.
        """
        await asyncio.wrap_future(self._submit(self._loaded))

    async def chat(self, body: Body) -> list[object]:
        """Answer with every chunk that llama.cpp streams; a cancelled caller returns at once.

        Raises:
            ModelFileRejected: as for `load`.
            ReplyInvalid: llama.cpp refuses the request.
        """
        stop = threading.Event()
        future = self._submit(lambda: self._chat(body, stop))
        self._stops.add(stop)
        try:
            return await asyncio.wrap_future(future)
        finally:
            stop.set()
            self._stops.discard(stop)

    def _submit(self, work: Callable[[], _T]) -> Future[_T]:
        if self._closed:
            raise ModelUnavailable("The embedded model was closed.", remedy="Open it again.")
        self._load_begun = True
        return self._executor.submit(work)

    def _loaded(self) -> ChatServer:
        if self._server is None:
            self._check(self._options.path)
            self._server = self._load(self._options)
        return self._server

    def _unload(self) -> None:
        self._server = None

    def _chat(self, body: Body, stop: threading.Event) -> list[object]:
        """Answer; what is kept of the last prompt is used only where the reply is the same without it."""
        held, self._held = self._held, None
        if held is None or not body.get("cache_prompt") or not held.serves(body):
            return self._held_after(body, stop, {**body, "cache_prompt": False})
        before = 0
        if held.is_of(body):
            try:
                left = prompt_read(self._streamed(leaving_off_earlier(body), stop))
            except ReplyInvalid:  # chat templates refuse turns that do not alternate
                return self._held_after(body, stop, {**body, "cache_prompt": False})
            before = left.fresh if left is not None else 0
        chunks = self._held_after(body, stop, body)
        read = prompt_read(chunks)
        if stop.is_set() or (read is not None and read.as_if_anew(held, BATCH_TOKENS)):
            return with_read(chunks, before)
        return self._held_after(body, stop, {**body, "cache_prompt": False})

    def _held_after(self, body: Body, stop: threading.Event, sent: Body) -> list[object]:
        chunks = self._streamed(sent, stop)
        read = prompt_read(chunks)
        if read is not None and not stop.is_set():
            self._held = KeptPrompt(messages=body["messages"], adapter=body.get("lora"), tokens=read.tokens)
        return chunks

    def _streamed(self, body: Body, stop: threading.Event) -> list[object]:
        server = self._loaded()
        chunks: list[object] = []

        def on_chunk(chunk: object) -> bool:
            chunks.append(chunk)
            return stop.is_set()

        try:
            server.handle_chat_completions(body, on_chunk)
        except (ValueError, RuntimeError) as error:
            raise ReplyInvalid(
                f"llama.cpp refused the request: {error}",
                remedy="Look at the prompt and the schema in the dossier; this request will not work again.",
            ) from error
        return chunks
