"""The catalog file: every mistake is refused with file, line and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from planwarden.configuration.catalog_file import (
    AssembledCatalog,
    assemble,
    default_catalog_text,
    load_catalog_file,
    parse_catalog,
)
from planwarden.configuration.python_tools import load_python_tools
from planwarden.contracts.specs import ToolExample
from planwarden.contracts.verdict import Allowed, Denied, NeedsApproval
from planwarden.errors import CatalogRejected
from planwarden.tools.domains.calculator import calculator_tools
from planwarden.tools.domains.time_of_day import clock_tools

pytestmark = pytest.mark.requirement("CAT-2")

BUILTIN = (*calculator_tools(), *clock_tools())
UNAVAILABLE = {"finance.snapshot": "no table with prices"}

GOOD = """\
version: 1
agents:
  general_agent:
    description: Sums and time.
    tools: [utils.calculator, now]
    may_answer_without_tools: true
  finance_agent:
    description: Prices.
    tools:
      - finance.snapshot
aliases:
  now: utils.clock
policies:
  general_agent:
    rules:
      - name: sums
        allow: [utils.calculator]
      - {name: time, ask: [now], arguments: {type: object}}
  finance_agent:
    rules:
      - {name: prices, allow: [finance.*]}
"""


def loaded(text: str, folder: Path | None = None) -> AssembledCatalog:
    file = parse_catalog(text, "test.yaml", folder or Path.cwd())
    return assemble(file, BUILTIN, load_python_tools(file), UNAVAILABLE)


def swapped(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def line_of(text: str, marked: str) -> int:
    return text[: text.index(marked)].count("\n") + 1


def mistake(text: str, folder: Path | None = None) -> CatalogRejected:
    with pytest.raises(CatalogRejected) as raised:
        loaded(text, folder)
    assert raised.value.remedy
    return raised.value


def line_in(error: CatalogRejected) -> int:
    found = re.match(r"test\.yaml, line (\d+): ", error.message)
    assert found, error.message
    return int(found[1])


def test_the_example_of_this_test_is_right() -> None:
    world = loaded(GOOD)
    assert set(world.catalog.tools) == {"utils.calculator", "utils.clock"}


@pytest.mark.parametrize(
    ("old", "new", "marked", "says"),
    [
        ("version: 1", "version: 7", "version", "version: Input should be 1"),
        ("version: 1\n", "", "agents", "version: Field required"),
        ("    tools:\n      - fin", "\ttools:\n      - fin", "\ttools", "cannot start any token"),
        ("aliases:\n", "aliases: [\n", "policies:", "not YAML"),
        ("aliases:\n", "agents:\n", "agents:\n  now", "'agents' stands here twice"),
        (
            "    description: Prices.",
            "    describtion: Prices.",
            "    describtion",
            "describtion: Extra inputs",
        ),
        ("    description: Prices.\n", "", "  finance_agent:\n    tools", "description: Field required"),
        ("aliases:", "extras: {}\naliases:", "extras", "extras: Extra inputs"),
        (
            "allow: [utils.calculator]",
            "allow: &a [utils.calculator]\n        deny: *a",
            "&a",
            "an anchor is used",
        ),
        ("- finance.snapshot", "- finance.ghost", "- finance.ghost", "tool 'finance.ghost'"),
        ("- finance.snapshot", "- 7", "- 7", "valid string"),
        ("- finance.snapshot", "- 'a b'", "- 'a b'", "match pattern"),
        ("  finance_agent:\n    rules", "  ghost_agent:\n    rules", "  ghost_agent", "which is no agent"),
        ("allow: [utils.calculator]", "allow: [a]\n        deny: [b]", "- name: sums", "says 2 of"),
        ("        allow: [utils.calculator]\n", "", "- name: sums", "says 0 of"),
        (
            "allow: [utils.calculator]",
            "allow: [utils.calculatr]",
            "allow: [utils.calculatr]",
            "'utils.calculatr'",
        ),
        ("arguments: {type: object}", "arguments: {type: obj}", "- {name: time", "not a JSON Schema"),
        ("arguments: {type: object}", "arguments: {pattern: '['}", "- {name: time", "not a JSON Schema"),
        ("arguments: {type: object}", "arguments: {const: .inf}", "- {name: time", "not a finite number"),
        ("arguments: {type: object}", 'arguments: {const: "\\uD800"}', "- {name: time", "not text"),
        ("arguments: {type: object}", "arguments: {const: 2026-01-01}", "- {name: time", "unknown kind"),
        ("now: utils.clock", "now: utils.clok", "now: utils.clok", "'utils.clok'"),
        (
            "now: utils.clock",
            "now: utils.clock\n  utils.calculator: utils.clock",
            "  utils.calculator:",
            "both an alias",
        ),
        ("    may_answer_without_tools: true", "    tools2: 1", "    tools2", "tools2: Extra inputs"),
        (
            "aliases:",
            "tools: {utils.ghost: {description: x}}\naliases:",
            "tools: {utils.ghost",
            "no built-in tool",
        ),
        (
            "aliases:",
            "tools: {utils.ghost: {enabled: false}}\naliases:",
            "tools: {utils.ghost",
            "no built-in tool",
        ),
        (
            "aliases:",
            "tools: {utils.clock: {timeout_s: 0}}\naliases:",
            "tools: {utils.clock",
            "greater than 0",
        ),
        (
            "aliases:",
            "tools: {utils.clock: {alternatives: [ghost]}}\naliases:",
            "tools: {utils.clock",
            "'ghost'",
        ),
        ("aliases:", "tools:\n  my.tool: {python: 'ghost.py:f'}\naliases:", "  my.tool", "is not a file"),
        (
            "aliases:",
            "tools:\n  my.tool: {python: 'no_such_module_x:f'}\naliases:",
            "  my.tool",
            "cannot be loaded",
        ),
        ("aliases:", "1: 2\naliases:", "1: 2", "a key that is not a word"),
        ("aliases:", "? [a]\n: b\naliases:", "? [a]", "a key that is not a word"),
        ("version: 1", "version: 1\n---", "---", "not YAML"),
        ("Prices.", "Pri\x00ces.", "Pri\x00", "not text"),
        ("Prices.", "!!python/object/apply:os.getcwd []", "!!python", "description: Input should be"),
        ("Prices.", "!!python/name:os.getcwd ''", "!!python", "cannot be read"),
    ],
)
def test_a_mistake_is_refused_with_file_line_and_remedy(old: str, new: str, marked: str, says: str) -> None:
    text = swapped(old, new)
    error = mistake(text)
    assert says in error.message
    assert line_in(error) == line_of(text, marked), error.message


def test_an_agent_that_can_do_nothing_is_refused() -> None:
    text = swapped("    tools:\n      - finance.snapshot\n", "    capabilities: [quotes]\n")
    error = mistake(text)
    assert "can do nothing" in error.message
    assert line_in(error) == line_of(text, "  finance_agent")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- a\n- b\n", "just words", "7", "null"])
def test_a_file_without_a_mapping_is_refused(text: str) -> None:
    error = mistake(text)
    assert "no mapping" in error.message
    assert "planwarden init" in error.remedy


def test_nesting_without_end_is_refused_and_never_a_crash() -> None:
    for depth in range(20, 1000, 240):
        mistake("[ " * depth + "] " * depth)
        mistake("{a: " * depth + "1" + "}" * depth)
        deep = swapped("arguments: {type: object}", "arguments: " + "{not: " * depth + "{}" + "}" * depth)
        try:
            loaded(deep)
        except CatalogRejected as error:
            assert "line" in error.message  # noqa: PT017 - shallow ones are right


def test_files_that_are_not_a_catalog_are_refused(tmp_path: Path) -> None:
    large, binary, empty = tmp_path / "large.yaml", tmp_path / "binary.yaml", tmp_path / "empty.yaml"
    large.write_text("a: b\n" * 400_000)
    binary.write_bytes(bytes(range(256)) * 10)
    empty.write_bytes(b"")
    for path, says in (
        (large, "more than"),
        (binary, "cannot be read"),
        (empty, "no mapping"),
        (tmp_path / "missing.yaml", "cannot be read"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(CatalogRejected) as raised:
            load_catalog_file(path)
        assert says in raised.value.message
        assert str(path) in raised.value.message
        assert raised.value.remedy


def test_a_file_is_read_no_further_than_the_limit() -> None:
    with pytest.raises(CatalogRejected, match="more than"):
        load_catalog_file(Path("/dev/zero"))


def test_what_init_writes_is_the_catalog_that_ships(tmp_path: Path) -> None:
    written = tmp_path / "planwarden.yaml"
    written.write_text(default_catalog_text())
    assert load_catalog_file(written).file == load_catalog_file(None).file
    assert load_catalog_file(written).folder == tmp_path.resolve()


# ---- what comes of a right file --------------------------------------------------------------------------


@pytest.mark.requirement("CAT-3")
def test_tools_without_data_are_left_out_with_the_reason_and_so_are_agents_left_with_none() -> None:
    world = loaded(GOOD)
    assert world.left_out["finance.snapshot"] == "no table with prices"
    assert "finance_agent" not in world.catalog.agents
    assert "none of its tools" in world.left_out["finance_agent"]
    assert "finance.snapshot" not in world.catalog.tools


@pytest.mark.requirement("CAT-3")
def test_a_disabled_tool_is_gone_from_catalog_agents_aliases_and_alternatives() -> None:
    text = swapped("aliases:", "tools: {utils.clock: {enabled: false}}\naliases:")
    world = loaded(text)
    assert "utils.clock" not in world.catalog.tools
    assert "utils.clock" not in world.tools
    assert world.catalog.agents["general_agent"].tools == ("utils.calculator",)
    assert world.catalog.aliases == {}
    assert "disabled" in world.left_out["utils.clock"]


@pytest.mark.requirement("CAT-3")
def test_alternatives_that_are_not_there_are_dropped() -> None:
    text = swapped(
        "aliases:", "tools: {utils.clock: {alternatives: [utils.calculator, finance.snapshot]}}\naliases:"
    )
    assert loaded(text).catalog.tools["utils.clock"].alternatives == ("utils.calculator",)


@pytest.mark.requirement("CAT-3")
def test_an_entry_changes_what_a_tool_declares_and_nothing_of_what_it_does() -> None:
    entry = "{description: Tells time, examples: [when is it], timeout_s: 3}"
    world = loaded(swapped("aliases:", f"tools: {{utils.clock: {entry}}}\naliases:"))
    before = loaded(GOOD).catalog.tools["utils.clock"]
    after = world.catalog.tools["utils.clock"]
    assert (after.description, after.examples, after.timeout_s) == (
        "Tells time",
        (ToolExample(request="when is it"),),
        3,
    )
    kept = {"description", "examples", "timeout_s"}
    assert after.model_dump(exclude=kept) == before.model_dump(exclude=kept)
    assert world.tools["utils.clock"].spec == after
    assert world.catalog.digest != loaded(GOOD).catalog.digest


@pytest.mark.requirement("CAT-3")
def test_policies_speak_of_tools_by_alias_too() -> None:
    world = loaded(GOOD)
    assert isinstance(world.policy.decide("general_agent", "utils.calculator", {}), Allowed)
    assert isinstance(world.policy.decide("general_agent", "utils.clock", {}), NeedsApproval)
    assert isinstance(world.policy.decide("general_agent", "files.read", {}), Denied)
    assert isinstance(world.policy.may_answer_without_tools("general_agent"), Denied)


TOOL_FILE = '''\
from planwarden import tool

@tool(name="my.shout", effect="read")
def shout(word: str) -> str:
    """Shout a word."""
    return word.upper()
'''


def with_python(reference: str, name: str = "my.shout") -> str:
    text = swapped("aliases:", f"tools:\n  {name}: {{python: '{reference}'}}\naliases:")
    return text.replace("tools: [utils.calculator, now]", f"tools: [utils.calculator, now, {name}]")


@pytest.mark.requirement("CAT-3")
@pytest.mark.parametrize("reference", ["mine.py:shout", "mine.py"])
def test_a_python_file_beside_the_catalog_brings_a_tool(tmp_path: Path, reference: str) -> None:
    (tmp_path / "mine.py").write_text(TOOL_FILE)
    world = loaded(with_python(reference), tmp_path)
    assert "my.shout" in world.catalog.tools_of("general_agent")
    assert world.catalog.tools["my.shout"].effect == "read"


@pytest.mark.parametrize(
    ("reference", "name", "says"),
    [
        ("mine.py:ghost", "my.shout", "'ghost' is not a tool"),
        ("mine.py:shout", "my.other", "holds no tool named 'my.other'"),
        ("broken.py:shout", "my.shout", "cannot be loaded"),
        ("../gone.py:shout", "my.shout", "is not a file"),
    ],
)
def test_a_python_entry_that_leads_nowhere_is_refused_at_its_line(
    tmp_path: Path, reference: str, name: str, says: str
) -> None:
    (tmp_path / "mine.py").write_text(TOOL_FILE)
    (tmp_path / "broken.py").write_text("raise RuntimeError('boom')\n")
    text = with_python(reference, name)
    error = mistake(text, tmp_path)
    assert says in error.message
    assert line_in(error) == line_of(text, f"  {name}:")


def test_messages_end_with_one_full_stop() -> None:
    changes: Mapping[str, Any] = {"- finance.snapshot": "- ghost.x", "version: 1": "version: 9"}
    for old, new in changes.items():
        message = mistake(swapped(old, new)).message
        assert message.endswith(".")
        assert not message.endswith("..")
