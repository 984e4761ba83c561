"""All the tools that ship, over one set of data; tools without data are left out, with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path

from planwarden.tools.data_sources import DataSources
from planwarden.tools.domains.calculator import calculator_tools
from planwarden.tools.domains.creative import creative_tools
from planwarden.tools.domains.data import data_tools
from planwarden.tools.domains.files import file_tools
from planwarden.tools.domains.finance import finance_tools
from planwarden.tools.domains.playbook import playbook_tools
from planwarden.tools.domains.research import research_tools
from planwarden.tools.domains.time_of_day import clock_tools
from planwarden.tools.function import FunctionTool
from planwarden.tools.network.asking import Server
from planwarden.tools.network.quote_answer import QuoteFields
from planwarden.tools.network.quotes import quote_tools
from planwarden.tools.network.web_search import web_tools
from planwarden.tools.tables import load_tables
from planwarden.tools.tool import Tool

BUILTIN_NAMES = (
    "creative.tonecheck",
    "data.aggregate",
    "data.query",
    "enterprise.playbook",
    "files.read",
    "files.write",
    "finance.analytics",
    "finance.quote",
    "finance.snapshot",
    "research.search",
    "research.summarizer",
    "utils.calculator",
    "utils.clock",
    "web.search",
)
NETWORK_TOOLS = ("finance.quote", "web.search")
"""Off until the operator names a server."""
_NEEDS = {
    "finance.quote": "no quote service is configured: set TOOLS__QUOTES_URL",
    "web.search": "no search service is configured: set TOOLS__WEB_SEARCH_URL",
    "finance": "no table with a date and a price column (price, close, value) among the data",
    "research": "no document with text (.md, .txt, .rst, .html) among the data",
    "enterprise": "no playbook (a document with `kind: playbook`, or in a folder `playbooks`) among the data",
    "data": "no table (.csv, .parquet, .json, .jsonl) among the data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers that tools may ask, as the operator named them; None leaves the tool out."""

    web_search: Server | None = None
    quotes: Server | None = None
    quote_fields: QuoteFields = field(default_factory=QuoteFields)


NO_SERVERS = Servers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtins:
    """The tools that ship, and why some are not there."""

    tools: tuple[Tool, ...]
    unavailable: dict[str, str]
    """Name of a tool → reason."""


def open_builtins(
    sources: DataSources, workspace: Path, state_dir: Path, servers: Servers = NO_SERVERS
) -> Builtins:
    """Load the data once and make every tool that has data to work on, or a server to ask.

    Raises:
        DataRejected: a data file cannot be read as what it is.
    """
    tables = load_tables(sources)
    made: tuple[FunctionTool, ...] = (
        *creative_tools(),
        *data_tools(tables),
        *file_tools(sources, workspace, state_dir),
        *finance_tools(tables),
        *playbook_tools(sources),
        *research_tools(sources),
        *calculator_tools(),
        *clock_tools(),
        *quote_tools(servers.quotes, servers.quote_fields),
        *web_tools(servers.web_search),
    )
    made = tuple(_with_foreign_examples(tool) for tool in made)
    return Builtins(tools=made, unavailable=_missing(tool.spec.name for tool in made))


def _missing(made: Iterable[str]) -> dict[str, str]:
    absent = set(BUILTIN_NAMES) - set(made)
    return {
        name: _NEEDS.get(name) or _NEEDS[name.split(".", maxsplit=1)[0]]
        for name in BUILTIN_NAMES
        if name in absent
    }


def _with_foreign_examples(tool: FunctionTool) -> FunctionTool:
    """Add the requests in other languages that a tool serves."""
    more = [text for texts in foreign_examples().get(tool.spec.name, {}).values() for text in texts]
    return replace(tool, spec=tool.spec.model_copy(update={"foreign_examples": tuple(more)}))


@cache
def foreign_examples() -> dict[str, dict[str, list[str]]]:
    """Read the table: tool → language → requests."""
    return json.loads(
        resources.files("planwarden.tools").joinpath("foreign_examples.json").read_text("utf-8")
    )


def builtin_tools(sources: DataSources, workspace: Path, state_dir: Path) -> tuple[Tool, ...]:
    """Make every tool that has data to work on; see `open_builtins`.

    Raises:
        DataRejected: a data file cannot be read as what it is.
    """
    return open_builtins(sources, workspace, state_dir).tools
