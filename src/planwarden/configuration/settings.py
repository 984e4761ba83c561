"""Settings from environment variables: the only reader of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import TypeIs

from planwarden.configuration.telemetry import Telemetry
from planwarden.errors import SettingsRejected

Provider = Literal["auto", "ollama", "openai", "pydantic-ai", "embedded"]


def _server_address(value: str) -> str:
    """Take an address of a server over HTTP.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or parts.fragment:
        msg = "not the address of a server, like https://host:8080/path"
        raise ValueError(msg)
    return value.strip()


ServerAddress = Annotated[str, AfterValidator(_server_address)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    provider: Provider = "auto"
    """`auto` takes Ollama if it answers and has the model, else the embedded trial model, and says so;
    `openai`: any OpenAI-compatible server; `pydantic-ai`: any model that library knows."""
    base_url: str | None = None
    """Of the model server; unset, Ollama's http://127.0.0.1:11434. `openai` needs one, for example
    http://127.0.0.1:8080/v1."""
    api_key: SecretStr = SecretStr("")
    """For `openai` and `pydantic-ai`; none is sent when empty. It stands in no log, record or message."""
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    """0 takes the likeliest token each time; sent to the model with every request."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Of the sampling; matters above temperature 0."""
    num_ctx: Annotated[int, Field(ge=512, le=1_048_576)] = 4096
    """Context length in tokens, sent to Ollama and the embedded model; an OpenAI-compatible server has its
    own, which `planwarden doctor` compares. A prompt that does not fit is refused, never cut."""
    keep_alive: str = "10m"
    """How long Ollama keeps the model in memory after a request."""
    model_file: Path | None = None
    """A .gguf file for the embedded provider in place of the pinned one (its digest is not checked)."""
    threads: Annotated[int, Field(ge=0, le=512)] = 0
    """For the embedded provider; 0 takes all cores."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a failed exchange is tried again, all inside one time-out."""
    circuit_failures: Annotated[int, Field(ge=0, le=1000)] = 5
    """After so many tries in a row without a usable reply the model is not asked for a while; 0: never so."""
    circuit_pause_s: Seconds = 30.0
    """How long; then one request tries whether it works again."""
    stand_in: Literal["none", "embedded"] = "none"
    """`embedded`: the embedded trial model answers when this one cannot be had, and the record says so. A
    third of the time-out, at most 30 s, is kept back for it."""


class PlannerModel(_Model):
    """`PLANNER_LLM__*`: the model that writes plans."""

    model: str = "llama3.2:1b"
    """The name under which the server has it, or pydantic-ai's `provider:name`; the embedded provider does
    not look at it."""
    max_output_tokens: Annotated[int, Field(ge=16)] = 320
    """Of one plan; a reply cut there is an error, never a plan."""
    timeout_s: Seconds = 60.0
    """For one exchange with the model, all retries included."""
    reuse_prompt: bool = True
    """The embedded provider keeps the work on what a prompt shares with the last one, as servers do anyway:
    faster over the same tools, and the reply is the same to the last digit."""
    adapter: Literal["auto", "none"] | Path = "auto"
    """A LoRA adapter for the embedded provider, a .gguf file; `auto`: one that `planwarden tune planner`
    installed for the weights in use, else the one that ships for the pinned ones; `none`: no adapter."""
    ranker: Literal["auto", "shipped"] | Path = "auto"
    """The weights of what ranks the tools before the model is asked: `auto` takes those that `planwarden tune
    ranker` wrote, if any, else those that ship; or a file."""
    min_confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Plans whose confidence is below go to `on_low_confidence`; 0 lets all pass. `planwarden calibrate`
    makes the confidence of your model a probability of being right, and says which minimum risks what."""
    on_low_confidence: Literal["fallback", "person"] = "fallback"
    """`fallback` follows the fallback plan instead; `person` lets the plan wait for `planwarden resolve`."""
    max_agents: Annotated[int, Field(ge=1, le=4)] = 4
    """Distinct agents in one plan."""
    shortlist: Annotated[int, Field(ge=1, le=64)] = 8
    """How many tools the planner model is shown at most."""
    mode: Literal["fused", "model", "prior"] = "fused"
    """`fused`: what retrieval and memory know beforehand and what the model says make the plan together, the
    model's word counting what it was measured to be worth; `model`: the model alone decides, among the tools
    shown; `prior`: no model is asked."""
    ask: Literal["auto", "always"] = "auto"
    """`auto`: in mode `fused` the model is asked only where its word can change the plan."""
    reasons: Literal["auto", "model", "catalog"] = "auto"
    """Who writes the reason of a step: the model, or the tool's description in the catalog; `auto`: the
    model, but for the embedded one, whose reasons are of little worth and cost time, and one with an adapter
    on, which was trained to write none."""
    prompt_budget: Annotated[int, Field(ge=64, le=32_768)] = 250
    """How many tokens instruction, tools and examples may take, as estimated; the request comes on top.
    Past it descriptions are shortened first, then examples go, then the least likely tools."""
    examples: Literal["auto"] | Annotated[int, Field(ge=0, le=16)] = "auto"
    """How many worked examples the planner model is shown at most; `auto`: 3, and none where an adapter is
    on, which was trained without them."""
    reuse_plans: Literal["never", "rescue", "first"] = "rescue"
    """Whether an exact repeat gets the plan that did it before: `rescue` where the model's own plan was
    refused; `first` at once, without asking the model; docs/guides/memory.md says what a repeat is."""


class AgentModel(_Model):
    """`LLM__*`: the model that agents work with."""

    model: str = "llama3.1:8b"
    """The name under which the server has it, or pydantic-ai's `provider:name`; the embedded provider does
    not look at it."""
    max_output_tokens: Annotated[int, Field(ge=16)] = 512
    """Of one reply; a reply cut there is an error, never an answer."""
    timeout_s: Seconds = 180.0
    """For one exchange with the model, all retries included."""
    answers: Literal["auto", "prose", "evidence"] = "auto"
    """Whether the model writes answers, or they are rendered from what the tools returned; `auto`: as this
    model was measured by `planwarden models measure`, else as the measurements that ship say."""
    unsupported_numbers: Literal["flag", "render", "fail"] = "flag"
    """What becomes of an answer with numbers that no evidence contains: it is flagged, the evidence itself is
    the answer in its place, or the step fails."""
    execution: Literal["directed", "free"] = "directed"
    """`free` lets agents call their planned tools natively, where the model can; an agent's own `execution`
    in the catalog file goes first. docs/guides/execution.md says why `directed` is the default."""


class ToolServers(BaseModel):
    """`TOOLS__*`: the servers that network tools ask; a tool without one is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    web_search_url: ServerAddress | None = None
    """A SearXNG instance that gives JSON, like `http://127.0.0.1:8080`; turns on `web.search`."""
    quotes_url: ServerAddress | None = None
    """The address of a quote, with `{symbol}` where the symbol goes, giving JSON or CSV with a header row;
    turns on `finance.quote`."""
    quotes_price: str | None = None
    """Where the price stands: a JSON Pointer like `/quote/last`, or a CSV column; else the usual names."""
    quotes_time: str | None = None
    """Where the time stands, likewise."""
    quotes_currency: str | None = None
    """Where the currency stands, likewise."""
    timeout_s: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)] = 10.0
    """For one question to a server, redirects included."""

    @field_validator("quotes_url")
    @classmethod
    def _takes_a_symbol(cls, address: str | None) -> str | None:
        if address is not None:
            before, place, after = address.partition("{symbol}")
            if not place or "{" in before + after or "/" not in before.partition("://")[2]:
                msg = "needs {symbol} once in its path or query, like https://host/quote?symbol={symbol}"
                raise ValueError(msg)
        return address


