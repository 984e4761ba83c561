"""Requests in other languages find the tools that ship, by the catalog's own examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.app.assembly import assemble_world
from planwarden.catalog.catalog import build_catalog
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.settings import Settings
from planwarden.planning.shortlist import Retriever, Shortlist

pytestmark = pytest.mark.requirement("ANS-5")

WANTED = {
    "Combien vaut AMZN aujourd'hui ?": "finance.snapshot",
    "Qual era o rendimento e a volatilidade da ação GOOG?": "finance.analytics",
    "Che ora segna l'orologio, che ore sono a Roma?": "utils.clock",
    "IBMの株はいまいくら？": "finance.snapshot",
    "GOOG的波动率有多大？": "finance.analytics",
    "런던은 지금 몇 시야?": "utils.clock",
    "Вычисли 91 * 14": "utils.calculator",
    "Проверь, какая температура в среднем по weather": "data.aggregate",
    "ماذا تقول المستندات عن الأمان؟": "research.search",
    "Bu mektubun tonu çok mu sert?": "creative.tonecheck",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> AssembledCatalog:
    home: Path = tmp_path_factory.mktemp("home")
    return assemble_world(Settings(planwarden_home=home), (), {})


def shown(world: AssembledCatalog, text: str) -> Shortlist:
    retriever = Retriever()
    found = retriever.shortlist(text, world.catalog, world.policy, size=6, near=0.9)
    retriever.close()
    return found


@pytest.mark.parametrize(("text", "tool"), WANTED.items())
def test_a_request_in_another_language_finds_its_tool(world: AssembledCatalog, text: str, tool: str) -> None:
    assert text not in world.catalog.tools[tool].foreign_examples
    found = shown(world, text)
    assert found.parts, "nothing was heard"
    assert tool in found.tools


def test_accents_that_were_left_out_change_nothing(world: AssembledCatalog) -> None:
    accented, bare = (
        shown(world, "rentabilité et volatilité de l'action"),
        shown(world, "rentabilite et volatilite de l'action"),
    )
    assert accented.tools == bare.tools


def test_foreign_examples_leave_the_best_tool_of_an_english_request_as_it_is(world: AssembledCatalog) -> None:
    plain = [tool.model_copy(update={"foreign_examples": ()}) for tool in world.catalog.tools.values()]
    without = build_catalog(world.catalog.agents.values(), plain, world.catalog.aliases)
    retriever = Retriever()
    for tool in world.catalog.tools.values():
        for text in tool.examples:
            with_them, alone = (
                retriever.shortlist(text, catalog, world.policy, size=6, near=0.9)
                for catalog in (world.catalog, without)
            )
            assert with_them.tools[0] == alone.tools[0], text
    retriever.close()
