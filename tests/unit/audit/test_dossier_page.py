"""The page of a dossier: whole for every outcome, harmless whatever the run said, linked to its evidence."""

from __future__ import annotations

import re
from copy import copy
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from dossier_pages import TAGS, Reading, check_harmless
from dossier_scenes import (
    SCENES,
    Scene,
    a_stage,
    a_step,
    carried_out,
    completed,
    crashed_and_resumed,
    parallel,
    scene_of,
    settled,
)
from hypothesis import given
from hypothesis import strategies as st

from planwarden.audit.page.amounts import seconds
from planwarden.audit.page.answer import answer_claims
from planwarden.audit.page.dossier_page import dossier_page
from planwarden.audit.page.element import shown, tag, value
from planwarden.audit.page.layout import GAP, lay_out
from planwarden.audit.page.style import STYLE
from planwarden.audit.render import dossier_markdown
from planwarden.contracts.dossier import Dossier

pytestmark = pytest.mark.anyio

HOSTILE = (
    "</pre></title></style><script>alert(1)</script><img src=x onerror=alert(1)>"
    "\"'`&amp;\u202e\x1b[31m\u2066x"
)


def page_of(scene: Scene, notice: str = "") -> Reading:
    return Reading(dossier_page(scene.dossier, scene.timeline, notice=notice))


@pytest.mark.requirement("HTM-2")
@pytest.mark.parametrize("name", list(SCENES))
async def test_every_outcome_has_a_page_that_loads_and_runs_nothing(name: str) -> None:
    make, status = SCENES[name]
    scene = await make()
    page = page_of(scene)
    check_harmless(page)
    for heading in (
        "Task",
        "Answer",
        "Plan",
        "Timeline",
        "Steps and calls",
        "Deviations",
        "Models",
        "Record",
    ):
        assert heading in page.texts
    assert scene.dossier.head in page.text
    assert f"planwarden dossier verify {scene.dossier.run_id}" in page.text
    assert status.partition("_")[0] in page.text
    for deviation in scene.dossier.deviations:
        assert deviation.kind.replace("_", " ") in page.texts
    for approval in scene.dossier.approvals:
        assert approval.by in page.texts
    for call in scene.dossier.calls:
        assert call.verdict is None or call.verdict.rule in page.texts
    assert dossier_page(scene.dossier, scene.timeline) == dossier_page(scene.dossier, scene.timeline)


@pytest.mark.requirement("HTM-2")
async def test_tables_have_headings_and_drawings_say_in_words_what_they_show() -> None:
    page = page_of(await parallel())
    assert set(page.all("th", "scope")) == {"col"}
    assert page.all("svg", "role") == ["img", "img"]
    drawn = [text for text in page.texts if text.startswith(("Graph of the plan", "Timeline of"))]
    assert "s4 by general_agent with no tools, after s1, s2, s3: answered" in drawn[0]
    assert "4 × step" in drawn[1]


@pytest.mark.requirement("HTM-3")
async def test_hostile_text_in_every_place_stays_text() -> None:
    answer = f"{HOSTILE} [s1.1]"
    stage = a_stage(answer)
    scene = await scene_of(stage, await carried_out(stage, a_step("mail.send"), prompt=HOSTILE))
    spoilt = everywhere(scene.dossier, HOSTILE)
    page = page_of(Scene(dossier=spoilt, timeline=scene.timeline), notice=HOSTILE)
    assert page.tags <= TAGS
    assert {name for _, name, _ in page.attributes if name.startswith("on")} == set()
    assert page.text.count("<script>alert(1)</script>") > 20
    said = page.text + "".join(value or "" for _, _, value in page.attributes)
    assert not set("\u202e\u2066\x1b") & set(said)
    assert "⟨U+202E⟩⟨U+001B⟩[31m⟨U+2066⟩x" in said


