from __future__ import annotations

import pytest

from surfaces_kit import Cli, Mind

pytestmark = pytest.mark.requirement("OWN-5")


def test_every_measure_is_printed_for_people_and_as_json(cli: Cli, mind: Mind) -> None:
    mind.steps = ["finance.snapshot"]
    told = cli("eval", "own", "--limit", "6", "--json").json
    assert (told["planner"], told["split"]) == ("default", "held_out")
    assert told["summaries"][0]["name"] == "all"
    assert told["summaries"][0]["tasks"] == 6
    assert told["summaries"][0]["scores"]["none_recall"]["mean"] == 0.0
    shown = cli("eval", "own", "--split", "train", "--limit", "4").out
    for word in (
        "agents",
        "fallbacks",
        "none fits",
        "exact plan",
        "order",
        "a plan (medians)",
        "plans by source: planner",
    ):
        assert word in shown


def test_the_model_alone_and_a_model_named_here_can_be_measured(cli: Cli, mind: Mind) -> None:
    assert mind.server is not None
    mind.steps = ["finance.snapshot"]
    told = cli(
        "eval",
        "own",
        "--split",
        "all",
        "--planner",
        "model",
        "--model",
        "llama3.1:8b",
        "--limit",
        "1",
        "--json",
    ).json
    assert (told["planner"], told["split"], told["summaries"][0]["tasks"]) == ("model", "all", 1)
    assert mind.server.bodies[-1]["model"] == "llama3.1:8b"


def test_a_split_that_is_none_is_a_mistake_of_the_command_line(cli: Cli, mind: Mind) -> None:
    assert cli("eval", "own", "--split", "some").code == 2
