"""The tools that worlds are made of: names, what they are for, and a request that wants them."""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.specs import Effect
from planwarden.evaluation.soak.world.parameters import Param, with_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Archetype:
    """A tool as worlds may have it."""

    name: str
    description: str
    asks: str
    """A request for it, to stand in a sentence."""
    effect: Effect
    params: tuple[Param, ...]

    @property
    def family(self) -> str:
        """Give what stands before the point."""
        return self.name.split(".")[0]


def _number(name: str, high: int = 1_000) -> Param:
    return Param(name=name, kind="number", high=high)


def _text(name: str) -> Param:
    return Param(name=name, kind="text")


def _one_of(name: str, *choices: str) -> Param:
    return Param(name=name, kind="choice", choices=choices)


def _flag(name: str) -> Param:
    return Param(name=name, kind="flag", required=False)


def _tool(name: str, effect: Effect, description: str, asks: str, *params: Param) -> Archetype:
    return Archetype(name=name, effect=effect, description=description, asks=asks, params=with_note(*params))


ARCHETYPES: tuple[Archetype, ...] = (
    _tool("orders.lookup", "read", "Look up one order by its number", "look up order 411", _number("order")),
    _tool(
        "orders.search",
        "read",
        "Search orders by customer name",
        "search the orders of Miller",
        _text("customer"),
    ),
    _tool(
        "orders.refund",
        "external",
        "Refund an amount of an order to the customer",
        "refund 20 of order 411",
        _number("order"),
        _number("amount"),
    ),
    _tool(
        "orders.cancel", "write", "Cancel an order that was not shipped", "cancel order 411", _number("order")
    ),
    _tool(
        "mail.search", "read", "Search e-mails by words", "search the e-mails about the audit", _text("words")
    ),
    _tool(
        "mail.send",
        "external",
        "Send an e-mail to somebody",
        "send an e-mail to Anna",
        _text("to"),
        _text("text"),
    ),
    _tool(
        "mail.draft",
        "write",
        "Write a draft of an e-mail",
        "write a draft to Anna",
        _text("to"),
        _text("text"),
    ),
    _tool(
        "calendar.find",
        "read",
        "Find meetings on a day",
        "find the meetings on Monday",
        _one_of("day", "Monday", "Tuesday", "Friday"),
    ),
    _tool(
        "calendar.book",
        "write",
        "Book a meeting room on a day",
        "book a room on Friday",
        _one_of("day", "Monday", "Tuesday", "Friday"),
        _flag("projector"),
    ),
    _tool(
        "stocks.quote",
        "read",
        "Give the latest price of a stock",
        "give the price of IBM",
        _one_of("symbol", "IBM", "AAPL", "MSFT"),
    ),
    _tool(
        "stocks.history",
        "read",
        "Give past prices of a stock over days",
        "give the prices of IBM over 30 days",
        _one_of("symbol", "IBM", "AAPL", "MSFT"),
        _number("days", 365),
    ),
    _tool(
        "stocks.order",
        "external",
        "Buy a number of shares",
        "buy 5 shares of IBM",
        _one_of("symbol", "IBM", "AAPL", "MSFT"),
        _number("shares"),
    ),
    _tool("weather.now", "read", "Give the weather of a city now", "give the weather in Oslo", _text("city")),
    _tool(
        "weather.forecast",
        "read",
        "Forecast the weather of a city for days",
        "forecast the weather in Oslo for 3 days",
        _text("city"),
        _number("days", 14),
    ),
    _tool(
        "docs.search",
        "read",
        "Search documents by words",
        "search the documents for travel rules",
        _text("words"),
    ),
    _tool("docs.read", "read", "Read a document by its title", "read the document Handbook", _text("title")),
    _tool(
        "docs.append",
        "write",
        "Append a line to a document",
        "append a line to the Handbook",
        _text("title"),
        _text("line"),
    ),
    _tool(
        "files.list",
        "read",
        "List the files of a folder",
        "list the files of the folder reports",
        _text("folder"),
    ),
    _tool("files.delete", "write", "Delete a file of a folder", "delete the file old.txt", _text("file")),
    _tool(
        "tickets.find",
        "read",
        "Find support tickets by state",
        "find the open tickets",
        _one_of("state", "open", "closed"),
    ),
    _tool(
        "tickets.comment",
        "write",
        "Comment on a support ticket",
        "comment on ticket 77",
        _number("ticket"),
        _text("text"),
    ),
    _tool("tickets.close", "write", "Close a support ticket", "close ticket 77", _number("ticket")),
    _tool("travel.flights", "read", "Find flights to a city", "find flights to Rome", _text("city")),
    _tool("travel.trains", "read", "Find trains to a city", "find trains to Rome", _text("city")),
    _tool(
        "travel.book",
        "external",
        "Book a trip to a city for a price",
        "book a trip to Rome for 300",
        _text("city"),
        _number("price"),
    ),
    _tool(
        "payroll.show",
        "read",
        "Show the salary of an employee",
        "show the salary of employee 12",
        _number("employee"),
    ),
    _tool(
        "payroll.pay",
        "external",
        "Pay an amount to an employee",
        "pay 50 to employee 12",
        _number("employee"),
        _number("amount"),
    ),
    _tool(
        "text.translate",
        "read",
        "Translate a text into a language",
        "translate the text into French",
        _text("text"),
        _one_of("language", "French", "German"),
    ),
    _tool(
        "text.summarise", "read", "Summarise a text in a few sentences", "summarise the text", _text("text")
    ),
    _tool("sums.add", "read", "Add two numbers", "add 4 and 5", _number("first"), _number("second")),
)
"""Enough that worlds differ, few enough that their embeddings are kept."""
