"""The playbook tool: which documents are playbooks, how their steps are read, which one is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from fitting import output_problems

from planwarden.errors import DataRejected, ToolFailed
from planwarden.tools.data_sources import open_sources
from planwarden.tools.domains.playbook import playbook_tools
from planwarden.tools.domains.research import research_tools
from planwarden.tools.tool import Tool, ToolContext

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("TOOL-12")]

LEAVER = """---
kind: playbook
title: Leaving the company
owner: People team
tags: offboarding, leaver
---
# Leaving the company

Some words that are no step.

## Before
1. Agree on the **last day**,
   in writing.
2. Take back:
   - the laptop
   - the badge

## After
1. Disable the [accounts](https://example.org).
   ```
   accounts disable NAME
   ```

- a bullet that is no step
"""


def tool_over(folder: Path, *files: tuple[str, str]) -> Tool:
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (found,) = playbook_tools(open_sources([folder], folder=folder))
    return found


async def found_by(tool: Tool, context: ToolContext, topic: str) -> dict[str, Any]:
    value = cast("dict[str, Any]", await tool.invoke({"topic": topic}, context))
    assert output_problems(tool.spec, value) == ()
    return value


async def test_a_markdown_playbook_is_given_step_by_step_with_owner_file_and_line(
    tmp_path: Path, context: ToolContext
) -> None:
    value = await found_by(tool_over(tmp_path, ("leaver.md", LEAVER)), context, "somebody leaves")
    assert (value["title"], value["owner"]) == ("Leaving the company", "People team")
    assert (value["document"], value["line"]) == ("leaver.md", 3)
    assert value["tags"] == ["offboarding", "leaver"]
    lines = LEAVER.split("\n")
    assert [(step["number"], step["section"], step["text"]) for step in value["steps"]] == [
        (1, "Before", "Agree on the last day, in writing."),
        (2, "Before", "Take back: the laptop; the badge"),
        (3, "After", "Disable the accounts. accounts disable NAME"),
    ]
    begun = [lines[int(step["line"]) - 1][:6] for step in value["steps"]]
    assert begun == ["1. Agr", "2. Tak", "1. Dis"]
    assert value["text"].startswith(
        "Leaving the company (leaver.md, line 3; owner: People team)\nBefore:\n1. "
    )


async def test_a_yaml_playbook_is_read_alike(tmp_path: Path, context: ToolContext) -> None:
    text = "kind: playbook\ntitle: Backup\nsteps:\n  - Stop writes.\n  - {section: Copy, text: Copy it.}\n"
    value = await found_by(tool_over(tmp_path, ("backup.yaml", text)), context, "backup")
    assert [(step["section"], step["text"], step["line"]) for step in value["steps"]] == [
        ("", "Stop writes.", 4),
        ("Copy", "Copy it.", 5),
    ]
    assert (value["owner"], value["line"]) == (None, 2)


async def test_a_document_in_a_folder_playbooks_with_steps_is_a_playbook(
    tmp_path: Path, context: ToolContext
) -> None:
    tool = tool_over(
        tmp_path,
        ("playbooks/restart.md", "# Restart\n\n- [ ] stop it\n- [x] start it\n"),
        ("playbooks/README.md", "Our playbooks."),
        ("playbooks/site.yaml", "- hosts: all\n"),
        ("notes.md", "# Notes\n1. not a step of a playbook\n"),
        ("compose.yaml", "services: {}\n"),
    )
    value = await found_by(tool, context, "restart")
    assert [step["text"] for step in value["steps"]] == ["stop it", "start it"]
    assert value["others"] == []
    with pytest.raises(ToolFailed, match="no playbook speaks of 'notes'"):
        await tool.invoke({"topic": "notes"}, context)
    sources = open_sources([tmp_path], folder=tmp_path)
    assert {each.path.name for each in sources.skipped} == {"site.yaml", "compose.yaml"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.md", "---\nkind: playbook\n---\nNo step here.\n", "has no steps"),
        ("a.md", "---\nkind: playbook\ntitle: [\n---\n1. Go\n", "line 4: not YAML"),
        ("a.yaml", "kind: playbook\nsteps:\n  - {section: x}\n", "line 3: a step without a text"),
        ("a.yaml", "kind: playbook\nsteps: none\n", "has no steps"),
    ],
)
async def test_a_playbook_that_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(DataRejected, match=says):
        playbook_tools(open_sources([tmp_path], folder=tmp_path))


async def test_yaml_that_is_no_playbook_is_refused_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Deployment\n", "utf-8")
    with pytest.raises(DataRejected, match="no playbook"):
        open_sources([tmp_path / "a.yaml"], folder=tmp_path)


@pytest.mark.parametrize(
    ("topic", "title"),
    [
        ("How do we onboard a new colleague?", "Onboarding"),
        ("a customer wants their account deleted", "Data deletion request"),
        ("phishing mail", "Security incident response"),
        ("contract renewal with a supplier", "Vendor review"),
        ("rollback", "Change management for production"),
        ("who loses access", "Quarterly access review"),
    ],
)
async def test_the_samples_answer_what_people_ask(
    sample_tools: Mapping[str, Tool], context: ToolContext, topic: str, title: str
) -> None:
    assert (await found_by(sample_tools["enterprise.playbook"], context, topic))["title"] == title


async def test_a_title_as_it_stands_is_found_before_all_others(tmp_path: Path, context: ToolContext) -> None:
    tool = tool_over(
        tmp_path,
        ("playbooks/a.md", "# Access\n1. Access access access review review.\n"),
        ("playbooks/b.md", "# Access review\n1. Look.\n"),
    )
    assert (await found_by(tool, context, "access"))["title"] == "Access"
    assert (await found_by(tool, context, " ACCESS review "))["title"] == "Access review"


@pytest.mark.parametrize("topic", ["?!", '"', "NEAR(", "title:x*", "\x00", "🦊"])
async def test_a_topic_that_no_playbook_speaks_of_fails_whatever_its_characters(
    sample_tools: Mapping[str, Tool], context: ToolContext, topic: str
) -> None:
    with pytest.raises(ToolFailed, match="no playbook speaks of"):
        await sample_tools["enterprise.playbook"].invoke({"topic": topic}, context)


async def test_front_matter_is_no_passage_of_a_document(tmp_path: Path, context: ToolContext) -> None:
    (tmp_path / "leaver.md").write_text(LEAVER, "utf-8")
    search = research_tools(open_sources([tmp_path], folder=tmp_path))[0]
    found = cast("dict[str, Any]", await search.invoke({"query": "laptop"}, context))
    assert "badge" in found["text"]
    with pytest.raises(ToolFailed, match="nothing found"):
        await search.invoke({"query": "offboarding"}, context)
