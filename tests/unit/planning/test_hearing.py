"""Retrieval hears the user's own data, several things asked, and the shape of numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.catalog.catalog import Catalog
from planwarden.configuration.catalog_file import assemble, load_catalog_file
from planwarden.planning.shortlist import Retriever, Shortlist
from planwarden.policy.rules import ToolPolicy
from planwarden.tools.builtin import open_builtins
from planwarden.tools.data_sources import open_sources

pytestmark = pytest.mark.requirement("PLAN-12")

SALES = "order_id,region,amount\n1,Berlin,10\n2,Oslo,20\n3,Berlin,5\n"
RETURNS = "# Returns\n\nAn item may come back within thirty days.\n"


@pytest.fixture
def world(tmp_path: Path) -> tuple[Catalog, ToolPolicy]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "sales.csv").write_text(SALES, "utf-8")
    (data / "returns.md").write_text(RETURNS, "utf-8")
    sources = open_sources([str(data)], folder=tmp_path)
    builtins = open_builtins(sources, tmp_path / "workspace", tmp_path / "state")
    assembled = assemble(load_catalog_file(None), builtins.tools, {}, builtins.unavailable)
    return assembled.catalog, assembled.policy


def heard(text: str, world: tuple[Catalog, ToolPolicy]) -> Shortlist:
    return Retriever().shortlist(text, *world, size=6, near=0.9)


@pytest.mark.parametrize(
    ("request_text", "tool"),
    [
        ("How many days until an item may come back?", "research.search"),
        ("What happened in Oslo?", "data.aggregate"),
        ("What is 12 * 34?", "utils.calculator"),
    ],
)
def test_words_of_the_data_and_shapes_of_numbers_find_the_tool(
    request_text: str, tool: str, world: tuple[Catalog, ToolPolicy]
) -> None:
    assert tool in heard(request_text, world).tools


def test_each_thing_asked_is_a_part_with_tools_of_its_own(world: tuple[Catalog, ToolPolicy]) -> None:
    parts = heard("What time is it in Tokyo, and what is the total amount per region?", world).parts
    assert [part[0] for part in parts] == ["utils.clock", "data.aggregate"]


def test_a_task_of_function_words_hears_nothing(world: tuple[Catalog, ToolPolicy]) -> None:
    assert heard("Who are you?", world).parts == ()


def test_leaving_tools_out_never_empties_a_part(world: tuple[Catalog, ToolPolicy]) -> None:
    shortlist = heard("What is the total amount per region?", world)
    assert shortlist.only(lambda _: False).parts == shortlist.parts
    kept = shortlist.only(lambda tool: tool != "data.query")
    assert "data.query" not in kept.tools
    assert all("data.query" not in tools for tools in kept.stand_ins.values())