@pytest.mark.requirement("HTM-2")
async def test_what_is_wider_than_the_screen_scrolls_by_itself_and_is_not_shrunk() -> None:
    whole = await parallel()
    page = ET.fromstring(f"<main>{body_of(dossier_page(whole.dossier, whole.timeline))}</main>")
    scrolled = [
        each for each in page.iter("div") if each.get("class") == "wide" and each.get("tabindex") == "0"
    ]
    inside = {id(drawn) for each in scrolled for kind in ("svg", "table") for drawn in each.iter(kind)}
    wide = [drawn for kind in ("svg", "table") for drawn in page.iter(kind)]
    assert [drawn.tag for drawn in wide if id(drawn) not in inside] == []
    assert [drawn.get("class") for drawn in wide if drawn.tag == "svg"] == ["graph", "chart"]
    on_screen, on_paper = STYLE.split("@media print")
    assert ".wide { overflow-x: auto;" in on_screen
    assert "svg.graph { max-width: none; }" in on_screen
    assert "svg.chart { min-width: 46rem; }" in on_screen
    assert "svg.graph { max-width: 100%; }" in on_paper


def body_of(page: str) -> str:
    """Give what a page shows, as XML reads it."""
    return page[page.index("<body>") + len("<body>") : page.index("</body>")]


def everywhere(dossier: Dossier, text: str) -> Dossier:
    """Put a text into every place of a dossier that may hold any."""
    whole: Any = dossier.model_dump(mode="json")
    for path in leaves(whole):
        spoilt = replaced(whole, path, text)
        try:
            Dossier.model_validate(spoilt)
        except ValueError:
            continue
        whole = spoilt
    return Dossier.model_validate(whole)


def leaves(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(part, str):
        return [path]
    if isinstance(part, dict):
        inner = list(cast("dict[str, Any]", part).items())
    else:
        inner = list(enumerate(cast("list[Any]", part))) if isinstance(part, list) else []
    return [leaf for key, each in inner for leaf in leaves(each, (*path, key))]


def replaced(part: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    copied = copy(part)
    copied[path[0]] = replaced(copied[path[0]], path[1:], text)
    return copied


@pytest.mark.requirement("HTM-3")
@given(text=st.text(max_size=60))
def test_any_text_comes_back_from_an_element_as_it_was_but_for_what_hides(text: str) -> None:
    read = Reading(tag("p", text, title=text))
    assert read.text.replace("\r", "") == shown(text)
    assert read.all("p", "title") == [shown(text)]


@pytest.mark.requirement("HTM-3")
def test_a_long_value_is_folded_and_a_very_long_one_cut_with_a_word_about_it() -> None:
    assert "<details>" not in value("short")
    assert "<details>" in value("word " * 100)
    cut = Reading(value("x" * 50_000)).text
    assert "30,000 characters more: see the JSON dossier" in cut
    assert len(cut) < 21_000


@st.composite
def plans(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"s{number}" for number in range(1, draw(st.integers(1, 12)) + 1)]
    return {
        name: draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=4)) if at else []
        for at, name in enumerate(names)
    }


@pytest.mark.requirement("HTM-4")
@given(depends_on=plans(), tall=st.lists(st.floats(40, 200), min_size=12, max_size=12))
def test_no_two_steps_overlap_and_every_dependency_leads_down(
    depends_on: dict[str, list[str]], tall: list[float]
) -> None:
    layout = lay_out(depends_on, dict(zip(depends_on, tall, strict=False)))
    boxes = list(layout.boxes.values())
    assert set(layout.boxes) == set(depends_on)
    for at, one in enumerate(boxes):
        assert 0 <= one.x <= one.x + one.width <= layout.width + 1e-6
        for other in boxes[at + 1 :]:
            apart_x = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
            apart_y = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
            assert apart_x >= GAP - 1e-6 or apart_y > 0
    wanted = {(source, step) for step, sources in depends_on.items() for source in sources}
    assert set(layout.arrows) == wanted
    for (source, step), points in layout.arrows.items():
        heights = [y for _, y in points]
        assert heights == sorted(heights)
        assert points[0][1] == pytest.approx(layout.boxes[source].y + layout.boxes[source].height)
        assert points[-1][1] == pytest.approx(layout.boxes[step].y)


