"""`planwarden memory`: examples, what runs taught, forgetting, learning anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from surfaces_kit import Cli, Mind, plan_file, spoil_a_payload

pytestmark = pytest.mark.requirement("MEM-10")

TASK = "What is the latest price of IBM?"


def listed(cli: Cli, *more: str) -> list[dict[str, object]]:
    said = cli("memory", "list", "--json", *more)
    assert said.code == 0, said
    return said.json


def a_run(cli: Cli, *more: str) -> str:
    said = cli("run", TASK, "--json", *more)
    assert said.code == 0, said
    return said.json["run_id"]


def test_a_run_that_completed_is_listed_with_its_plan_and_request(cli: Cli) -> None:
    run = a_run(cli)
    (row,) = listed(cli)
    assert (row["origin"], row["run_id"], row["request"]) == ("run", run, TASK)
    said = cli("memory", "list")
    for part in (str(row["id"]), "run", "finance.snapshot", TASK):
        assert part in said.out
    a_run(cli, "--conversation", "prices")
    assert "only for conversation prices" in cli("memory", "list").out


def test_an_empty_memory_says_how_it_is_filled(offline: Cli, home: Path) -> None:
    said = offline("memory", "list")
    assert said.code == 0
    assert "memory add" in said.out
    assert listed(offline) == []
    assert not home.exists()


def test_an_example_with_several_steps_is_kept_with_their_agents_and_links(offline: Cli) -> None:
    tools = ("--tools", "finance.snapshot", "--tools", "finance_agent/finance.analytics")
    said = offline("memory", "add", "Price and swing of IBM", *tools)
    assert said.code == 0, said
    assert "finance.snapshot → finance.analytics" in said.out
    (row,) = listed(offline)
    assert row["origin"] == "example"
    steps = [(step["agent"], step["tools"], step["depends_on"]) for step in row["steps"]]  # type: ignore[index, attr-defined]
    assert steps == [
        ("finance_agent", ["finance.snapshot"], []),
        ("finance_agent", ["finance.analytics"], [0]),
    ]
    apart = offline("memory", "add", "Both", *tools, "--parallel", "--json")
    assert (apart.json["handoff"], [step["depends_on"] for step in apart.json["steps"]]) == (
        "parallel",
        [[], []],
    )


def test_an_example_can_be_a_plan_file_or_that_nothing_fits(offline: Cli, tmp_path: Path) -> None:
    path = plan_file(tmp_path, {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]})
    assert offline("memory", "add", TASK, "--plan", path).code == 0
    said = offline("memory", "add", "-", "--nothing-fits", stdin=b"Who are you?")
    assert "nothing fits" in said.out
    assert {row["way_out"] for row in listed(offline)} == {None, "answer_without_tools"}


def test_the_same_example_twice_is_one(offline: Cli) -> None:
    first, second = (offline("memory", "add", TASK, "--tools", "finance.snapshot") for _ in range(2))
    assert first.out == second.out
    assert len(listed(offline)) == 1


@pytest.mark.parametrize(
    ("words", "kind", "code", "told"),
    [
        ((), "input_error", 2, "--tools TOOL"),
        (("--tools", "finance.snapshot", "--nothing-fits"), "input_error", 2, "One of"),
        (("--nothing-fits", "--parallel"), "input_error", 2, "One of"),
        (("--tools", "finance.snapshat"), "input_error", 2, "planwarden tools"),
        (("--tools", ","), "input_error", 2, "For example"),
        (("--tools", "finance.snapshot,research.search"), "input_error", 2, "its own --tools"),
        (("--tools", "research_agent/finance.snapshot"), "plan_rejected", 2, "contract"),
        (("--tools", "ghost/finance.snapshot"), "plan_rejected", 2, "contract"),
        (("--plan", "nowhere.json"), "plan_rejected", 2, "existing file"),
        (("--tools", "finance.snapshot", "--tenant", ""), "input_error", 2, "1 to 256"),
        (("--tools", "finance.snapshot", "--data", "nowhere.csv"), "data_rejected", 2, "nowhere.csv"),
    ],
)
def test_an_example_that_cannot_be_followed_is_refused_with_what_to_do(
    words: tuple[str, ...], kind: str, code: int, told: str, offline: Cli
) -> None:
    said = offline("memory", "add", TASK, *words, "--json")
    error = said.error(code, kind)
    assert told in error["message"] + error["remedy"]
    assert listed(offline) == []


def test_a_tool_that_several_agents_have_asks_which(offline: Cli, tmp_path: Path) -> None:
    catalog = tmp_path / "planwarden.yaml"
    agent = "{{description: Prices., tools: [finance.snapshot]}}"
    rules = '{{rules: [{{name: all, allow: ["*"]}}]}}'
    catalog.write_text(
        f"version: 1\nagents:\n  one: {agent}\n  two: {agent}\npolicies:\n  one: {rules}\n  two: {rules}\n"
        .replace("{{", "{").replace("}}", "}")
    )  # fmt: skip
    add = ("memory", "add", TASK, "--config", str(catalog), "--json")
    error = offline(*add, "--tools", "finance.snapshot").error(2, "input_error")
    assert "one/finance.snapshot, two/finance.snapshot" in error["remedy"]
    assert offline(*add, "--tools", "two/finance.snapshot").json["steps"][0]["agent"] == "two"


def test_what_is_forgotten_is_gone_and_is_not_learned_again(cli: Cli, home: Path) -> None:
    a_run(cli)
    (row,) = listed(cli)
    said = cli("memory", "forget", str(row["id"]))
    assert (said.code, said.out.strip()) == (0, "forgot 1 plan")
    assert TASK.encode() not in (home / "memory.db").read_bytes()
    assert cli("memory", "rebuild", "--json").json == {"runs": 1, "damaged": 0, "remembered": 0}
    assert listed(cli) == []


def test_a_run_can_be_forgotten_by_its_id_whatever_its_tenant(cli: Cli) -> None:
    run = a_run(cli)
    said = cli("memory", "forget", "--run", run)
    assert said.out.strip() == f"forgot 1 plan; run {run} will not teach"
    assert cli("memory", "forget", "--run", run, "--json").json == {"forgotten": 0}
    assert listed(cli) == []


def test_all_of_one_tenant_can_be_forgotten(offline: Cli) -> None:
    for tenant in ("default", "acme"):
        assert offline("memory", "add", TASK, "--tools", "finance.snapshot", "--tenant", tenant).code == 0
    assert offline("memory", "forget", "--all", "--tenant", "acme", "--json").json == {"forgotten": 1}
    assert (len(listed(offline)), listed(offline, "--tenant", "acme")) == (1, [])


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ((), "input_error"),
        (("m1", "--all"), "input_error"),
        (("--all", "--run", "r1"), "input_error"),
        (("m123456789abc",), "input_error"),
        (("--run", "r20200101-000000-abcdef"), "run_not_found"),
    ],
)
def test_forgetting_what_is_not_there_or_everything_at_once_by_mistake_is_refused(
    words: tuple[str, ...], kind: str, offline: Cli
) -> None:
    offline("memory", "add", TASK, "--tools", "finance.snapshot")
    offline("memory", "forget", *words, "--json").error(2, kind)
    assert len(listed(offline)) == 1


def test_a_rebuild_learns_from_the_journal_and_passes_over_what_is_damaged(cli: Cli, home: Path) -> None:
    runs = [a_run(cli), a_run(cli, "--conversation", "c1")]
    offered = cli("memory", "add", "Mine", "--tools", "finance.snapshot", "--json").json["id"]
    spoil_a_payload(home, runs[0])
    assert cli("memory", "rebuild").out.strip() == (
        "2 runs read, 1 plan remembered of them; 1 damaged, passed over"
    )
    assert {row["run_id"] for row in listed(cli)} == {runs[1], None}
    assert offered in {row["id"] for row in listed(cli)}


def test_a_memory_that_cannot_be_used_ends_the_command_with_the_remedy(offline: Cli, home: Path) -> None:
    home.mkdir()
    (home / "memory.db").write_text("no database " * 500)
    error = offline("memory", "list", "--json").error(6, "store_corrupt")
    assert "planwarden memory rebuild" in error["remedy"]


def test_a_repeat_without_a_model_shows_where_its_plan_is_from(cli: Cli, mind: Mind) -> None:
    run = a_run(cli)
    mind.steps = ["nobody/nothing"]
    plan = cli("plan", TASK, "--json").json
    assert (plan["metadata"]["source"], plan["steps"][0]["reason"]) == ("cached", f"as in run {run}")
    assert "source cached" in cli("plan", TASK).out
