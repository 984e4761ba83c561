"""The catalog file: agents, tools, aliases, policies; every mistake with file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planwarden.catalog.catalog import Catalog, build_catalog, catalog_problems
from planwarden.configuration.model_entry import ModelEntry
from planwarden.configuration.respecified import RespecifiedTool
from planwarden.configuration.yaml_lines import MAX_BYTES, LinedYaml, read_yaml, too_large
from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.specs import AgentSpec, Execution, JsonSchema
from planwarden.contracts.value import Name
from planwarden.errors import CatalogRejected
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.tools.tool import Tool

DEFAULT_CATALOG = "default_catalog.yaml"
FILE_NAME = "planwarden.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolEntry(_Part):
    """An entry under `tools`: changes a built-in tool, or brings a Python one."""

    python: str | None = None
    """`package.module:function`, or `file.py:function`, beside the catalog file."""
    enabled: bool = True
    description: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    alternatives: tuple[Name, ...] | None = None
    examples: tuple[str, ...] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None


class AgentEntry(_Part):
    """An entry under `agents`."""

    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    capabilities: tuple[str, ...] = ()
    tools: tuple[Name, ...] = ()
    may_answer_without_tools: bool = False
    instruction: Annotated[str, Field(max_length=4_000)] = ""
    model: Name | None = None
    """An entry under `models`; without it, the model that `LLM__*` sets."""
    execution: Execution | None = None
    """`directed` or `free`; without it, what `LLM__EXECUTION` says."""


class RuleEntry(_Part):
    """A rule: exactly one of `allow`, `deny`, `ask`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    arguments: JsonSchema | None = None
    reason: str = ""


class PolicyEntry(_Part):
    """An entry under `policies`."""

    rules: tuple[RuleEntry, ...] = ()
    answer_without_tools: bool = False