@pytest.mark.requirement("HTM-4")
async def test_the_graph_shows_what_became_of_each_planned_tool() -> None:
    page = page_of(await SCENES["fallback tool"][0]())
    assert "finance.broken: failed" in page.texts
    assert "finance.snapshot: returned" in page.texts
    assert "finance.snapshot (fallback)" in page.texts
    denied = page_of(await SCENES["call refused"][0]())
    assert "mail.send: refused (policy_denied)" in denied.texts


@pytest.mark.requirement("HTM-7")
async def test_a_sentence_leads_to_its_call_and_what_rests_on_nothing_is_marked() -> None:
    scene = await completed()
    html = dossier_page(scene.dossier, scene.timeline)
    answer = html[html.index('id="answer"') : html.index('id="plan"')]
    claims = answer.split('class="claim"')[1:]
    assert 'href="#call-s1.1"' in claims[0]
    assert "cited by the model" in claims[0]
    assert re.search(r"<mark[^>]*>4 %</mark>", claims[1])
    assert "rests on no call" in claims[1]
    assert "href" not in claims[-1]
    assert "[s9.1]" in claims[-1]
    assert 'id="call-s1.1"' in html
    assert "cited, but not there" in answer


@pytest.mark.requirement("HTM-7")
async def test_a_rendered_result_of_several_sentences_rests_on_its_call_in_all_of_them() -> None:
    scene = await completed()
    assert scene.dossier.answer is not None
    rendered = scene.dossier.answer.model_copy(
        update={"text": "First line.\nSecond line. [s1.1]", "style": "evidence", "uncited": ()}
    )
    dossier = scene.dossier.model_copy(update={"answer": rendered})
    html = dossier_page(dossier, scene.timeline)
    claims = html[html.index('id="answer"') : html.index('id="plan"')].split('class="claim"')[1:]
    assert len(claims) == 2
    assert all('href="#call-s1.1"' in claim for claim in claims)


@pytest.mark.requirement("HTM-2")
@pytest.mark.parametrize(
    ("amount", "said"),
    [(None, "–"), (0, "0 ms"), (0.0004, "0.4 ms"), (0.25, "250 ms"), (59.94, "59.9 s"), (60, "1 min"),
     (125, "2 min 5 s"), (3_600, "1 h"), (7_380, "2 h 3 min"), (200_000, "2 days 7 h")],
)  # fmt: skip
def test_durations_are_said_in_their_largest_units(amount: float | None, said: str) -> None:
    assert seconds(amount) == said


@pytest.mark.requirement("HTM-2")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("waiting for the plan", "for approval of the plan"),
        ("approved, then in doubt", "somebody has to say whether this call happened: s2.1 of mail.send"),
        ("refused", "nothing_allowed: 'general_agent' may do nothing here"),
        ("cancelled", "cancelled by ann"),
        ("failed", "tool_first_policy_violation"),
    ],
)
async def test_markdown_and_page_say_at_once_why_a_run_stands_as_it_does(name: str, said: str) -> None:
    scene = await SCENES[name][0]()
    markdown = dossier_markdown(scene.dossier)
    status = next(line for line in markdown.splitlines() if line.startswith("- **Status:**"))
    assert said in status
    assert f"{scene.dossier.status} (" in status
    assert said in page_of(scene).text
    if not scene.dossier.steps:
        assert "None: nothing was done." in markdown


@pytest.mark.requirement("HTM-1")
async def test_what_counts_as_done_on_a_persons_word_is_shown_as_that_persons_word() -> None:
    scene = await settled()
    (call,) = [call for call in scene.dossier.calls if call.settled_by is not None]
    told = f"as {call.settled_by} said"
    assert f"returned ({told})" in dossier_markdown(scene.dossier)
    assert scene.dossier.answer is not None
    assert told in str(answer_claims(scene.dossier.answer, scene.dossier.calls))


@pytest.mark.requirement("HTM-1")
async def test_a_run_that_was_gone_on_with_says_so_at_the_top() -> None:
    scene = await crashed_and_resumed()
    assert "- **Resumed:** 1×" in dossier_markdown(scene.dossier)
    assert "Resumed 1×" in dossier_page(scene.dossier, scene.timeline)
    straight = await completed()
    assert "Resumed" not in dossier_markdown(straight.dossier)
    assert "Resumed" not in dossier_page(straight.dossier, straight.timeline)
