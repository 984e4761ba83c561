"""Calculator, clock, tone check, and what all built-in tools have in common."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from fitting import output_problems
from hypothesis import given
from hypothesis import strategies as st

from planwarden.errors import ToolFailed
from planwarden.tools.builtin import BUILTIN_NAMES, builtin_tools, foreign_examples, open_builtins
from planwarden.tools.data_sources import open_sources
from planwarden.tools.domains.calculator import Calculation, calculator
from planwarden.tools.domains.creative import tonecheck
from planwarden.tools.domains.time_of_day import clock
from planwarden.tools.tool import Tool, ToolContext

pytestmark = [pytest.mark.requirement("TOOL-9"), pytest.mark.anyio]


async def call(tool: Tool, context: ToolContext, **arguments: object) -> dict[str, Any]:
    value = await tool.invoke(arguments, context)
    assert output_problems(tool.spec, value) == ()
    return cast("dict[str, Any]", value)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("(3 + 4) * 2", 14),
        ("2^10", 1024),
        ("-2^2", -4),
        ("2^-1", 0.5),
        ("15% of 240", 36),
        ("17 % 5", 2),
        ("7 // 2", 3),
        ("= 1,234,567 + 1", 1_234_568),
        ("max(1,234) × 2", 468),
        ("9 ÷ 3 − 1", 2),
        ("sqrt(1764) + abs(-1) + round(2.567, 1)", 45.6),
        ("min(3, 1, 2)", 1),
        ("2 * pi", 6.283185307179586),
        ("0.1 + 0.2", 0.30000000000000004),
    ],
)
async def test_arithmetic_is_exact(context: ToolContext, expression: str, result: float) -> None:
    value = await call(calculator, context, expression=expression)
    assert value["result"] == pytest.approx(result, rel=1e-15)
    assert value["text"].startswith(expression.strip())


async def test_the_text_says_the_number_as_a_person_would(context: ToolContext) -> None:
    assert (await call(calculator, context, expression="0.1+0.2"))["text"] == "0.1+0.2 = 0.3"
    assert (await call(calculator, context, expression="2^60"))["text"] == "2^60 = 1.152922e+18"


@pytest.mark.parametrize(
    "expression",
    [
        "9^9^9^9",
        "2^100000",
        "10.0^400",
        "1e308*10",
        "1/0",
        "5 % 0",
        "0^-1",
        "(-8)^0.5",
        "sqrt(-1)",
        "round(1, 10^30)",
        "__import__('os').system('id')",
        "open('/etc/passwd')",
        "(1).__class__",
        "[1]*9",
        "'a'*9",
        "lambda: 1",
        "True + 1",
        "1 if 1 else 2",
        "x",
        "max()",
        "1; 2",
        "1\x002",
        "(" * 150,
        "-" * 190 + "1" + "(",
        "1j",
        "nan",
        "min(1, key=2)",
    ],
)
async def test_what_is_not_arithmetic_or_too_large_fails(context: ToolContext, expression: str) -> None:
    with pytest.raises(ToolFailed):
        await calculator.invoke({"expression": expression}, context)


@given(st.text(alphabet="0123456789.+-*/%^()eE, sqrtmaxbounidp", min_size=1, max_size=200))
def test_any_expression_ends_in_a_number_or_a_failure(expression: str) -> None:
    with contextlib.suppress(ToolFailed):
        result = cast("Calculation", calculator.function(expression)).result
        assert math.isfinite(result)


@pytest.mark.parametrize(
    ("zone", "iso"),
    [
        ("UTC", "2026-03-09T22:30:00+00:00"),
        ("Asia/Tokyo", "2026-03-10T07:30:00+09:00"),
        ("tokyo", "2026-03-10T07:30:00+09:00"),
        (" New York ", "2026-03-09T18:30:00-04:00"),
    ],
)
async def test_the_clock_shows_the_calls_own_time(context: ToolContext, zone: str, iso: str) -> None:
    value = await call(clock, context, zone=zone)
    assert value["iso"] == iso
    assert value["weekday"] == ("Monday" if iso.startswith("2026-03-09") else "Tuesday")
    assert (await call(clock, context))["zone"] == "UTC"


@pytest.mark.parametrize("zone", ["Atlantis", "", "../../etc/passwd", "/etc/localtime", "America", "a\x00b"])
async def test_an_unknown_zone_fails(context: ToolContext, zone: str) -> None:
    with pytest.raises(ToolFailed, match="no time zone"):
        await clock.invoke({"zone": zone}, context)


async def test_tone_is_measured(context: ToolContext) -> None:
    friendly = await call(tonecheck, context, text="Thank you for the great work. We are happy to help.")
    assert (friendly["tone"], friendly["sentences"], friendly["words"]) == ("positive", 2, 11)
    harsh = await call(
        tonecheck, context, text="This is UNACCEPTABLE!! The order was delayed, perhaps lost. Terrible."
    )
    assert (harsh["tone"], harsh["shouting"], harsh["passive"], harsh["hedges"]) == ("negative", 2, 1, 1)
    assert "it shouts 2 times" in harsh["text"]
    with pytest.raises(ToolFailed, match="no words"):
        await tonecheck.invoke({"text": "?!"}, context)


async def test_reading_ease_is_fleschs(context: ToolContext) -> None:
    value = await call(tonecheck, context, text="The cat sat on the mat.")
    assert value["reading_ease"] == pytest.approx(206.835 - 1.015 * 6 - 84.6 * 1, abs=0.01)


def test_every_builtin_states_itself_and_can_be_found(sample_tools: Mapping[str, Tool]) -> None:
    assert sorted(sample_tools) == sorted(BUILTIN_NAMES)
    for name, tool in sample_tools.items():
        spec = tool.spec
        output = cast("dict[str, Any]", spec.output)
        assert output["properties"]["text"] == {"type": "string"}, name
        assert 4 <= len(spec.examples) <= 8, name
        assert len(spec.foreign_examples) >= len(foreign_examples()[name]) == 15, name
        assert set(spec.alternatives) <= set(BUILTIN_NAMES) - {name}
        assert spec.verifiable == (spec.effect != "read")
        for parameter in cast("dict[str, Any]", spec.parameters["properties"]).values():
            assert parameter["description"]


def test_tools_without_data_are_left_out_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("a,b\n1,2\n")
    made = open_builtins(open_sources(["plain.csv"], folder=tmp_path), tmp_path, tmp_path / "state")
    assert set(made.unavailable) == {
        "finance.analytics",
        "finance.snapshot",
        "research.search",
        "research.summarizer",
    }
    assert "price" in made.unavailable["finance.snapshot"]
    (tmp_path / "only.md").write_text("One sentence.")
    tools = builtin_tools(open_sources(["only.md"], folder=tmp_path), tmp_path, tmp_path / "state")
    names = {tool.spec.name for tool in tools}
    assert {"research.search", "files.write", "utils.clock"} <= names
    assert not {"data.query", "data.aggregate", "finance.snapshot"} & names
