"""Asking one configured server over HTTP: one deadline, bounded size, and no other host than that one.

What leaves the machine is the request for the address made here, and nothing else: no cookies, no referrer.
Messages name the host only; an address may hold a key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
import httpx

from planwarden.errors import ToolFailed

MAX_BYTES = 2_000_000
"""Of one answer."""
MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: status 2xx, its kind without parameters in lower case, its text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that the operator named by a setting."""

    setting: str
    """The variable that names it, for remedies."""
    address: str
    timeout_s: float
    user_agent: str

    @property
    def host(self) -> str:
        """Give the server's name and port, as messages may show it."""
        parts = urlsplit(self.address)
        return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")

    async def get(self, address: str, *, accept: str, remedies: Mapping[int, str] | None = None) -> Answer:
        """Ask for an address on this server, within its time.

        Args:
            address: the whole address; of this server.
            accept: the kinds wanted, as the header says them.
            remedies: for a status, what to do about it.

        Raises:
            ToolFailed: nothing answers in time, the answer is too large, not text, or not a success, or it
                leads to another server.
        """
        try:
            with anyio.fail_after(self.timeout_s):
                return await self._get(httpx.URL(address), accept, remedies or {})
        except TimeoutError as error:
            raise ToolFailed(
                f"{self.host} did not answer within {self.timeout_s:g} s.",
                remedy="Try again later, or raise TOOLS__TIMEOUT_S.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ToolFailed(
                f"{self.host} cannot be asked: {type(error).__name__}.",
                remedy=f"Check that the server runs and that {self.setting} names it.",
            ) from error

    async def _get(self, url: httpx.URL, accept: str, remedies: Mapping[int, str]) -> Answer:
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": self.user_agent}
        home = _origin(url)
        async with httpx.AsyncClient(
            timeout=None,  # noqa: S113 - the whole exchange has a deadline, see get()
            trust_env=not is_loopback(url.host),
            headers=headers,
        ) as http:
            for _ in range(MAX_REDIRECTS + 1):
                async with http.stream("GET", url, follow_redirects=False) as response:
                    if response.next_request is None:
                        return await self._answer(response, remedies)
                    url = response.next_request.url
                http.cookies.clear()
                if _origin(url) != home:
                    raise ToolFailed(
                        f"{self.host} sends on to {url.scheme}://{url.host}, which nobody configured.",
                        remedy=f"If that is meant, name it in {self.setting}.",
                    )
        raise ToolFailed(
            f"{self.host} sends on more than {MAX_REDIRECTS} times.", remedy=f"Check {self.setting}."
        )

    async def _answer(self, response: httpx.Response, remedies: Mapping[int, str]) -> Answer:
        if not response.is_success:
            raise self._refused(response, remedies)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ToolFailed(f"{self.host} sends packed text unasked.", remedy="Check the server.")
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > MAX_BYTES:
                raise ToolFailed(f"{self.host} sends more than {MAX_BYTES:,} bytes.", remedy="Ask for less.")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ToolFailed(
                f"{self.host} sends something that is not UTF-8 text.", remedy=f"Check {self.setting}."
            ) from error
        kind = str(response.headers.get("Content-Type", "")).split(";", maxsplit=1)[0].strip().lower()
        return Answer(kind=kind, text=text)

    def _refused(self, response: httpx.Response, remedies: Mapping[int, str]) -> ToolFailed:
        status = response.status_code
        default = f"Check {self.setting}." if status < 500 else "Try again later."
        if status == 429:
            wait = str(response.headers.get("Retry-After", ""))
            default = f"Wait {wait} s." if wait.isdecimal() and len(wait) < 7 else "Ask less often."
        return ToolFailed(f"{self.host} answers with status {status}.", remedy=remedies.get(status, default))


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    ports = {"http": 80, "https": 443}
    return url.scheme, url.host, url.port or ports.get(url.scheme)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine by its name alone; no proxy stands before it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
