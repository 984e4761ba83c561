"""How a Python function's parameters and result become JSON Schemas, and back into typed values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.errors import CatalogRejected
from planwarden.tools.tool import ToolContext

OutputKind = Literal["schema", "opaque"]
Choices = Mapping[str, Sequence[str | int]]
"""Parameter name → the only values it may take; for values known only from live data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives, as schemas and as converters."""

    parameters: JsonSchema
    output: JsonSchema | Literal["opaque"]
    arguments: type[BaseModel]
    result: TypeAdapter[object] | None
    """None when the output is opaque."""
    names: tuple[str, ...]
    """Parameters in order; the model's field `argument_<i>` holds the value of `names[i]`."""
    context_name: str | None

    def with_examples(self, values: Choices, where: str) -> Signature:
        """Give the same signature with values that parameters are known to take, but not only those.

        Raises:
            CatalogRejected: a name fits no parameter.
        """
        properties = dict(cast("dict[str, JsonSchema]", self.parameters["properties"]))
        for name, known in values.items():
            if name not in properties:
                raise CatalogRejected(
                    f"{where}: known values for '{name}' fit no parameter", remedy="Name a parameter."
                )
            if known:
                properties[name] = {**properties[name], "examples": list(known)}
        return replace(self, parameters={**self.parameters, "properties": properties})

    def bind(self, arguments: Mapping[str, Json], context: ToolContext) -> dict[str, object]:
        """Give the keyword arguments of the function, converted to its types.

        Raises:
            pydantic.ValidationError: the arguments do not fit.
        """
        parsed = self.arguments.model_validate(dict(arguments))
        given = parsed.model_fields_set
        bound = {
            name: cast("object", getattr(parsed, f"argument_{position}"))
            for position, name in enumerate(self.names)
            if f"argument_{position}" in given
        }
        if self.context_name is not None:
            bound[self.context_name] = context
        return bound


def read_signature(
    function: Callable[..., object], *, where: str, output: OutputKind | None, choices: Choices
) -> Signature:
    """Derive the schemas of a function; `where` names it in errors.

    Raises:
        CatalogRejected: a parameter is untyped, variadic or positional-only, or a type has no schema.
    """
    hints = _hints(function, where)
    parameters = inspect.signature(function).parameters.values()
    context_name = next((p.name for p in parameters if hints.get(p.name) is ToolContext), None)
    own = [p for p in parameters if p.name != context_name]
    for parameter in own:
        _check_parameter(parameter, hints, where)
    fields: dict[str, Any] = {
        f"argument_{position}": (hints[p.name], _field(p)) for position, p in enumerate(own)
    }
    try:
        model = create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema = tidy_schema(model.model_json_schema())
        result = _result(hints, output, where)
        result_schema = "opaque" if result is None else tidy_schema(result.json_schema(mode="serialization"))
    except (PydanticUserError, TypeError, NameError) as error:
        raise CatalogRejected(
            f"{where}: a type has no JSON Schema: {error}",
            remedy="Use JSON-like types: str, int, float, bool, Literal, list, dict, or pydantic models.",
        ) from error
    schema.setdefault("properties", {})
    schema["additionalProperties"] = False
    return Signature(
        parameters=_with_choices(schema, choices, where),
        output=result_schema,
        arguments=model,
        result=result,
        names=tuple(p.name for p in own),
        context_name=context_name,
    )


def _hints(function: Callable[..., object], where: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise CatalogRejected(
            f"{where}: a type annotation cannot be read: {error}",
            remedy="Import the type at the top of the module, outside TYPE_CHECKING and outside functions.",
        ) from error


def _check_parameter(parameter: inspect.Parameter, hints: Mapping[str, Any], where: str) -> None:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise CatalogRejected(
            f"{where}: parameter '{parameter.name}' is variadic or positional-only",
            remedy="Give each argument a parameter of its own.",
        )
    if parameter.name not in hints:
        raise CatalogRejected(
            f"{where}: parameter '{parameter.name}' has no type",
            remedy=f"Write for example `{parameter.name}: Annotated[str, Field(description='...')]`.",
        )


def _field(parameter: inspect.Parameter) -> Any:  # noqa: ANN401 - pydantic's Field() is typed Any
    default: object = ... if parameter.default is inspect.Parameter.empty else parameter.default
    return Field(default=default, alias=parameter.name)


def _result(hints: Mapping[str, Any], output: OutputKind | None, where: str) -> TypeAdapter[object] | None:
    annotation = hints.get("return", object)
    untyped = annotation is object or annotation is Any
    if output == "opaque" or (output is None and untyped):
        return None
    if untyped:
        raise CatalogRejected(
            f"{where}: output='schema' but the return value has no type",
            remedy="Annotate the return value, for example with a pydantic model.",
        )
    return TypeAdapter(annotation)


def _with_choices(schema: JsonSchema, choices: Choices, where: str) -> JsonSchema:
    properties = cast("dict[str, dict[str, Json]]", schema["properties"])
    for name, values in choices.items():
        if name not in properties or not values:
            raise CatalogRejected(
                f"{where}: choices for '{name}' fit no parameter or are empty",
                remedy="Name a parameter of the function and give at least one value.",
            )
        old = properties[name]
        nullable = {"type": "null"} in cast("list[Json]", old.get("anyOf", []))
        kept = {key: old[key] for key in ("description", "default") if key in old}
        properties[name] = {"enum": [*values, None] if nullable else list(values), **kept}
    return schema


_NAMED_CHILDREN = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_PLAIN_VALUES = frozenset({"enum", "const", "default", "examples", "required"})


def tidy_schema(schema: JsonSchema) -> JsonSchema:
    """Inline every `$ref` that is not recursive and drop generated titles; meant for small models to read."""
    definitions = cast("dict[str, JsonSchema]", schema.get("$defs", {}))
    recursive: set[str] = set()
    body = {key: value for key, value in schema.items() if key != "$defs"}
    tidied = cast("JsonSchema", _tidy(body, definitions, (), recursive))
    kept: JsonSchema = {}
    while pending := recursive - kept.keys():
        name = min(pending)
        kept[name] = _tidy(definitions[name], definitions, (name,), recursive)
    if kept:
        tidied["$defs"] = kept
    return tidied


def _tidy(
    node: Json, definitions: Mapping[str, JsonSchema], open_refs: tuple[str, ...], recursive: set[str]
) -> Json:
    if isinstance(node, list):
        return [_tidy(item, definitions, open_refs, recursive) for item in cast("list[Json]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("JsonSchema", node)
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _resolve(reference, schema, definitions, open_refs, recursive)
    tidied: JsonSchema = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in _PLAIN_VALUES:
            tidied[key] = value
        elif key in _NAMED_CHILDREN:
            children = cast("dict[str, Json]", value)
            tidied[key] = {
                name: _tidy(child, definitions, open_refs, recursive) for name, child in children.items()
            }
        else:
            tidied[key] = _tidy(value, definitions, open_refs, recursive)
    return tidied


def _resolve(
    reference: str,
    schema: JsonSchema,
    definitions: Mapping[str, JsonSchema],
    open_refs: tuple[str, ...],
    recursive: set[str],
) -> Json:
    name = reference.removeprefix("#/$defs/")
    if name not in definitions:
        return schema
    beside = {key: value for key, value in schema.items() if key not in ("$ref", "title")}
    if name in open_refs:
        recursive.add(name)
        return {"$ref": reference, **beside}
    inlined = cast("JsonSchema", _tidy(definitions[name], definitions, (*open_refs, name), recursive))
    return {**inlined, **beside}
