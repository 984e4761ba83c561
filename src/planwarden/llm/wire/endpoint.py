"""A model server's address: whether it is on this machine, why it did not answer, how long it may take."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from planwarden.errors import ModelTimedOut

HeaderSource = Callable[[], Mapping[str, str]]
"""Gives headers that depend on when they are sent."""


def no_headers() -> Mapping[str, str]:
    """Give none."""
    return {}


def is_loopback(base_url: str) -> bool:
    """Say whether the server is on this machine, where a configured proxy has no business."""
    host = httpx.URL(base_url).host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def why_unreached(error: BaseException) -> str:
    """Give the operating system's own words from the bottom of a failed exchange, else the error's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return (os.strerror(cause.errno) if cause.errno > 0 else cause.strerror).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


@asynccontextmanager
async def within(timeout_s: float, what: str) -> AsyncGenerator[None]:
    """Hold a whole exchange to one deadline; `what` says what did not happen.

    Raises:
        ModelTimedOut: `timeout_s` is past.
    """
    deadline = asyncio.timeout(timeout_s)
    try:
        async with deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ModelTimedOut(
            f"{what} within {round(timeout_s, 3):g} s.",
            remedy="Raise TIMEOUT_S, or look whether the server is busy or loading a model.",
        ) from error
