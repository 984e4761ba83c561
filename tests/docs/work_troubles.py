"""Reproductions of docs/troubleshooting.md: tasks, catalog, data, plans, tools, runs and their record."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from scene import TASK, Scene, printed, reproduces

from surfaces_kit import flip_a_payload_byte, plan_file

ORPHAN = """
version: 1
agents:
  clerk: {description: Files papers., tools: [files.read, files.shred]}
"""
OWN_MODEL = """
version: 1
agents:
  clerk: {description: Files papers., tools: [files.read], model: big}
"""
MAIL = """
version: 1
agents:
  mail_agent: {description: Sends mail., tools: [mail.send]}
tools:
  mail.send: {python: "my_tools.py:send"}
policies:
  mail_agent:
    rules: [{name: own, allow: [mail.send]}]
"""
CRASHES = '''
import os

import planwarden


@planwarden.tool(name="mail.send", effect="external")
def send(text: str) -> str:
    """Send a text to somebody."""
    os._exit(9)
'''


def output(program: list[str], *arguments: str) -> str:
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, timeout=100)
    return done.stdout + done.stderr


def step(agent: str, tool: str) -> dict[str, object]:
    return {"id": "s1", "agent": agent, "tools": [tool]}


@reproduces("The task cannot be used: the task is empty.")
def empty_task(scene: Scene) -> str:
    return printed(scene.cli("run", ""))


@reproduces("agent 'clerk' names tool 'files.shred', which this catalog does not have.")
def unknown_tool_of_agent(scene: Scene) -> str:
    scene.catalog(ORPHAN)
    return printed(scene.cli("agents"))


@reproduces("agent 'clerk' names model 'big', which is not under 'models'.")
def unknown_model_of_agent(scene: Scene) -> str:
    scene.catalog(OWN_MODEL)
    return printed(scene.cli("agents"))


@reproduces("planwarden.yaml, line 1: the file holds no mapping.")
def no_mapping(scene: Scene) -> str:
    scene.catalog("- agents\n- tools\n")
    return printed(scene.cli("agents"))


@reproduces(r"planwarden.yaml, line 3: not YAML: found character '\t' that cannot start any token.")
def a_tab(scene: Scene) -> str:
    scene.catalog("version: 1\nagents:\n\tclerk: {description: Files papers.}\n")
    return printed(scene.cli("agents"))


@reproduces("The catalog file my.yaml cannot be read")
def no_catalog_file(scene: Scene) -> str:
    return printed(scene.cli("agents", "--config", "my.yaml"))


@reproduces("prices.csv' does not exist")
def no_data(scene: Scene) -> str:
    return printed(scene.cli("run", TASK, "--data", "prices.csv"))


@reproduces("prices.csv' cannot be read as csv")
def unreadable_table(scene: Scene) -> str:
    Path("prices.csv").write_bytes(b'a,b\n"1,2\n\x00\xff\xfe' + bytes(range(256)))
    return printed(scene.cli("run", TASK, "--data", "prices.csv"))


@reproduces("prices.xlsx' is of no known format ('.xlsx').")
def unknown_format(scene: Scene) -> str:
    Path("prices.xlsx").write_bytes(b"PK")
    return printed(scene.cli("run", TASK, "--data", "prices.xlsx"))


@reproduces(
    "The plan is refused at steps[0].tools[0] (unknown_tool):"
    " tool 'finance.crystal_ball' is not in the catalog."
)
def unknown_tool_in_plan(scene: Scene) -> str:
    plan = plan_file(scene.folder, step("finance_agent", "finance.crystal_ball"))
    return printed(scene.cli("run", TASK, "--plan", plan))


@reproduces(
    "The plan is refused at steps[0].tools[0] (tool_denied_by_policy): policy denies 'finance.snapshot'"
)
def denied_plan(scene: Scene) -> str:
    scene.cli("init")
    path = Path("planwarden.yaml")
    path.write_text(path.read_text("utf-8").replace("allow: [finance.*]", "deny: [finance.*]"), "utf-8")
    plan = plan_file(scene.folder, step("finance_agent", "finance.snapshot"))
    return printed(scene.cli("run", TASK, "--plan", plan))


@reproduces("left out: web.search: no search service is configured: set TOOLS__WEB_SEARCH_URL")
def left_out(scene: Scene) -> str:
    return printed(scene.cli("tools"))


@reproduces("There is no tool 'calculator'.")
def unknown_tool_to_test(scene: Scene) -> str:
    return printed(scene.cli("tools", "test", "calculator"))


@reproduces("journal.db cannot be opened: [Errno 17] File exists")
def no_folder_for_the_journal(scene: Scene) -> str:
    (scene.folder / "file").write_text("in the way")
    scene.set(PLANWARDEN_HOME=str(scene.folder / "file"))
    return printed(scene.cli("run", TASK))


@reproduces(
    "cannot be used: it cannot be opened (SQLite says: unable to open database file). Nothing was written."
)
def read_only(scene: Scene) -> str:
    scene.a_run()
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    prefix = ["unshare", "-rm", "sh", "-c", script, str(scene.home)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine does not let us mount a disk read-only")
    return output([*prefix, *scene.program], "run", TASK)


@reproduces("has schema version 99; this Planwarden works with version")
def other_version(scene: Scene) -> str:
    scene.a_run()
    with sqlite3.connect(scene.home / "journal.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    return printed(scene.cli("runs"))


@reproduces("This journal holds no run r20260101-000000-abcdef.")
def no_such_run(scene: Scene) -> str:
    scene.a_run()
    return printed(scene.cli("resume", "r20260101-000000-abcdef"))


@reproduces("is being worked on by process")
def held_lease(scene: Scene) -> str:
    said: list[str] = []

    def meanwhile() -> None:
        (row,) = json.loads(output(scene.program, "runs", "--json"))
        with scene.beside():  # the first server waits for this very function
            said.append(output(scene.program, "resume", row["run_id"]))

    scene.mind.on_answer = meanwhile
    scene.a_run()
    return said[0]


@reproduces("'9464' is not an address to listen on.")
def no_address_to_listen_on(scene: Scene) -> str:
    return printed(scene.cli("metrics", "--listen", "9464"))


@reproduces("Cannot listen on 127.0.0.1:")
def a_port_that_is_taken(scene: Scene) -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return printed(scene.cli("metrics", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"))


@reproduces("call s1.1 waits: planwarden resolve")
def waits_for_approval(scene: Scene) -> str:
    plan = plan_file(scene.folder, step("enterprise_agent", "files.write"))
    return printed(scene.cli("run", "Write hello to notes.md", "--plan", plan))


@reproduces(
    "the process ended while 'mail.send' may have been running:"
    " 'mail.send' cannot say whether a call was done"
)
def in_doubt(scene: Scene) -> str:
    Path("my_tools.py").write_text(CRASHES, "utf-8")
    scene.catalog(MAIL)
    plan = plan_file(scene.folder, step("mail_agent", "mail.send"))
    command = [*scene.program, "run", "Send hi", "--plan", plan]
    crashed = subprocess.run(command, capture_output=True, check=False, timeout=100)
    assert crashed.returncode == 9, crashed
    (row,) = scene.cli("runs", "--json").json
    return printed(scene.cli("resume", row["run_id"]))


@reproduces("event 1: the payload is not what was written: its digest does not match")
def altered_record(scene: Scene) -> str:
    run_id = scene.a_run()
    flip_a_payload_byte(scene.home, run_id)
    return printed(scene.cli("dossier", "verify", run_id))


@reproduces("was erased on 2026-01-01: nothing is left to read, to replay or to go on with.")
def erased_run(scene: Scene) -> str:
    run_id = scene.a_run()
    scene.cli("journal", "erase", run_id, "--reason", "asked to", "--yes")
    return re.sub(r"\d{4}-\d\d-\d\d:", "2026-01-01:", printed(scene.cli("resume", run_id)))


@reproduces("did not end: only what is over can be erased.")
def not_over(scene: Scene) -> str:
    plan = plan_file(scene.folder, step("enterprise_agent", "files.write"))
    waiting = scene.cli("run", "Write hello to notes.md", "--plan", plan, "--json").json["run_id"]
    return printed(scene.cli("journal", "erase", waiting, "--reason", "asked to", "--yes"))


@reproduces("Runs in the journal would be lost: 1 are not in the backup")
def backup_lacks_runs(scene: Scene) -> str:
    scene.a_run()
    scene.cli("journal", "backup", str(scene.folder / "journal.zip"))
    scene.a_run()
    return printed(scene.cli("journal", "restore", str(scene.folder / "journal.zip")))
