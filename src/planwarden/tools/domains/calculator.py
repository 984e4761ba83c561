"""`utils.calculator`: arithmetic on a parsed expression; nothing is ever evaluated as code."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool, tool

Number = int | float
MAX_BITS = 4_096
"""Largest whole number on the way, in bits; a power that would exceed it is refused before it is computed."""

_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


class Calculation(Contract):
    """An expression and what it comes to."""

    text: str
    expression: str
    result: float


def calculator_tools() -> tuple[FunctionTool, ...]:
    """Make the calculator."""
    return (calculator,)


@tool(
    name="utils.calculator",
    effect="read",
    description="Calculate an arithmetic expression: + - * / % ^, brackets, sqrt, abs, round, min, max,"
    " '15% of 80'.",
    examples=(
        ToolExample(
            request="What is 17 times 23?", arguments={"expression": "17 * 23"}, returns={"result": 391}
        ),
        ToolExample(
            request="Calculate 15% of 240", arguments={"expression": "15% of 240"}, returns={"result": 36}
        ),
        "Square root of 1764",
        "How much is (3.5 + 4.25) / 2?",
        "If I save 120 a month, how much is that in 3 years?",
        "2 to the power of 20",
        "Split a bill of 93.60 among 4 people",
    ),
    untrusted_output=False,
)
def calculator(
    expression: Annotated[
        str,
        Field(
            description="Numbers and operators, like (3 + 4) * 2",
            min_length=1,
            max_length=200,
            pattern=r"^\s*(?:[-+=(.0-9]|sqrt|abs|round|min|max).*$",
        ),
    ],
) -> Calculation:
    """Calculate an arithmetic expression."""
    try:
        tree = ast.parse(_python_form(expression), mode="eval")
        result = _value(tree.body)
        finite = math.isfinite(result)
        number = float(result)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _cannot(expression, "it is not arithmetic") from error
    except ZeroDivisionError as error:
        raise _cannot(expression, "it divides by zero") from error
    except OverflowError as error:
        raise _cannot(expression, "the result is too large") from error
    if not finite:
        raise _cannot(expression, "the result is not finite")
    return Calculation(
        text=f"{expression.strip()} = {_written(result)}", expression=expression.strip(), result=number
    )


def _cannot(expression: str, why: str) -> ToolFailed:
    return ToolFailed(
        f"'{expression[:100]}' cannot be calculated: {why}.",
        remedy="Use numbers, + - * / % ^, brackets, sqrt, abs, round, min, max.",
    )


def _python_form(expression: str) -> str:
    text = expression.strip().removeprefix("=").strip()
    for written, meant in (("×", "*"), ("÷", "/"), ("−", "-"), ("^", "**")):
        text = text.replace(written, meant)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%\s*of\b", r"(\1 / 100) *", text)
    if "(" not in text:
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return text


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            return _value(operand) if isinstance(sign, ast.UAdd) else -_value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATORS:
            return _OPERATORS[type(operation)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _called(name, [_value(argument) for argument in arguments])
        case _:
            msg = "not arithmetic"
            raise ValueError(msg)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        if base.bit_length() * exponent > MAX_BITS:
            msg = "power"
            raise OverflowError(msg)
        return int(base**exponent)
    result: object = float(base) ** float(exponent)
    if not isinstance(result, float):
        msg = "a root of a negative number"
        raise ValueError(msg)  # noqa: TRY004 - an arithmetic limit, not a wrong type
    return result


def _called(name: str, values: list[Number]) -> Number:
    match name, values:
        case "sqrt", [value]:
            return math.sqrt(value)
        case "abs", [value]:
            return abs(value)
        case "round", [value]:
            return round(value)
        case "round", [value, int() as digits] if abs(digits) <= 20:
            return round(value, digits)
        case "min" | "max", [_, *_]:
            return min(values) if name == "min" else max(values)
        case _:
            msg = f"unknown function {name}"
            raise ValueError(msg)


def _written(result: Number) -> str:
    if isinstance(result, int):
        return str(result) if abs(result) < 10**18 else f"{float(result):.6e}"
    return f"{result:.10g}" if abs(result) < 1e15 else f"{result:.6e}"
