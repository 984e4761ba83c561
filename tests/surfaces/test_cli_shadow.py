"""`planwarden shadow`: what is planned beside what, what is said of it, and that nothing is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from planwarden.evaluation.own_tasks import shipped_own_tasks
from surfaces_kit import Cli, Mind, Said, flip_a_payload_byte, plan_file, spoil_a_payload

HELD_OUT = [task for task in shipped_own_tasks() if task.split == "held_out"]
TASK = "What is the latest price of IBM?"


def tasks_file(count: int, *more: dict[str, Any]) -> str:
    chosen = [task.model_dump_json() for task in HELD_OUT[:count]]
    Path("tasks.jsonl").write_text("\n".join([*chosen, *map(json.dumps, more)]) + "\n", "utf-8")
    return "tasks.jsonl"


def a_run(cli: Cli, *more: str, task: str = TASK) -> str:
    said = cli("run", task, "--json", *more)
    assert said.code == 0, said
    return said.json["run_id"]


def runs_of(cli: Cli) -> list[str]:
    return [each["run_id"] for each in cli("runs", "--json").json]


@pytest.mark.requirement("SHD-10")
def test_labelled_tasks_are_planned_beside_the_router_and_the_verdict_comes_first(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    said = cli("shadow", "--tasks", tasks_file(24), "--html", str(page))
    assert said.code == 0, said
    assert "on 24 tasks whose right plan is known" in said.out.splitlines()[0]
    for shown in (
        "valid plans",
        "tokens in",
        "F1 of the tools",
        "how alike the plans are",
        "nothing was executed",
    ):
        assert shown in said.out
    assert mind.planned
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert said.out.splitlines()[0] in page.read_text("utf-8").replace("&#x27;", "'")
    assert runs_of(cli) == []


@pytest.mark.requirement("SHD-10")
def test_the_report_is_one_json_document_with_costs_at_the_given_prices(cli: Cli) -> None:
    told = cli("shadow", "--tasks", tasks_file(3), "--json", "--price-in", "2", "--price-out", "10").json
    ours, theirs = told["first"], told["second"]
    assert (told["schema_version"], told["tasks"]["compared"], told["tasks"]["known"]) == (1, 3, 3)
    assert (ours["name"], theirs["name"]) == ("planner", "router")
    assert ours["cost"] == pytest.approx(
        (2 * ours["total_prompt_tokens"] + 10 * ours["total_output_tokens"]) / 1e6
    )
    assert ours["cost"] > theirs["cost"] == 0
    assert told["verdict"]["winner"] == "untold"
    ships = cli("shadow", "--tasks", "own", "--limit", "2", "--json").json["tasks"]
    assert ships["compared"] == 2
    assert ships["left_out"]["planner or router were fitted on it"] == len(shipped_own_tasks()) - len(
        HELD_OUT
    )


@pytest.mark.requirement("SHD-7")
def test_tasks_that_were_fitted_on_are_left_out_and_said_unless_they_are_asked_for(cli: Cli) -> None:
    trained = [task for task in shipped_own_tasks() if task.split == "train"][:2]
    path = tasks_file(1, *(json.loads(task.model_dump_json()) for task in trained))
    told = cli("shadow", "--tasks", path, "--json").json
    assert told["tasks"]["compared"] == 1
    assert told["tasks"]["left_out"] == {"planner or router were fitted on it": 2}
    kept = cli("shadow", "--tasks", path, "--include-fitted", "--json").json
    assert (kept["tasks"]["compared"], kept["tasks"]["fitted"]) == (3, 2)
    assert any("2 of these tasks were seen" in note for note in kept["notes"])
    Path("only.jsonl").write_text(trained[0].model_dump_json(), "utf-8")
    refused = cli("shadow", "--tasks", "only.jsonl", "--json").error(2, "input_error")
    assert "--include-fitted" in refused["remedy"]


@pytest.mark.requirement("SHD-8")
def test_another_planner_is_named_in_a_line_or_a_file_and_asked_with_its_own_settings(
    cli: Cli, mind: Mind
) -> None:
    assert mind.server is not None
    Path("other.yaml").write_text("model: llama3.1:8b\ntemperature: 0.7\nprice_in: 1\n", "utf-8")
    told = cli("shadow", "--tasks", tasks_file(2), "--against", "other.yaml", "--json").json
    assert told["second"]["name"] == "other"
    assert "llama3.1:8b" in told["second"]["describes"]
    assert told["second"]["price"]["tokens_in"] == 1
    bodies = cast("list[dict[str, Any]]", mind.server.bodies)
    asked = [(body["model"], body["options"]["temperature"]) for body in bodies if "messages" in body]
    assert ("llama3.1:8b", 0.7) in asked
    assert ("llama3.2:1b", 0.0) in asked
    alike = cli(
        "shadow", "--tasks", tasks_file(2), "--planner", "mode=prior", "--against", "mode=prior", "--json"
    )
    assert [alike.json[side]["name"] for side in ("first", "second")] == ["mode=prior", "mode=prior (2)"]
    assert alike.json["agreement"]["same_plan"]["mean"] == 1.0
    refused = cli("shadow", "--tasks", tasks_file(1), "--against", "modle=x", "--json")
    assert (
        "Did you mean mode" in refused.error(2, "settings_rejected")["remedy"]
        or "model" in refused.json["error"]["remedy"]
    )


@pytest.mark.requirement("SHD-10")
@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        ((), 2, "input_error"),
        (("--from-journal", "--live"), 2, "input_error"),
        (("--tasks", "gone.jsonl"), 2, "data_rejected"),
        (("--from-journal",), 2, "input_error"),
        (("--live",), 2, "input_error"),
        (("--from-journal", "--since", "soon"), 2, "input_error"),
        (("--from-journal", "--router", "gone.json"), 2, "data_rejected"),
        (("--from-journal", "--html", "no/such/folder.html"), 2, "data_rejected"),
        (("--from-journal", "--against", "rooter"), 2, "settings_rejected"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(
    cli: Cli, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    if "rooter" in arguments:
        a_run(cli)
    cli("shadow", *arguments, "--json").error(code, kind)


@pytest.mark.requirement("SHD-9")
def test_runs_of_the_journal_are_planned_again_and_a_person_s_plan_counts_as_right(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    step = {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]}
    edited = a_run(cli, "--plan", plan_file(tmp_path, step))
    own = a_run(cli, task="Latest price of IBM, please")
    before = len(mind.planned)
    told = cli("shadow", "--from-journal", "--json").json
    assert len(mind.planned) == before + 2
    assert (told["tasks"]["compared"], told["tasks"]["known"]) == (2, 1)
    assert {each["evidence"]: (each["tasks"], each["counts"]) for each in told["known"]} == {
        "person": (1, True),
        "ran": (1, False),
    }
    assert sorted(runs_of(cli)) == sorted([edited, own])
    beside = cli("shadow", "--from-journal", "--against", "none", "--json").json
    assert beside["second"]["name"] == "recorded"
    assert beside["agreement"]["same_plan"]["mean"] == 1.0
    newest = cli("shadow", "--from-journal", "--limit", "1", "--json").json
    assert newest["tasks"]["left_out"] == {"beyond --limit": 1}


@pytest.mark.requirement("SHD-9")
def test_runs_that_cannot_be_read_back_are_counted_and_passed_over(cli: Cli, home: Path) -> None:
    for task in ("Price of IBM?", "IBM price now", "Latest IBM price"):
        a_run(cli, task=task)
    damaged = runs_of(cli)[0]
    spoil_a_payload(home, damaged)
    told = cli("shadow", "--from-journal", "--json").json
    assert (told["tasks"]["compared"], told["tasks"]["left_out"]) == (2, {"damaged": 1})
    flip_a_payload_byte(home, runs_of(cli)[1])
    erasing = cli("journal", "erase", runs_of(cli)[2], "--reason", "asked to", "--yes", "--json")
    assert erasing.code == 0, erasing
    a_run(cli, task="Newest IBM price")
    left_out = cli("shadow", "--from-journal", "--json").json["tasks"]["left_out"]
    assert left_out == {"erased": 1, "damaged": 1, "altered: see `planwarden dossier verify`": 1}


@pytest.mark.requirement("SHD-9")
def test_what_a_run_taught_is_not_remembered_when_it_is_planned_again(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM__REUSE_PLANS", "first")
    a_run(cli)
    assert cli("plan", TASK, "--json").json["metadata"]["source"] == "cached"
    told = cli("shadow", "--from-journal", "--json").json
    assert told["first"]["sources"] == {"planner": 1}


@pytest.mark.requirement("SHD-15")
def test_plans_that_one_version_kept_are_compared_with_what_another_makes_of_the_same_tasks(
    cli: Cli, mind: Mind
) -> None:
    path = tasks_file(3, {"id": "free", "prompt": TASK})
    made = cli("shadow", "--tasks", path, "--against", "none", "--out", "old.jsonl", "--json")
    assert made.code == 0, made
    lines = [json.loads(line) for line in Path("old.jsonl").read_text("utf-8").splitlines()]
    assert [line["task"] for line in lines] == [*(task.id for task in HELD_OUT[:3]), "free"]
    assert TASK not in Path("old.jsonl").read_text("utf-8")
    for line in lines[:2]:
        line["plan"]["sketch"] = {"steps": [{"agent": "general_agent"}], "handoff": "sequential"}
    Path("old.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    asked = len(mind.planned)
    told = cli("shadow", "--tasks", path, "--against", "plans=old.jsonl", "--json").json
    assert len(mind.planned) == asked + 4
    assert (told["second"]["name"], told["tasks"]["compared"]) == ("old", 4)
    assert "Planwarden" in told["second"]["describes"]
    assert told["differing"] == 2
    assert told["second"]["prompt_tokens"] == told["first"]["prompt_tokens"]
    assert Path("old.jsonl").read_text("utf-8").count("\n") == 3


@pytest.mark.requirement("SHD-15")
def test_a_kept_plan_is_left_out_where_request_or_catalog_is_another_by_now(cli: Cli) -> None:
    Path("mine.jsonl").write_text(
        json.dumps({"prompt": TASK}) + "\n" + json.dumps({"prompt": "Hello"}), "utf-8"
    )
    cli("shadow", "--tasks", "mine.jsonl", "--against", "none", "--out", "old.jsonl", "--json")
    Path("mine.jsonl").write_text(
        json.dumps({"prompt": "Bye"}) + "\n" + json.dumps({"prompt": "Hello"}), "utf-8"
    )
    told = cli("shadow", "--tasks", "mine.jsonl", "--against", "plans=old.jsonl", "--json").json
    why = "not among the kept plans, or over another catalog or policy"
    assert (told["tasks"]["compared"], told["tasks"]["left_out"]) == (1, {why: 1})
    lines = [json.loads(line) for line in Path("old.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        line["catalog_digest"] = "sha256:" + "0" * 64
    Path("old.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    refused = cli("shadow", "--tasks", "mine.jsonl", "--against", "plans=old.jsonl", "--json")
    assert f"2: {why}" in refused.error(2, "input_error")["message"]


@pytest.mark.requirement("SHD-15")
def test_plans_of_runs_are_kept_under_the_ids_of_the_runs(cli: Cli) -> None:
    run = a_run(cli)
    cli("shadow", "--from-journal", "--out", "old.jsonl", "--json")
    [line] = [json.loads(line) for line in Path("old.jsonl").read_text("utf-8").splitlines()]
    assert (line["task"], line["request_digest"]) == (run, None)
    told = cli("shadow", "--from-journal", "--against", "plans=old.jsonl", "--json").json
    assert told["agreement"]["same_plan"]["mean"] == 1.0


@pytest.mark.requirement("SHD-15")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no plans"),
        ("{}", "line 1: task"),
        ("not json", "line 1: the line"),
        ("twice", "line 2: a second plan for 'line 1'"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_kept_plans_is_refused_with_its_line(
    cli: Cli, text: str | None, said: str
) -> None:
    Path("mine.jsonl").write_text(json.dumps({"prompt": TASK}), "utf-8")
    if text == "twice":
        cli("shadow", "--tasks", "mine.jsonl", "--against", "none", "--out", "twice.jsonl", "--json")
        text = Path("twice.jsonl").read_text("utf-8") * 2
    if text is not None:
        Path("old.jsonl").write_text(text, "utf-8")
    refused = cli("shadow", "--tasks", "mine.jsonl", "--against", "plans=old.jsonl", "--json")
    error = refused.error(2, "data_rejected")
    assert said in error["message"]
    assert "--out" in error["remedy"]


@pytest.mark.requirement("SHD-15")
def test_plans_cannot_be_kept_where_nothing_can_be_written_nor_twice_when_live(cli: Cli) -> None:
    path = tasks_file(1)
    gone = cli("shadow", "--tasks", path, "--out", "no/such/old.jsonl", "--json")
    assert "--out" in gone.error(2, "data_rejected")["remedy"]
    Path("kept.jsonl").write_text("what was kept before", "utf-8")
    cli("shadow", "--tasks", "gone.jsonl", "--out", "kept.jsonl", "--json").error(2, "data_rejected")
    assert Path("kept.jsonl").read_text("utf-8") == "what was kept before"
    live = cli("shadow", "--live", "--out", "old.jsonl", "--json")
    assert "shadow.jsonl" in live.error(2, "input_error")["remedy"]


def shadowed(monkeypatch: pytest.MonkeyPatch, planner: str = "mode=prior", rate: str = "1") -> None:
    monkeypatch.setenv("SHADOW__RATE", rate)
    monkeypatch.setenv("SHADOW__PLANNER", planner)


@pytest.mark.requirement("SHD-13")
def test_live_shadow_plans_are_made_when_they_are_asked_for_and_compared_with_what_ran(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowed(monkeypatch)
    run = a_run(cli)
    [line] = (home / "shadow.jsonl").read_text("utf-8").splitlines()
    assert (json.loads(line)["run_id"], json.loads(line)["state"]) == (run, "due")
    told = cli("shadow", "--live", "--json").json
    assert (told["first"]["name"], told["second"]["name"]) == ("shadow mode=prior", "real")
    assert told["tasks"]["compared"] == 1
    kept = (home / "shadow.jsonl").read_text("utf-8")
    record = json.loads(kept.splitlines()[-1])
    assert record["plan"]["sketch"]["steps"][0]["agent"]
    assert all(
        record[name].startswith("sha256:") for name in ("task_digest", "catalog_digest", "plan_digest")
    )
    assert "IBM" not in kept
    again = cli("shadow", "--live", "--json").json
    assert again["verdict"] == told["verdict"]
    assert (home / "shadow.jsonl").read_text("utf-8") == kept
    assert runs_of(cli) == [run]


@pytest.mark.requirement("SHD-13")
def test_what_could_not_be_planned_live_is_counted_by_its_error(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowed(monkeypatch, "base_url=http://127.0.0.1:1,provider=ollama")
    a_run(cli)
    refused = cli("shadow", "--live", "--json").error(2, "input_error")
    assert "1: the shadow failed: model_unavailable" in refused["message"]
    assert json.loads((home / "shadow.jsonl").read_text("utf-8").splitlines()[-1])["state"] == "failed"


@pytest.mark.requirement("SHD-12")
@pytest.mark.parametrize("planner", ["wings=2", "gone.yaml", "base_url=http://127.0.0.1:1"])
def test_a_real_run_is_the_same_whatever_is_wrong_with_its_shadow(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, planner: str
) -> None:
    def outline(said: Said) -> tuple[int, str, Any]:
        return said.code, said.json["status"], said.json["plan"]["steps"]

    alone = outline(cli("run", TASK, "--json"))
    shadowed(monkeypatch, planner)
    assert outline(cli("run", TASK, "--json")) == alone


@pytest.mark.requirement("SHD-12")
@pytest.mark.parametrize("planner", ["wings=2", "gone.yaml"])
def test_a_run_says_that_its_shadow_planner_is_none_and_what_to_do(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, planner: str
) -> None:
    shadowed(monkeypatch, "mode=prior")
    assert "not shadowed" not in cli("run", TASK, "--json").err
    shadowed(monkeypatch, planner)
    said = cli("run", TASK, "--json")
    assert (said.code, said.json["status"]) == (0, "completed")
    assert "not shadowed" in said.err
    assert planner.split("=", maxsplit=1)[0] in said.err


@pytest.mark.requirement("SHD-12")
def test_the_doctor_and_the_report_say_what_is_wrong_with_a_shadow_planner(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> dict[str, Any]:
        return {each["check"]: each for each in cli("doctor", "--quick", "--json").json["checks"]}

    assert "shadow planner" not in check()
    shadowed(monkeypatch, "seed=8", rate="0.25")
    assert "seed=8: 25% of the runs" in check()["shadow planner"]["detail"]
    shadowed(monkeypatch, "wings=2")
    found = check()["shadow planner"]
    assert (found["status"], "no key 'wings'" in found["detail"]) == ("warning", True)
    cli("shadow", "--live", "--json").error(2, "settings_rejected")


@pytest.mark.requirement("SHD-12")
def test_a_share_is_shadowed_without_a_model_unless_another_planner_is_named(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHADOW__RATE", "1")
    a_run(cli)
    asked = len(mind.planned)
    assert cli("shadow", "--live", "--json").json["first"]["sources"] == {"prior": 1}
    assert len(mind.planned) == asked
    monkeypatch.setenv("SHADOW__RATE", "1.5")
    assert "SHADOW__RATE" in cli("runs", "--json").error(2, "settings_rejected")["message"]


@pytest.mark.requirement("SHD-3")
def test_a_router_of_one_s_own_is_fitted_written_and_used(cli: Cli, tmp_path: Path) -> None:
    offered = [
        {
            "id": f"o{number}",
            "source": "mine",
            "request": f"please {verb} the {thing}",
            "tools": [{"name": f"{v}.it", "description": f"{v} a thing"} for v in ("book", "sell", "paint")],
            "gold": {"steps": [{"tool": f"{verb}.it"}], "edges": [], "kind": "sequence"},
        }
        for number, (verb, thing) in enumerate(
            (verb, thing)
            for verb in ("book", "sell", "paint")
            for thing in ["house", "boat", "car", "bike", "shed", "ship", "van"]
        )
    ]
    data, out = tmp_path / "mine.jsonl", tmp_path / "router.json"
    data.write_text("\n".join(map(json.dumps, offered)), "utf-8")
    fitted = cli("tune", "router", "--no-own-tasks", "--data", str(data), "--out", str(out), "--json").json
    assert (fitted["fitted_on"], fitted["node_f1"]["mean"]) == ({"mine": 21}, 1.0)
    assert json.loads(out.read_text("utf-8")) == fitted
    used = cli("shadow", "--tasks", str(data), "--router", str(out), "--include-fitted", "--json").json
    assert used["known"][0]["second"]["right"]["mean"] == 1.0
    assert "fitted on 21 tasks" in used["second"]["describes"]
    left = cli("shadow", "--tasks", str(data), "--router", str(out), "--json").error(2, "input_error")
    assert "21: planner or router were fitted on it" in left["message"]
    few = cli("tune", "router", "--no-own-tasks", "--out", str(out), "--json")
    assert "too few" in few.error(2, "data_rejected")["message"]
