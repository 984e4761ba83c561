"""BLAS on one thread while the ranker works: its other threads spin for a while after each product.

OpenBLAS keeps its workers spinning, about 30 ms by default (`OPENBLAS_THREAD_TIMEOUT`), for the next product.
On two processors that takes one of them from the encoder, which shares its batches out by itself.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


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