class CatalogFile(_Part):
    """A whole catalog file."""

    version: Literal[1]
    agents: dict[Name, AgentEntry]
    tools: dict[Name, ToolEntry] = Field(default_factory=dict)
    aliases: dict[Name, Name] = Field(default_factory=dict)
    policies: dict[Name, PolicyEntry] = Field(default_factory=dict)
    models: dict[Name, ModelEntry] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCatalog:
    """A checked catalog file with the text it came from."""

    file: CatalogFile
    text: LinedYaml
    folder: Path
    """Relative paths in the file start here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledCatalog:
    """Catalog, policy and the tools themselves, ready to run; and what was left out, with the reason."""

    catalog: Catalog
    policy: ToolPolicy
    tools: Mapping[str, Tool]
    left_out: Mapping[str, str]
    models: Mapping[str, ModelEntry] = field(default_factory=dict[str, ModelEntry])
    """Those that agents of this catalog name."""


def default_catalog_text() -> str:
    """Give the catalog that ships, commented, as `planwarden init` writes it."""
    return resources.files("planwarden.configuration").joinpath(DEFAULT_CATALOG).read_text("utf-8")


def load_catalog_file(path: Path | None) -> LoadedCatalog:
    """Read a catalog file; the one that ships when None.

    Raises:
        CatalogRejected: missing, unreadable, or with a mistake in it.
    """
    if path is None:
        return parse_catalog(default_catalog_text(), DEFAULT_CATALOG, Path.cwd())
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise too_large(str(path))
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogRejected(
            f"The catalog file {path} cannot be read: {error}.",
            remedy="Name another with --config or PLANWARDEN_CONFIG; `planwarden init` writes one.",
        ) from error
    return parse_catalog(text, str(path), path.resolve().parent)


def parse_catalog(text: str, source: str, folder: Path) -> LoadedCatalog:
    """Check the text of a catalog file by itself, without its tools. Pure.

    Raises:
        CatalogRejected: the first mistake, with its line.
    """
    document = read_yaml(text, source)
    value: object = document.value
    if not isinstance(value, Mapping):
        raise document.mistake((), "the file holds no mapping", "`planwarden init` writes one that is right.")
    try:
        file = CatalogFile.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        path = tuple(part for part in first["loc"] if part != "[key]")
        place = ".".join(str(part) for part in path)
        raise document.mistake(path, f"{place}: {first['msg']}", _remedy(first)) from error
    for name, policy in file.policies.items():
        _check_policy(file, document, name, policy)
    for name, agent in file.agents.items():
        _check_model(file, document, name, agent)
    return LoadedCatalog(file=file, text=document, folder=folder)


def _remedy(error: Any) -> str:  # noqa: ANN401 - pydantic's error details are loosely typed
    if error["type"] == "extra_forbidden":
        return "Remove the key, or mend its spelling."
    if error["type"] == "missing":
        return "Add the key."
    return "Mend the value; `planwarden init` writes a commented example."


def _check_model(file: CatalogFile, document: LinedYaml, name: str, agent: AgentEntry) -> None:
    if agent.model is not None and agent.model not in file.models:
        known = ", ".join(file.models) or "none yet"
        raise document.mistake(
            ("agents", name, "model"),
            f"agent '{name}' names model '{agent.model}', which is not under 'models'",
            f"Models are: {known}. Add it under 'models', or remove the line to use what LLM__* sets.",
        )


def _check_policy(file: CatalogFile, document: LinedYaml, name: str, policy: PolicyEntry) -> None:
    if name not in file.agents:
        known = ", ".join(file.agents)
        raise document.mistake(
            ("policies", name), f"a policy for '{name}', which is no agent", f"Agents are: {known}."
        )
    for position, rule in enumerate(policy.rules):
        path = ("policies", name, "rules", position)
        said = [word for word in ("allow", "deny", "ask") if getattr(rule, word)]
        if len(said) != 1:
            raise document.mistake(
                path,
                f"rule '{rule.name}' says {len(said)} of allow, deny, ask",
                "Give each rule exactly one of them, with a list of tools.",
            )
        if rule.arguments is not None and (fault := schema_fault(rule.arguments)):
            raise document.mistake(
                (*path, "arguments"), f"not a JSON Schema: {fault}", "Write a JSON Schema of draft 2020-12."
            )


def assemble(
    loaded: LoadedCatalog,
    builtin: Iterable[Tool],
    python_tools: Mapping[str, Tool],
    unavailable: Mapping[str, str],
) -> AssembledCatalog:
    """Join a catalog file with its tools.

    Args:
        loaded: the file.
        builtin: built-in tools that have data to work on.
        python_tools: tools that the file brings by `python:`, or that the program registered, by name.
        unavailable: built-in tools that have nothing to work on → why; left out of agents, and said so.

    Raises:
        CatalogRejected: a reference that does not resolve, with its line.
    """
    file, left_out = loaded.file, dict(unavailable)
    tools = {tool.spec.name: tool for tool in builtin} | dict(python_tools)
    for name, entry in file.tools.items():
        if not entry.enabled and (name in tools or name in unavailable):
            tools.pop(name, None)
            left_out[name] = "disabled in the catalog file"
        elif name in tools:
            tools[name] = _respecified(tools[name], entry)
        elif name not in left_out:
            raise loaded.text.mistake(
                ("tools", name),
                f"'{name}' is no built-in tool and brings no `python:`",
                "Add one, or remove it.",
            )
    _check_rule_names(loaded, {*tools, *left_out, *file.aliases})
    tools = {name: _without_missing_alternatives(tool, left_out) for name, tool in tools.items()}
    aliases = {alias: target for alias, target in file.aliases.items() if target not in left_out}
    agents = [
        _agent(name, entry, left_out, file.aliases)
        for name, entry in file.agents.items()
        if _can_work(name, entry, left_out, file.aliases)
    ]
    specs = [tool.spec for tool in tools.values()]
    for problem in catalog_problems(agents, specs, aliases):
        raise loaded.text.mistake(problem.path, problem.message, problem.remedy)
    return AssembledCatalog(
        catalog=build_catalog(agents, specs, aliases),
        policy=_policy(file),
        tools=tools,
        left_out=left_out,
        models={agent.model: file.models[agent.model] for agent in agents if agent.model is not None},
    )


def _check_rule_names(loaded: LoadedCatalog, known: set[str]) -> None:
    """Refuse a rule that names a tool nobody has: a `deny` with a misspelt name would deny nothing."""
    for agent, policy in loaded.file.policies.items():
        for position, rule in enumerate(policy.rules):
            for word in ("allow", "deny", "ask"):
                for index, tool in enumerate(getattr(rule, word)):
                    if tool not in known and not any(sign in tool for sign in "*?["):
                        raise loaded.text.mistake(
                            ("policies", agent, "rules", position, word, index),
                            f"rule '{rule.name}' names tool '{tool}', which this catalog does not have",
                            f"Name one of: {', '.join(sorted(known))}; or a pattern with *.",
                        )


def _can_work(name: str, entry: AgentEntry, left_out: dict[str, str], aliases: Mapping[str, str]) -> bool:
    if entry.tools and not entry.may_answer_without_tools:
        remaining = [tool for tool in entry.tools if aliases.get(tool, tool) not in left_out]
        if not remaining:
            left_out[name] = "none of its tools has anything to work on"
            return False
    return True


def _agent(
    name: str, entry: AgentEntry, left_out: Mapping[str, str], aliases: Mapping[str, str]
) -> AgentSpec:
    kept = tuple(tool for tool in entry.tools if aliases.get(tool, tool) not in left_out)
    return AgentSpec.model_validate({"name": name, **entry.model_dump(), "tools": kept})


def _policy(file: CatalogFile) -> ToolPolicy:
    return ToolPolicy(
        agents={
            name: AgentPolicy(
                rules=tuple(_rule(rule, file.aliases) for rule in policy.rules),
                answer_without_tools=policy.answer_without_tools,
            )
            for name, policy in file.policies.items()
        }
    )


def _rule(entry: RuleEntry, aliases: Mapping[str, str]) -> Rule:
    says: Literal["allow", "deny", "ask"] = "allow" if entry.allow else "deny" if entry.deny else "ask"
    named = entry.allow or entry.deny or entry.ask
    tools = tuple(aliases.get(tool, tool) for tool in named)
    return Rule(name=entry.name, says=says, tools=tools, arguments=entry.arguments, reason=entry.reason)


def _respecified(tool: Tool, entry: ToolEntry) -> Tool:
    changes = entry.model_dump(exclude_none=True, exclude={"python", "enabled"})
    return RespecifiedTool(tool, tool.spec.model_copy(update=changes)) if changes else tool


def _without_missing_alternatives(tool: Tool, left_out: Mapping[str, str]) -> Tool:
    kept = tuple(name for name in tool.spec.alternatives if name not in left_out)
    if kept == tool.spec.alternatives:
        return tool
    return RespecifiedTool(tool, tool.spec.model_copy(update={"alternatives": kept}))
