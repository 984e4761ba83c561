"""Trying tools by their own examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from planwarden import Planwarden, ToolContext, ToolExample, load_settings, tool
from planwarden.app.trials import Trial, TrialRules, try_tool
from planwarden.errors import InputError, ToolFailed
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tools.tool import Done, NotDone, Tool, Unknown, Verification

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("TOOL-14")]


def rules(*, consent: bool = False) -> TrialRules:
    return TrialRules(clock=TickingClock(), ids=CountingIds(), consent=consent)


def echo(example: ToolExample) -> Tool:
    @tool(name="my.echo", effect="read", examples=[example, "words only"])
    def echo(word: str) -> dict[str, str]:
        """Say it again."""
        if word == "fail":
            raise ToolFailed("it will not", remedy="Ask otherwise.")
        return {"text": word}

    return echo


@pytest.mark.requirement("TOOL-11")
async def test_every_builtin_tool_is_tried_over_the_samples_and_writes_nothing_of_the_users(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    async with Planwarden.open(load_settings({"planwarden_home": home})) as planwarden:
        trials = await planwarden.try_tools()
        world = await planwarden.world()
    assert [trial for trial in trials if trial.outcome != "ok"] == []
    assert {trial.tool for trial in trials} == set(world.catalog.tools)
    assert "files.write" in {trial.tool for trial in trials}
    assert not home.exists()


@pytest.mark.requirement("TOOL-11")
async def test_examples_are_made_of_the_users_own_data(tmp_path: Path) -> None:
    (tmp_path / "quotes.csv").write_text('symbol,date,price\n"O\'Hara ""X""",2024-01-02,7\n', "utf-8")
    (tmp_path / "a table.csv").write_text("only,words\na,b\n", "utf-8")
    (tmp_path / "notes.md").write_text("# 備忘録\n二つの文。もう一つ。\n", "utf-8")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "go.md").write_text("# !?\n1. Go\n", "utf-8")
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path / "home"})) as planwarden:
        trials = await planwarden.try_tools(data=(str(tmp_path),))
    assert [trial for trial in trials if trial.outcome != "ok"] == []
    tried = {trial.tool: trial.arguments for trial in trials}
    assert tried["finance.snapshot"] == {"symbol": 'O\'Hara "X"'}
    assert tried["data.aggregate"] == {"table": "quotes", "column": "date", "operation": "count"}
    assert tried["enterprise.playbook"] == {"topic": "!?"}
    assert tried["research.search"] == {"query": "備忘録"}


@pytest.mark.parametrize(
    ("example", "says"),
    [
        (
            ToolExample(request="r", arguments={"word": "hi"}, returns={"text": "ho"}),
            "expected a text with 'ho'",
        ),
        (ToolExample(request="r", arguments={"word": 1}), "arguments: word: 1 is not of type 'string'"),
        (ToolExample(request="r", arguments={"word": "fail"}), "it will not Ask otherwise."),
        (ToolExample(request="r", arguments={}), "arguments: value: 'word' is a required property"),
    ],
)
async def test_what_differs_is_said(example: ToolExample, says: str) -> None:
    (trial,) = await try_tool(echo(example), rules())
    assert trial.outcome == "failed"
    assert says in trial.problems[0]


async def test_a_tool_without_an_example_to_try_is_skipped_and_says_so() -> None:
    (trial,) = await try_tool(echo(ToolExample(request="only words")), rules())
    assert (trial.outcome, trial.problems) == ("skipped", ("no example has arguments",))


class Notes:
    """Where a tool with an effect writes, and what it claims afterwards."""

    def __init__(self, claims: Verification | None = None) -> None:
        self.claims = claims
        self.kept: dict[str, dict[str, str]] = {}

    def tool(self, **declared: object) -> Tool:
        async def was_kept(arguments: Mapping[str, object], context: ToolContext) -> Verification:
            kept = self.kept.get(context.idempotency_key)
            return self.claims or (NotDone() if kept is None else Done(value=kept))

        network, effect = bool(declared.get("network")), declared.get("effect", "write")
        assert effect in ("read", "write", "external")

        @tool(
            name="my.keep",
            effect=effect,
            network=network,
            examples=[ToolExample(request="keep hi", arguments={"word": "hi"}, returns={"text": "hi"})],
            verify=was_kept,
        )
        def keep(word: str, context: ToolContext) -> dict[str, str]:
            """Keep a word."""
            self.kept[context.idempotency_key] = {"text": word}
            return {"text": word}

        return keep


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"effect": "write"}, "changes this machine"),
        ({"effect": "external"}, "outside this machine"),
        ({"effect": "read", "network": True}, "asks a server"),
    ],
)
async def test_what_cannot_be_confined_is_tried_only_with_consent(
    declared: dict[str, object], why: str
) -> None:
    notes = Notes()
    (trial,) = await try_tool(notes.tool(**declared), rules())
    assert trial.outcome == "skipped"
    assert why in trial.problems[0]
    assert notes.kept == {}
    (trial,) = await try_tool(notes.tool(**declared), rules(consent=True))
    assert (trial.outcome, trial.problems) == ("ok", ())
    assert len(notes.kept) == 1


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        (Done(value={"text": "hi"}), "says that a call was done which had not been made"),
        (Done(value={"text": "ho"}), "gives another result"),
        (NotDone(), "cannot tell that the call was done: that it was not done"),
        (Unknown(reason="lost"), "cannot tell that the call was done: lost"),
    ],
)
async def test_verify_is_held_to_what_it_promises(claims: Verification, says: str) -> None:
    (trial,) = await try_tool(Notes(claims).tool(), rules(consent=True))
    assert trial.outcome == "failed"
    assert any(says in problem for problem in trial.problems)


async def test_an_unknown_name_is_refused_with_near_ones_and_an_alias_is_a_name(tmp_path: Path) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        with pytest.raises(InputError) as raised:
            await planwarden.try_tools(["finance.snapsht"])
        (quote,) = await planwarden.try_tools(["quote"])
        (web,) = await planwarden.try_tools(["web.search"])
    assert "finance.snapshot" in raised.value.remedy
    assert isinstance(quote, Trial)
    assert (quote.tool, quote.outcome) == ("finance.snapshot", "ok")
    assert (web.outcome, "TOOLS__WEB_SEARCH_URL" in web.problems[0]) == ("skipped", True)
