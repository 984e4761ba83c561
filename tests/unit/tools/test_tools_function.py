"""The `@tool` decorator: schemas out, typed values in, mistakes refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from pydantic import BaseModel, Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Json
from planwarden.errors import CatalogRejected, ToolFailed
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.tool import Done, Tool, ToolContext, Unknown, Verification

pytestmark = [pytest.mark.requirement("TOOL-1"), pytest.mark.anyio]


class Point(BaseModel):
    x: int
    y: int = 0


class Shape(BaseModel):
    title: str
    points: list[Point]
    parent: Shape | None = None


class Answer(BaseModel):
    text: str
    total: float


@tool(name="demo.add", effect="read", examples=("add two numbers",), timeout_s=3)
async def add(
    first: Annotated[int, Field(description="The first number", ge=0)],
    second: int = 2,
    mode: Literal["plain", "loud"] = "plain",
    *,
    context: ToolContext,
) -> Answer:
    """Add two
    numbers.

    This paragraph is for readers of the code.
    """
    return Answer(text=f"{mode}:{context.call_id}", total=first + second)


@tool(name="demo.shape", effect="read")
def shape(shape: Shape, origin: Point) -> Any:
    """Say how many points."""
    return {"points": len(shape.points), "x": origin.x}


def test_a_decorated_function_is_a_tool_with_a_closed_schema() -> None:
    made: Tool = add
    assert made.spec.description == "Add two numbers."
    assert made.spec.parameters == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "first": {"type": "integer", "description": "The first number", "minimum": 0},
            "second": {"type": "integer", "default": 2},
            "mode": {"type": "string", "enum": ["plain", "loud"], "default": "plain"},
        },
        "required": ["first"],
    }
    assert made.spec.examples == (ToolExample(request="add two numbers"),)
    assert (made.spec.timeout_s, made.spec.verifiable) == (3, False)
    output = cast("dict[str, Any]", made.spec.output)
    assert set(output["properties"]) == {"text", "total"}


async def test_an_async_function_gets_typed_arguments_defaults_and_the_context(context: ToolContext) -> None:
    assert await add.invoke({"first": 1}, context) == {"text": "plain:s1.1", "total": 3.0}


async def test_references_are_inlined_unless_they_are_recursive(context: ToolContext) -> None:
    parameters = cast("dict[str, Any]", shape.spec.parameters)
    assert parameters["properties"]["origin"]["properties"]["x"] == {"type": "integer"}
    inlined = parameters["properties"]["shape"]
    assert inlined["properties"]["title"] == {"type": "string"}
    assert inlined["properties"]["parent"]["anyOf"][0] == {"$ref": "#/$defs/Shape"}
    assert set(parameters["$defs"]) == {"Shape"}
    assert shape.spec.output == "opaque"
    arguments: dict[str, Json] = {"shape": {"title": "t", "points": [{"x": 1}]}, "origin": {"x": 7}}
    assert await shape.invoke(arguments, context) == {"points": 1, "x": 7}


async def test_a_sync_function_runs_outside_the_event_loop(context: ToolContext) -> None:
    @tool(name="demo.thread", effect="read")
    def threaded(word: str) -> str:
        """Call back into the loop, which only a thread can."""
        anyio.from_thread.run(anyio.lowlevel.checkpoint)
        return word.upper()

    assert await threaded.invoke({"word": "a"}, context) == "A"


async def test_names_that_models_use_themselves_are_fine_as_parameters(context: ToolContext) -> None:
    @tool(name="demo.names", effect="read")
    def names(schema: str, copy: int, json: bool, model_config: str = "m") -> str:
        """Take awkward names."""
        return f"{schema}{copy}{json}{model_config}"

    assert await names.invoke({"schema": "s", "copy": 1, "json": True}, context) == "s1Truem"


async def test_choices_narrow_a_parameter_to_live_values() -> None:
    @tool(name="demo.choice", effect="read", choices={"symbol": ("A", "B"), "group": ("g",)})
    def choice(symbol: Annotated[str, Field(description="Which")], group: str | None = None) -> str:
        """Choose."""
        return f"{symbol}{group}"

    assert choice.spec.parameters["properties"] == {
        "symbol": {"enum": ["A", "B"], "description": "Which"},
        "group": {"enum": ["g", None], "default": None},
    }


def no_description(word: str) -> str:
    return word


def untyped(word) -> str:  # pyright: ignore - the mistake under test
    """Take anything."""
    return str(cast("object", word))


def variadic(*words: str) -> str:
    """Take many."""
    return "".join(words)


def unreadable(word: NoSuchType) -> str:  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType] # noqa: F821 - the mistake under test
    """Take something undefined."""
    return str(cast("object", word))


def without_schema(word: Callable[[], int]) -> str:
    """Take a callable."""
    return str(word())


MISTAKES: list[tuple[object, str]] = [
    (no_description, "no description"),
    (untyped, "'word' has no type"),
    (variadic, "variadic"),
    (unreadable, "NoSuchType"),
    (without_schema, "no JSON Schema"),
]


@pytest.mark.parametrize(("function", "says"), MISTAKES)
def test_a_mistake_is_refused_with_function_file_and_line(function: Callable[..., object], says: str) -> None:
    with pytest.raises(CatalogRejected) as caught:
        tool(name="demo.bad", effect="read")(function)
    line = function.__code__.co_firstlineno
    assert says in caught.value.message
    assert f"'{function.__name__}' at {__file__}:{line}" in caught.value.message
    assert caught.value.remedy


def test_a_bad_name_time_out_or_choice_is_refused() -> None:
    def fine(word: str) -> str:
        """Be fine."""
        return word

    with pytest.raises(CatalogRejected, match="name"):
        tool(name="not a name", effect="read")(fine)
    with pytest.raises(CatalogRejected, match="timeout_s"):
        tool(name="demo.fine", effect="read", timeout_s=0)(fine)
    with pytest.raises(CatalogRejected, match="choices for 'other'"):
        tool(name="demo.fine", effect="read", choices={"other": ("a",)})(fine)
    with pytest.raises(CatalogRejected, match="output='schema'"):
        tool(name="demo.fine", effect="read", output="schema")(_gives_any)


def _gives_any(word: str) -> Any:
    """Give anything."""
    return word


async def test_an_exception_becomes_a_failure_that_names_the_tool(context: ToolContext) -> None:
    @tool(name="demo.broken", effect="read")
    def broken(word: str) -> str:
        """Break."""
        raise RuntimeError(word)

    with pytest.raises(ToolFailed, match=r"demo\.broken failed: RuntimeError: boom"):
        await broken.invoke({"word": "boom"}, context)


async def test_a_failure_raised_by_the_function_is_kept(context: ToolContext) -> None:
    @tool(name="demo.failing", effect="read")
    async def failing(word: str) -> str:
        """Fail."""
        raise ToolFailed(word, remedy="Try again.")

    with pytest.raises(ToolFailed, match="gone Try again"):
        await failing.invoke({"word": "gone"}, context)


async def test_a_result_that_breaks_its_type_or_json_is_a_failure(context: ToolContext) -> None:
    def give(value: object) -> FunctionTool:
        @tool(name="demo.typed", effect="read")
        def typed() -> Answer:
            """Give."""
            return cast("Answer", value)

        return typed

    def opaque(value: object) -> FunctionTool:
        return tool(name="demo.opaque", effect="read", description="Give.")(lambda: value)

    for value in ({"text": 1}, None, {"text": "a", "total": float("nan")}):
        with pytest.raises(ToolFailed, match="does not fit"):
            await give(value).invoke({}, context)
    for value in (float("inf"), object()):
        with pytest.raises(ToolFailed, match="does not fit"):
            await opaque(value).invoke({}, context)


async def test_arguments_that_do_not_fit_never_reach_the_function(context: ToolContext) -> None:
    wrong: list[dict[str, Json]] = [{}, {"first": "x"}, {"first": 1, "third": 3}, {"first": -1}]
    for arguments in wrong:
        with pytest.raises(ToolFailed, match="arguments do not fit"):
            await add.invoke(arguments, context)


async def test_verification_is_the_functions_own_or_unknown(context: ToolContext) -> None:
    async def done(arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        return Done(value=[arguments["word"], context.idempotency_key])

    @tool(name="demo.sure", effect="write", verify=done)
    def sure(word: str) -> str:
        """Do it."""
        return word

    assert sure.spec.verifiable
    assert await sure.verify({"word": "w"}, context) == Done(value=["w", "k1"])
    assert isinstance(await add.verify({"first": 1}, context), Unknown)


async def test_a_cancelled_write_is_waited_for_so_that_its_outcome_is_known(context: ToolContext) -> None:
    started, release, finished = anyio.Event(), threading.Event(), list[str]()

    @tool(name="demo.slow", effect="write")
    def slow() -> str:
        """Write slowly."""
        anyio.from_thread.run_sync(started.set)
        release.wait(timeout=10)
        finished.append("written")
        return "ok"

    async with anyio.create_task_group() as group:
        group.start_soon(slow.invoke, dict[str, Json](), context)
        await started.wait()
        group.cancel_scope.cancel()
        release.set()
    assert finished == ["written"]


async def test_a_crash_of_a_write_is_not_taken_for_a_failure_since_it_may_have_happened(
    context: ToolContext,
) -> None:
    @tool(name="demo.half", effect="write")
    async def half_done() -> str:
        """Write half of it."""
        raise ConnectionResetError("lost the line")

    with pytest.raises(ConnectionResetError):
        await half_done.invoke({}, context)


async def test_a_write_that_says_it_did_nothing_has_failed(context: ToolContext) -> None:
    @tool(name="demo.none", effect="write")
    async def not_done() -> str:
        """Write nothing."""
        raise ToolFailed("the disk is full.", remedy="Make room.")

    with pytest.raises(ToolFailed, match="disk is full"):
        await not_done.invoke({}, context)
