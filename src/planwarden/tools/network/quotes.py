"""`finance.quote`: the live price of a symbol, from a service that the operator named."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.network.asking import Server
from planwarden.tools.network.quote_answer import QuoteFields, read_quote

PLACE = "{symbol}"
"""Where an address takes the symbol."""


class Quote(Contract):
    """A live price, in the service's own unit; `source` is the service's host."""

    text: str
    symbol: str
    price: float
    currency: str | None
    time: str | None
    source: str


def quote_tools(server: Server | None, fields: QuoteFields) -> tuple[FunctionTool, ...]:
    """Make the quote tool; none without a server."""
    return () if server is None else (_quote_tool(server, fields),)


def _quote_tool(server: Server, fields: QuoteFields) -> FunctionTool:
    @tool(
        name="finance.quote",
        effect="read",
        description="Live price of one stock or other symbol right now, from a quote service on the network."
        " The symbol is sent to the service.",
        alternatives=("finance.snapshot",),
        examples=(
            ToolExample(
                request="Live quote for IBM",
                arguments={"symbol": "IBM"},
                returns={"symbol": "IBM", "text": "IBM is at "},
            ),
            "What does the stock trade at right now?",
            "Real-time share price, please",
            "Fetch the live price from the market",
            "Where is the stock trading at this very moment?",
        ),
        network=True,
        timeout_s=server.timeout_s + 5,
    )
    async def live_quote(
        symbol: Annotated[
            str,
            Field(
                description="The symbol as the service knows it, like IBM",
                pattern=r"^[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,23}$",
            ),
        ],
    ) -> Quote:
        # the pattern leaves no sign that means something in an address; quoted all the same
        address = server.address.replace(PLACE, quote(symbol, safe=""))
        answer = await server.get(address, accept="application/json, text/csv;q=0.9, text/plain;q=0.8")
        try:
            found = read_quote(answer.text, symbol, fields)
        except ValueError as error:
            raise ToolFailed(
                f"the answer of {server.host} cannot be read as a quote: {error}.",
                remedy="Say where its parts stand: TOOLS__QUOTES_PRICE, TOOLS__QUOTES_TIME,"
                " TOOLS__QUOTES_CURRENCY.",
            ) from error
        if found is None:
            raise ToolFailed(f"{server.host} has no price for {symbol}.", remedy="Ask for another symbol.")
        unit = f" {found.currency}" if found.currency else ""
        at = f", as of {found.time}" if found.time else ""
        return Quote(
            text=f"{symbol} is at {found.price:,.10g}{unit}{at} (live, from {server.host}).",
            symbol=symbol,
            price=found.price,
            currency=found.currency,
            time=found.time,
            source=server.host,
        )

    return live_quote
