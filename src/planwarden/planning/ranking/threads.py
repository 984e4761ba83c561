"""Threads while the ranker works: its own, which stay, and one of BLAS, whose others spin after each product.

OpenBLAS keeps its workers spinning, about 30 ms by default (`OPENBLAS_THREAD_TIMEOUT`), for the next product.
On two processors that takes one of them from the encoder, which shares its batches out by itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

HANDS = 2
"""Threads that work on batches, the calling one among them.

A fixed number, not the machine's: the last digits depend on the batches.
"""


class _OneThread:
    """Counts who is inside: how many threads BLAS has is the process's, set back when the last one leaves."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limit = ExitStack()
        self._controller: ThreadpoolController | None = None

    @contextmanager
    def __call__(self) -> Generator[None]:
        with self._lock:
            if not self._inside:
                self._limit.enter_context(self._one())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._limit.close()

    def _one(self) -> AbstractContextManager[Any]:
        if self._controller is None:  # looking for the libraries takes a while
            self._controller = ThreadpoolController()
        return self._controller.limit(limits=1, user_api="blas")  # pyright: ignore[reportUnknownMemberType]


one_blas_thread = _OneThread()


class Hands:
    """The calling thread and others that stay: a new thread pays anew for the memory that BLAS works in."""

    def __init__(self) -> None:
        self._others: ThreadPoolExecutor | None = None
        self._process = 0

    def work(self, batches: Sequence[list[int]], on: Callable[[list[int]], None]) -> None:
        """Work on all batches, the longest first; an error of any hand is raised when all have stopped."""
        waiting = deque(reversed(batches))

        def hand() -> None:
            while True:
                try:
                    batch = waiting.popleft()
                except IndexError:
                    return
                on(batch)

        helpers = [self._pool().submit(hand) for _ in batches[1:HANDS]]
        try:
            hand()
        finally:
            for helper in helpers:
                helper.result()

    def _pool(self) -> ThreadPoolExecutor:
        if self._others is None or self._process != os.getpid():  # a forked child has none of the threads
            self._process = os.getpid()
            self._others = ThreadPoolExecutor(HANDS - 1, thread_name_prefix="planwarden-encoder")
        return self._others
