"""What the documents mention exists: commands, options, variables, targets, links, codes, kinds, reasons."""

from __future__ import annotations

import ast
import re
import shlex
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import typer
from documents import PAGES, ROOT, commands_said, fences, links, name_of, prose

from planwarden.cli.exits import Exit
from planwarden.cli.main import app
from planwarden.configuration.settings import known_variables
from planwarden.contracts.deviations import DEVIATION_KINDS
from planwarden.contracts.refusals import REASONS
from planwarden.errors import ModelError, ToolCallingUnsupported

SRC = ROOT / "src" / "planwarden"
VARIABLE = re.compile(r"\b(?:PLANNER_LLM__|LLM__|TOOLS__|SHADOW__|PLANWARDEN_)[A-Z][A-Z_]*")
UNKNOWN = re.compile(r"`([A-Z_]+): there is no such setting")
"""A variable that a document mentions because there is none."""


def problem_with(text: str) -> str:
    """Walk a command as typed down the command line's tree; say what is not there, or nothing."""
    command: Any = typer.main.get_command(app)
    listing = False
    for word in shlex.split(text)[1:]:
        inner: dict[str, Any] = getattr(command, "commands", {})
        if word.startswith("--"):
            listing = True  # a group called with options takes no command after them
            if word.split("=")[0] not in {each for parameter in command.params for each in parameter.opts}:
                return f"no option '{word}'"
        elif inner and not listing:
            if word not in inner:
                return f"no command '{word}'"
            command = inner[word]
    return ""


@pytest.mark.requirement("DOC-3")
def test_every_command_mentioned_exists_with_its_options() -> None:
    said = commands_said("planwarden")
    assert len(said) > 40
    wrong = {f"{place}: {text}": found for place, text in said if (found := problem_with(text))}
    assert not wrong


@pytest.mark.requirement("DOC-3")
def test_a_command_or_option_that_does_not_exist_is_found() -> None:
    assert problem_with("planwarden fly") == "no command 'fly'"
    assert problem_with("planwarden run X --wings") == "no option '--wings'"
    assert problem_with("planwarden tools --wings") == "no option '--wings'"
    assert problem_with("planwarden tools --data here") == ""


@pytest.mark.requirement("DOC-3")
def test_every_command_remedies_name_exists() -> None:
    said = [
        text
        for path in SRC.rglob("*.py")
        for text in re.findall(r"`(planwarden [a-z][^`{]*)`", path.read_text("utf-8"))
    ]
    assert said
    assert not {text: found for text in said if (found := problem_with(text.replace("\\", "")))}


@pytest.mark.requirement("DOC-3")
def test_every_make_target_mentioned_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    said = {text.split()[1] for _, text in commands_said("make")}
    assert {"demo", "test"} <= said <= targets


@pytest.mark.requirement("DOC-3")
def test_the_first_command_of_the_readme_is_make_demo() -> None:
    first = next(fence for fence in fences(ROOT / "README.md") if fence.info == "sh")
    assert first.body.split("\n")[0] == "make demo"


@pytest.mark.requirement("DOC-4")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    local = [link.split("#")[0] for link in links(page) if "://" not in link and not link.startswith("#")]
    assert not [link for link in local if not (page.parent / link).exists()]


@pytest.mark.requirement("DOC-4")
def test_every_page_of_the_site_is_in_its_navigation() -> None:
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    site = ROOT / "docs"
    ours = [page.relative_to(site) for page in PAGES if site in page.parents]
    assert not [page for page in ours if f" {page}" not in config]


@pytest.mark.requirement("DOC-5")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_mentioned_exists(page: Path) -> None:
    known = {*known_variables(), *benchmark_variables()}
    unknown = set(UNKNOWN.findall(page.read_text("utf-8")))
    assert not unknown & known
    assert set(VARIABLE.findall(page.read_text("utf-8"))) <= known | unknown


def benchmark_variables() -> set[str]:
    """Give what the benchmarks read of the environment."""
    sources = (ROOT / "benchmarks").rglob("*.py")
    return {name for source in sources for name in VARIABLE.findall(source.read_text("utf-8"))}


def first_column(text: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


@pytest.mark.requirement("DOC-6")
def test_the_glossary_lists_every_kind_of_deviation() -> None:
    section = prose(ROOT / "docs" / "glossary.md").split("## Deviations")[1]
    assert first_column(section) == set(DEVIATION_KINDS)


@pytest.mark.requirement("DOC-6")
def test_the_reference_lists_every_reason_for_refusing_a_plan_by_its_rung() -> None:
    parts = prose(ROOT / "docs" / "reference" / "refusals.md").split("\n## ")[1:]
    listed = {part.split("\n")[0]: first_column(part) for part in parts}
    assert listed == reasons_in_code()


@pytest.mark.requirement("DOC-6")
def test_the_closed_set_of_reasons_is_what_the_planner_gives() -> None:
    given = reasons_in_code()
    again = {"repair": set[str]().union(*(given[rung] for rung in given if rung != "fallback"))}
    again["cache"] = {*given["semantics"], "contract_broken"}
    assert {rung: set(reasons) for rung, reasons in REASONS.items()} == given | again


def reasons_in_code() -> dict[str, set[str]]:
    """Read every `attempt.refuse(rung, reason)` and `_refusal(rung, reason)` off the planner's code."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in (SRC / "planning").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and called(node) in ("refuse", "_refusal"):
                rung, reason = node.args[:2]
                assert isinstance(rung, ast.Constant)
                codes = {str(reason.value)} if isinstance(reason, ast.Constant) else model_codes()
                found[str(rung.value)] |= codes
    return dict(found)


def called(call: ast.Call) -> str:
    """Give the name of the function that is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def model_codes() -> set[str]:
    """Give the code of every model error that a planner can meet: it offers no tools."""

    def tree(error: type[ModelError]) -> set[str]:
        return {error.code}.union(*map(tree, error.__subclasses__()))

    return tree(ModelError) - {ToolCallingUnsupported.code}


@pytest.mark.requirement("DOC-6")
def test_the_readme_lists_every_exit_code() -> None:
    codes = set(re.findall(r"^\| (\d) \|", prose(ROOT / "README.md"), re.MULTILINE))
    assert codes == {str(int(code)) for code in Exit}
