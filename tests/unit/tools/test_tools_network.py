"""Network tools against real servers on loopback: what is asked, what is read, and every fault typed."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from fitting import output_problems
from loopback import Loopback, said

from planwarden.contracts.json_schema import schema_problems
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool
from planwarden.tools.network.asking import MAX_BYTES, Server
from planwarden.tools.network.quote_answer import QuoteFields
from planwarden.tools.network.quotes import quote_tools
from planwarden.tools.network.web_search import web_tools
from planwarden.tools.tool import ToolContext

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("TOOL-13")]

RESULTS = {
    "results": [
        {"title": "One", "url": "https://one.example/a", "content": "First\x1b[31m  page.", "engine": "x"},
        {"title": "Again", "url": "https://one.example/a", "content": ""},
        {"title": "Script", "url": "javascript:alert(1)", "content": ""},
        {"title": "", "url": "http://two.example", "content": None},
        {"title": "Three", "url": "https://three.example", "content": "x" * 1000},
        "junk",
    ]
}


def named(address: str, timeout_s: float = 20.0) -> Server:
    return Server(
        setting="TOOLS__WEB_SEARCH_URL", address=address, timeout_s=timeout_s, user_agent="planwarden/9"
    )


async def search(context: ToolContext, address: str, query: str, **more: Any) -> dict[str, Any]:
    (tool,) = web_tools(named(address))
    value = cast("dict[str, Any]", await tool.invoke({"query": query, **more}, context))
    assert output_problems(tool.spec, value) == ()
    return value


def quote_tool(address: str, **fields: str) -> FunctionTool:
    (tool,) = quote_tools(named(address), QuoteFields(**fields))
    return tool


async def quoted(context: ToolContext, answer: bytes, **fields: str) -> dict[str, Any]:
    async with Loopback(answers=[answer]).serve() as server:
        tool = quote_tool(f"{server.url}/q/{{symbol}}?key=SECRET", **fields)
        value = cast("dict[str, Any]", await tool.invoke({"symbol": "BRK.B"}, context))
    assert output_problems(tool.spec, value) == ()
    return value


async def test_a_search_sends_its_words_and_nothing_else_and_gives_what_pages_have_an_address(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with Loopback(answers=[said(json.dumps(RESULTS))]).serve() as server:
        value = await search(context, server.url, "rates & 50% rise?", limit=3)
    assert [hit["url"] for hit in value["hits"]] == [
        "https://one.example/a", "http://two.example", "https://three.example",
    ]  # fmt: skip
    assert value["hits"][0] == {
        "title": "One", "url": "https://one.example/a", "snippet": "First [31m page.",
    }  # fmt: skip
    assert value["hits"][1]["title"] == "http://two.example"
    assert len(value["hits"][2]["snippet"]) == 300
    (head,) = server.asked
    lines = head.strip().split("\r\n")
    assert lines[0] == "GET /search?q=rates+%26+50%25+rise%3F&format=json HTTP/1.1"
    assert {line.split(":")[0].lower() for line in lines[1:]} == {
        "host", "accept", "accept-encoding", "connection", "user-agent",
    }  # fmt: skip
    assert "User-Agent: planwarden/9" in lines


@pytest.mark.parametrize("path", ["/search", "/searx/search/", "/searx?language=de"])
async def test_an_instance_may_be_named_by_any_of_its_addresses(context: ToolContext, path: str) -> None:
    async with Loopback(answers=[said(json.dumps(RESULTS))]).serve() as server:
        assert len((await search(context, server.url + path, "x", limit=1))["hits"]) == 1
    target = server.asked[0].split(" ")[1]
    assert target.split("?")[0] in ("/search", "/searx/search")
    assert target.endswith("q=x&format=json")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (said("<html>log in</html>", kind="text/html"), "does not answer a search"),
        (said('{"results": '), "does not answer a search"),
        (said("[" * 100_000), "does not answer a search"),
        (said('{"results": {}}'), "does not answer a search"),
        (said('{"results": []}'), "found nothing for 'x'"),
        (said("{}", status="403 Forbidden"), "status 403. Add `json`"),
        (said("{}", status="429 Too Many", more=("Retry-After: 30",)), "status 429. Wait 30 s"),
        (said("{}", status="500 Oops"), "status 500. Try again later"),
        (said(b"\xff\xfe\xfa"), "not UTF-8"),
        (said(b"x" * (MAX_BYTES + 1)), "more than 2,000,000 bytes"),
        (said(b"\x1f\x8b", more=("Content-Encoding: gzip",)), "packed"),
        (said("{}")[:-1], "cannot be asked: RemoteProtocolError"),
        (b"nonsense\r\n\r\n", "cannot be asked: RemoteProtocolError"),
        (b"", "cannot be asked: RemoteProtocolError"),
        (said("", status="302 Found", more=("Location: http://127.0.0.1:1/search",)), "nobody configured"),
        (said("", status="302 Found", more=("Location: http://[::1",)), "cannot be asked"),
        (said("", status="302 Found", more=("Location: file:///etc/passwd",)), "nobody configured"),
        (said("", status="302 Found", more=("Location: /again",)), "more than 3 times"),
    ],
)
async def test_each_fault_of_a_server_is_a_failed_tool_with_a_remedy(
    context: ToolContext, answer: bytes, says: str
) -> None:
    async with Loopback(answers=[answer]).serve() as server:
        with pytest.raises(ToolFailed) as raised:
            await search(context, server.url, "x")
    assert says in str(raised.value)
    assert raised.value.remedy


async def test_a_server_that_is_not_there_or_never_answers_fails_within_its_time(
    context: ToolContext,
) -> None:
    with pytest.raises(ToolFailed, match="cannot be asked: ConnectError"):
        await search(context, "http://127.0.0.1:1", "x")
    async with Loopback(answers=[None]).serve() as server:
        (tool,) = web_tools(named(server.url, timeout_s=0.2))
        with pytest.raises(ToolFailed, match=r"did not answer within 0\.2 s"):
            await tool.invoke({"query": "x"}, context)


async def test_a_redirect_within_the_server_is_followed_to_its_end(context: ToolContext) -> None:
    moved = said("", status="301 Moved", more=("Location: /found", "Set-Cookie: id=1"))
    async with Loopback(answers=[moved, said(json.dumps(RESULTS))]).serve() as server:
        assert (await search(context, server.url, "x"))["hits"]
    assert server.asked[1].startswith("GET /found ")
    assert "cookie" not in server.asked[1].lower()


@pytest.mark.parametrize(
    ("body", "fields", "expected"),
    [
        ('{"price": 12.5, "currency": "USD", "date": "2026-03-09"}', {}, (12.5, "2026-03-09", "USD")),
        ('{"c": 261.74, "t": 1582641000}', {}, (261.74, "2020-02-25T14:30:00+00:00", None)),
        ('[{"last": "1e3"}]', {}, (1000.0, None, None)),
        (
            '{"Global Quote": {"05. price": "99.10", "07/day": "Mon"}}',
            {"price": "/Global Quote/05. price", "time": "/Global Quote/07~1day"},
            (99.1, "Mon", None),
        ),
        ('[{"x": [1, 2]}]', {"price": "/0/x/1"}, (2.0, None, None)),
        (
            "Symbol,Date,Time,Open,Close\r\nBRK.B,2026-03-09,22:00:01,1,412.5\r\n",
            {},
            (412.5, "2026-03-09 22:00:01", None),
        ),
        ("timestamp,close\n2026-03-09,3\n2026-03-10,4\n2026-03-08,2\n", {}, (4.0, "2026-03-10", None)),
        ("ticker,Price\nAAA,1\nbrk.b,2\n", {}, (2.0, None, None)),
        ("day,Bid,Ccy\nx,7,EUR\n", {"price": "bid", "time": "day", "currency": "ccy"}, (7.0, "x", "EUR")),
    ],
)
async def test_a_quote_is_read_from_json_and_csv(
    context: ToolContext, body: str, fields: dict[str, str], expected: tuple[Any, ...]
) -> None:
    value = await quoted(context, said(body, kind="text/plain"), **fields)
    assert (value["price"], value["time"], value["currency"]) == expected
    assert value["symbol"] == "BRK.B"
    assert value["text"].startswith("BRK.B is at ")


@pytest.mark.parametrize(
    ("body", "fields", "says"),
    [
        ("<html>", {}, "cannot be read as a quote: it is a web page"),
        ("{", {}, "cannot be read as a quote"),
        ("[" * 100_000, {}, "cannot be read as a quote"),
        ('{"a": 1}', {}, "it has no field named price"),
        ('{"a": 1}', {"price": "/b/c"}, "it has no /b/c"),
        ("", {}, "its first row names no column"),
        ("a,b\n1,2\n", {}, "its first row names no column"),
        ('a,"b\n', {}, "cannot be read as a quote"),
        ('{"price": 0}', {}, "has no price for BRK.B"),
        ('{"price": null}', {}, "has no price for BRK.B"),
        ('{"price": true}', {}, "has no price for BRK.B"),
        ('{"price": NaN}', {}, "has no price for BRK.B"),
        ('{"price": [1]}', {}, "has no price for BRK.B"),
        ("[]", {}, "has no price for BRK.B"),
        ("Symbol,Close\nBRK.B,N/D\n", {}, "has no price for BRK.B"),
        ("Symbol,Close\nOTHER,1\n", {}, "has no price for BRK.B"),
    ],
)
async def test_an_answer_without_a_price_is_a_failed_tool_that_shows_no_key(
    context: ToolContext, body: str, fields: dict[str, str], says: str
) -> None:
    with pytest.raises(ToolFailed) as raised:
        await quoted(context, said(body, kind="text/plain"), **fields)
    assert says in str(raised.value)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    "symbol", ["../admin", "a/b", "a?b", "a#b", "..", "a b", "@host", "", "%2e", "a" * 25]
)
def test_a_symbol_cannot_change_what_is_asked(symbol: str) -> None:
    tool = quote_tool("https://host.example/{symbol}")
    assert schema_problems(tool.spec.parameters, {"symbol": symbol})


def test_network_tools_say_so_and_are_not_there_without_a_server() -> None:
    assert web_tools(None) == quote_tools(None, QuoteFields()) == ()
    specs = [web_tools(named("http://a.example"))[0].spec, quote_tool("http://a.example/{symbol}").spec]
    assert all(spec.network and spec.untrusted_output and spec.effect == "read" for spec in specs)