class Shadow(BaseModel):
    """`SHADOW__*`: a share of real tasks is planned again by another planner, and not carried out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """The share of runs whose task goes to the shadow planner once the run is over; which ones follows from
    their ids. 0: none. docs/guides/shadow.md says what it costs."""
    planner: str = "mode=prior"
    """The shadow planner: what differs from `PLANNER_LLM__*`, like `model=llama3.2:3b,temperature=0.2`, or a
    YAML or JSON file of it. By default no model plans: that shows what the planner's model adds."""


class Settings(BaseSettings):
    """Everything that is configured by environment variables. Read once, at the composition root."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        env_nested_delimiter="__",
        case_sensitive=False,
        use_attribute_docstrings=True,
    )

    planner_llm: PlannerModel = PlannerModel()
    llm: AgentModel = AgentModel()
    tools: ToolServers = ToolServers()
    shadow: Shadow = Shadow()
    telemetry: Telemetry = Telemetry()
    planwarden_home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("planwarden")))
    """Where journal, dossiers and tool state live."""
    planwarden_cache: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("planwarden")))
    """Where the embedded model's file lives."""
    planwarden_config: Path | None = None
    """The catalog file; else `planwarden.yaml` in the working directory, else the catalog that ships."""
    planwarden_workspace: Path | None = None
    """The folder that `files.read` and `files.write` may touch; else `workspace` in the home."""
    planwarden_memory: Literal["on", "off"] = "on"
    """`off`: completed runs teach nothing, and planning recalls nothing; what is there stays there."""
    planwarden_log: Literal["off", "json", "console"] = "off"
    """The command line writes its structured log to stderr: `json` one JSON object a line, `console` lines
    for people."""
    planwarden_lease_s: Annotated[float, Field(ge=3, le=3600, allow_inf_nan=False)] = 15.0
    """How long a silent owner keeps a run before another process may take it over."""

    planwarden_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """`planwarden journal retain` erases what runs said that ended longer ago; unset: nothing is erased."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read groups like `TOOLS__*` by their members only: a bare `TOOLS` is somebody else's."""
        if isinstance(env_settings, EnvSettingsSource):
            taken = ("tools", "telemetry", "shadow")
            ours = {name: value for name, value in env_settings.env_vars.items() if name not in taken}
            env_settings.env_vars = ours
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @property
    def journal_path(self) -> Path:
        """Give the journal's file."""
        return self.planwarden_home / "journal.db"

    @property
    def memory_path(self) -> Path:
        """Give the file of remembered plans."""
        return self.planwarden_home / "memory.db"

    @property
    def shadow_path(self) -> Path:
        """Give the file of live shadow plans."""
        return self.planwarden_home / "shadow.jsonl"

    @property
    def adapter_folder(self) -> Path:
        """Give the folder of adapters that were tuned here."""
        return self.planwarden_home / "adapters"

    @property
    def ranker_file(self) -> Path:
        """Give where a ranker that was tuned here is kept."""
        return self.planwarden_home / "ranker.npz"

    @property
    def ranker_in_force(self) -> Path | None:
        """Give the file of the ranker's weights; None for those that ship."""
        chosen = self.planner_llm.ranker
        if isinstance(chosen, Path):
            return chosen
        return self.ranker_file if chosen == "auto" and self.ranker_file.is_file() else None

    @property
    def index_folder(self) -> Path:
        """Give the folder in which indexes of large catalogs are kept."""
        return self.planwarden_home / "index"

    @property
    def signing_key_file(self) -> Path:
        """Give where the key is kept that bundles of runs are signed with."""
        return self.planwarden_home / "signing-key.pem"

    @property
    def traces_file(self) -> Path:
        """Give the file that spans are written to where they go to a file."""
        return self.telemetry.file or self.planwarden_home / "traces.jsonl"

    @property
    def spool_folder(self) -> Path:
        """Give the folder in which spans wait for their receiver."""
        return self.planwarden_home / "spool"

    @property
    def dossier_folder(self) -> Path:
        """Give the folder of exported dossiers."""
        return self.planwarden_home / "dossiers"

    @property
    def workspace(self) -> Path:
        """Give the folder that file tools may touch."""
        return self.planwarden_workspace or self.planwarden_home / "workspace"


def is_group(annotation: object) -> TypeIs[type[BaseModel]]:
    """Say whether a field of `Settings` holds settings of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Raises:
        SettingsRejected: a variable has a value that cannot be used, or one of a group is unknown.
    """
    try:
        return Settings(**dict(overrides or {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = "__".join(str(part) for part in first["loc"]).upper()
        # a key must not end in a log, nor an address, which may hold a key or a password
        given = "" if "KEY" in variable or variable.endswith("_URL") else f" (it is {first.get('input')!r})"
        wrong = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise SettingsRejected(
            f"{variable}: {wrong}{given}.",
            remedy="Correct or unset the variable; docs/reference/settings.md lists them all.",
        ) from error
    except ValueError as error:
        raise SettingsRejected(
            f"The environment cannot be read: {error}.", remedy="Correct or unset the variable."
        ) from error


def known_variables() -> tuple[str, ...]:
    """Give the names of all variables."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        if is_group(inner):
            names += [f"{name}__{part}".upper() for part in inner.model_fields]
        else:
            names.append(name.upper())
    return tuple(names)
