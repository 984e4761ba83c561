"""docs/guides/builtin-tools.md: each tool's call gives exactly what the page shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
from documents import ROOT

from planwarden import Planwarden, ToolContext, load_settings
from planwarden.tools.builtin import BUILTIN_NAMES

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("DOC-8")]

PAGE = (ROOT / "docs" / "guides" / "builtin-tools.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `([a-z.]+)`\n(.*?)(?=^### `|\Z)", PAGE, re.MULTILINE | re.DOTALL))
NOW = datetime(2026, 3, 9, 22, 30, tzinfo=UTC)
HOST = "host.example"


def test_the_page_shows_every_builtin_tool() -> None:
    assert sorted(SECTIONS) == sorted(BUILTIN_NAMES)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
async def test_a_builtin_tool_gives_what_the_page_shows(name: str, tmp_path: Path) -> None:
    documents = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", SECTIONS[name], re.DOTALL)]
    (shown,) = re.findall(r"```text\n(.*?)\n```", SECTIONS[name], re.DOTALL)
    arguments, *answers = documents
    with Answering(json.dumps(answers[0] if answers else None)) as url:
        servers = {"web_search_url": url, "quotes_url": url + "/quote?of={symbol}"}
        settings = load_settings({"planwarden_home": tmp_path, "tools": servers})
        async with Planwarden.open(settings) as planwarden:
            tool = (await planwarden.world()).tools[name]
        context = ToolContext(run_id="r", call_id="s1.1", idempotency_key="k", now=NOW)
        value = cast("dict[str, Any]", await tool.invoke(arguments, context))
    assert value["text"].replace(url.removeprefix("http://"), HOST) == shown


class Answering:
    """A server on loopback that gives one JSON document to whatever it is asked."""

    def __init__(self, body: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(20)
        self._server.server_close()
