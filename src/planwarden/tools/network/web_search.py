"""`web.search`: a web search by a SearXNG instance that the operator named.

Source: the JSON answers of https://docs.searxng.org/dev/search_api.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract, Json
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.network.asking import Server

MAX_SNIPPET_CHARS = 300
MAX_URL_CHARS = 2_000
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


class WebHit(Contract):
    """A page that was found; the snippet is the search engine's."""

    title: str
    url: str
    snippet: str


class WebResults(Contract):
    """The best pages, best first."""

    text: str
    hits: tuple[WebHit, ...]


def web_tools(server: Server | None) -> tuple[FunctionTool, ...]:
    """Make the web search; none without a server."""
    return () if server is None else (_search_tool(server),)


def _search_tool(server: Server) -> FunctionTool:
    @tool(
        name="web.search",
        effect="read",
        description="Search the web, beyond the user's own documents: titles, addresses, snippets of pages."
        " The query is sent to a search service.",
        alternatives=("research.search",),
        examples=(
            ToolExample(
                request="Search the web for the Python programming language",
                arguments={"query": "Python programming language", "limit": 3},
                returns={"hits": [{"url": "http"}]},
            ),
            "What is in the news today about interest rates?",
            "Find the website of the city of Lisbon",
            "Google the release notes of the newest version",
            "Look it up on the internet",
            "Which web pages explain this error message?",
        ),
        network=True,
        timeout_s=server.timeout_s + 5,
    )
    async def search(
        query: Annotated[str, Field(description="Words to search for", min_length=1, max_length=400)],
        limit: Annotated[int, Field(description="How many pages", ge=1, le=10)] = 5,
    ) -> WebResults:
        if not query.strip():
            raise ToolFailed("the query holds no words.", remedy="Search for words or numbers.")
        answer = await server.get(
            _address(server.address, query),
            accept="application/json",
            remedies={403: "Add `json` to `search: formats:` in the instance's settings.yml."},
        )
        hits = tuple(_hits(_read(answer.text, server), limit))
        if not hits:
            raise ToolFailed(f"{server.host} found nothing for '{query[:100]}'.", remedy="Try other words.")
        return WebResults(text="\n".join(f"{hit.title} [{hit.url}] {hit.snippet}" for hit in hits), hits=hits)

    return search


def _address(base: str, query: str) -> str:
    """Give the address of a search; an instance may be named by itself or by its `/search`."""
    scheme, place, path, given, _ = urlsplit(base)
    path = path.rstrip("/")
    path = path if path.endswith("/search") else f"{path}/search"
    asked = urlencode({"q": query, "format": "json"})
    return urlunsplit((scheme, place, path, f"{given}&{asked}" if given else asked, ""))


def _read(text: str, server: Server) -> Sequence[Json]:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_search(server) from error
    found = cast("Mapping[str, Json]", value).get("results") if isinstance(value, Mapping) else None
    if not isinstance(found, list):
        raise _no_search(server)
    return cast("Sequence[Json]", found)


def _no_search(server: Server) -> ToolFailed:
    return ToolFailed(
        f"{server.host} does not answer a search with SearXNG's JSON.",
        remedy=f"Name a SearXNG instance with JSON answers in {server.setting}.",
    )


def _hits(found: Sequence[Json], limit: int) -> list[WebHit]:
    """Take what has a web address, each address once."""
    hits: dict[str, WebHit] = {}
    for each in found:
        if not isinstance(each, Mapping) or len(hits) == limit:
            continue
        fields = cast("Mapping[str, Json]", each)
        url = _plain(fields.get("url"), MAX_URL_CHARS + 1)
        if _is_web_address(url) and len(url) <= MAX_URL_CHARS:
            hit = WebHit(
                title=_plain(fields.get("title"), 200) or url,
                url=url,
                snippet=_plain(fields.get("content"), MAX_SNIPPET_CHARS),
            )
            hits.setdefault(url, hit)
    return list(hits.values())


def _is_web_address(url: str) -> bool:
    """Say whether a text is an address of the web, not of a script or a file."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url


def _plain(value: Json, most: int) -> str:
    """Give a text on one line, without what would steer a terminal, cut."""
    text = " ".join(_UNSEEN.sub(" ", value).split()) if isinstance(value, str) else ""
    return text if len(text) <= most else text[: most - 1] + "…"
