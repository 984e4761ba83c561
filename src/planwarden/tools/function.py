"""Python functions as tools: the `@tool` decorator and what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import anyio.to_thread
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from planwarden.contracts.specs import Effect, ToolExample, ToolExamples, ToolSpec
from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import CatalogRejected, ToolFailed
from planwarden.tools.signature import Choices, OutputKind, Signature, read_signature
from planwarden.tools.tool import ToolContext, Unknown, Verification

Verifier = Callable[[Mapping[str, Json], ToolContext], Awaitable[Verification]]
"""Says whether the call with `context.idempotency_key` was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTool:
    """A tool made of a Python function; satisfies the `Tool` protocol."""

    spec: ToolSpec
    function: Callable[..., object]
    """The function as written, for direct use in tests."""
    declared_at: str
    """`file:line` of the function."""
    signature: Signature
    verifier: Verifier | None

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        """Run the function once and give its result as JSON.

        A synchronous function runs in a thread. When the call is cancelled, a `read` is left to end by
        itself; one with an effect is waited for, so that its outcome is never unknown.

        Raises:
            ToolFailed: the function says that it could not do it; for a `read`, also any other failure, and
                a result that its return type or JSON cannot hold. Whatever else a function with an effect
                raises comes through as it is: whether it happened is not known.
        """
        try:
            bound = self.signature.bind(arguments, context)
        except ValidationError as error:
            raise ToolFailed(
                f"{self.spec.name}: the arguments do not fit: {_first_problem(error)}",
                remedy="Give arguments that fit the tool's parameters.",
            ) from error
        if (
            self.spec.effect != "read"
        ):  # only `ToolFailed` says that nothing happened: all else stays in doubt
            return self._to_json(await self._run(bound))
        try:
            return self._to_json(await self._run(bound))
        except ToolFailed:
            raise
        except Exception as error:
            raise ToolFailed(
                f"{self.spec.name} failed: {type(error).__name__}: {error}",
                remedy=f"See the function at {self.declared_at}.",
            ) from error

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        """Say whether the call with this idempotency key was done; `Unknown` without a verifier."""
        if self.verifier is None:
            return Unknown(reason=f"{self.spec.name} keeps no record of its calls")
        return await self.verifier(arguments, context)

    async def _run(self, bound: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(self.function):
            return cast("object", await self.function(**bound))
        call = partial(self.function, **bound)
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=self.spec.effect == "read")

    def _to_json(self, result: object) -> Json:
        adapter = self.signature.result
        try:
            if adapter is None:
                value = cast("Json", to_jsonable_python(result))
            else:
                value = cast("Json", adapter.dump_python(adapter.validate_python(result), mode="json"))
            canonical_json(value)
        except (ValidationError, PydanticSerializationError, ValueError, TypeError) as error:
            message = f"{self.spec.name} gave a result that does not fit its return type or JSON: {error}"
            if self.spec.effect != "read":
                raise ValueError(message) from error
            raise ToolFailed(message, remedy=f"Mend the function at {self.declared_at}.") from error
        return value


def tool(  # noqa: PLR0913 - each is a field of the spec, given by name
    *,
    name: str,
    effect: Effect,
    description: str | None = None,
    alternatives: Sequence[str] = (),
    examples: Sequence[str | ToolExample] = (),
    topics: Sequence[str] = (),
    timeout_s: float = 30.0,
    network: bool = False,
    untrusted_output: bool = True,
    output: OutputKind | None = None,
    choices: Choices | None = None,
    known_values: Choices | None = None,
    verify: Verifier | None = None,
) -> Callable[[Callable[..., object]], FunctionTool]:
    """Make a tool of the function below, asynchronous or not, whose parameters are typed.

    `description` is by default the docstring's first paragraph. The result has a schema when the return value
    is typed, and is opaque otherwise. A parameter annotated `ToolContext` receives the context. `choices`
    narrows parameters to values known only now; `known_values` only names some (JSON Schema `examples`);
    `topics` are words that the tool's data speaks of; `network` says that a call asks a server. An example is
    a request, or a `ToolExample` whose arguments `planwarden tools test` tries. `timeout_s` is in seconds.

    Raises:
        CatalogRejected: the declaration has a mistake; the message names function, file and line.
    """

    def decorate(function: Callable[..., object]) -> FunctionTool:
        declared_at = _declared_at(function)
        where = f"tool '{name}', function '{function.__qualname__}' at {declared_at}"
        signature = read_signature(function, where=where, output=output, choices=choices or {})
        signature = signature.with_examples(known_values or {}, where)
        try:
            spec = ToolSpec(
                name=name,
                description=_description(function, description, where),
                effect=effect,
                parameters=signature.parameters,
                output=signature.output,
                alternatives=tuple(alternatives),
                examples=cast("ToolExamples", tuple(examples)),
                topics=tuple(topics),
                timeout_s=timeout_s,
                verifiable=verify is not None,
                network=network,
                untrusted_output=untrusted_output,
            )
        except ValidationError as error:
            raise CatalogRejected(
                f"{where}: {_first_problem(error)}", remedy="Mend the @tool line."
            ) from error
        return FunctionTool(
            spec=spec, function=function, declared_at=declared_at, signature=signature, verifier=verify
        )

    return decorate


def _description(function: Callable[..., object], given: str | None, where: str) -> str:
    text = given if given is not None else (inspect.getdoc(function) or "").split("\n\n", maxsplit=1)[0]
    text = " ".join(text.split())
    if not text:
        raise CatalogRejected(
            f"{where}: has no description",
            remedy="Write a docstring that says what the tool is for; the planner chooses by it.",
        )
    return text


def _declared_at(function: Callable[..., object]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{Path(code.co_filename)}:{code.co_firstlineno}"


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"
