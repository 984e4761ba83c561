"""Settings: every variable is read; what cannot be used is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr

from planwarden.configuration.settings import Settings, known_variables, load_settings
from planwarden.errors import SettingsRejected

pytestmark = pytest.mark.requirement("CAT-4")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*known_variables(), "PLANNER_LLM", "LLM"):
        monkeypatch.delenv(name, raising=False)


def place(settings: Settings, variable: str) -> Any:
    value: Any = settings
    for part in variable.lower().split("__"):
        value = getattr(value, part)
    return value


def field_of(variable: str) -> Any:
    model: Any = Settings
    *groups, last = variable.lower().split("__")
    for group in groups:
        model = model.model_fields[group].annotation
    assert issubclass(model, BaseModel)
    return model.model_fields[last]


def another(variable: str) -> Any:
    """Give a value that the variable may have, other than its default."""
    default, annotation = place(load_settings(), variable), field_of(variable).annotation
    if variable.startswith("TOOLS__") and default is None:
        return "https://host.example/q?of={symbol}" if variable.endswith("_URL") else "/a/b"
    match default:
        case bool():
            return not default
        case int():
            return default - 1 if default >= 2 else default + 1
        case float():
            return default / 2 or 0.5
        case str() if get_args(annotation):
            return another_choice(default, get_args(annotation))
        case str():
            return f"{default}-other"
        case _:
            return another_of_no_plain_type(default, annotation)


def another_choice(default: str, choices: tuple[Any, ...]) -> Any:
    """Give another word of the setting; where it takes only one, what it takes beside words."""
    words = [choice for choice in choices if isinstance(choice, str) and choice != default]
    return words[0] if words else Path("some/where") if Path in choices else 2


def another_of_no_plain_type(default: object, annotation: Any) -> Any:
    if isinstance(default, SecretStr):
        return SecretStr("a-key")
    if any(int in get_args(choice) for choice in get_args(annotation)):  # a number, or nothing
        return 90
    return "http://some.where" if str in get_args(annotation) else Path("some/where")


@pytest.mark.parametrize("variable", known_variables())
def test_each_variable_is_read(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = another(variable)
    assert place(load_settings(), variable) != value
    plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    monkeypatch.setenv(variable, plain)
    assert place(load_settings(), variable) == value


@pytest.mark.requirement("LLM-33")
def test_a_key_stands_in_no_representation_and_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM__API_KEY", "sk-very-secret")
    settings = load_settings()
    assert "sk-very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    monkeypatch.setenv("LLM__APIKEY", "sk-very-secret")
    with pytest.raises(SettingsRejected, match="LLM__APIKEY") as refused:
        load_settings()
    assert "sk-very-secret" not in str(refused.value)


def test_the_default_models_are_the_ones_of_the_design() -> None:
    settings = load_settings()
    assert settings.planner_llm.model == "llama3.2:1b"
    assert settings.llm.model == "llama3.1:8b"
    assert settings.planner_llm.provider == settings.llm.provider == "auto"
    assert settings.planner_llm.max_agents == 4


def test_planner_and_agents_are_configured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LLM__SEED", "41")
    monkeypatch.setenv("LLM__SEED", "42")
    settings = load_settings()
    assert (settings.planner_llm.seed, settings.llm.seed) == (41, 42)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLANNER_LLM__PROVIDER", "oracle"),
        ("PLANNER_LLM__TEMPERATURE", "nan"),
        ("PLANNER_LLM__TEMPERATURE", "-0.1"),
        ("PLANNER_LLM__TEMPERATURE", "hot"),
        ("PLANNER_LLM__SEED", "1.5"),
        ("PLANNER_LLM__NUM_CTX", "0"),
        ("PLANNER_LLM__MAX_AGENTS", "0"),
        ("PLANNER_LLM__MAX_AGENTS", "5"),
        ("PLANNER_LLM__MIN_CONFIDENCE", "1.01"),
        ("PLANNER_LLM__MIN_CONFIDENCE", "inf"),
        ("PLANNER_LLM__ON_LOW_CONFIDENCE", "shrug"),
        ("PLANNER_LLM__SHORTLIST", "0"),
        ("LLM__TIMEOUT_S", "0"),
        ("LLM__TIMEOUT_S", "inf"),
        ("LLM__MAX_OUTPUT_TOKENS", "lots"),
        ("LLM__RETRIES", "-1"),
        ("PLANWARDEN_LEASE_S", "-1"),
        ("TOOLS__TIMEOUT_S", "0"),
        ("TOOLS__WEB_SEARCH_URL", "file:///etc/passwd"),
        ("TOOLS__WEB_SEARCH_URL", "searx.example"),
        ("TOOLS__QUOTES_URL", "https://host.example/quote"),
        ("TOOLS__QUOTES_URL", "https://{symbol}.example/quote"),
        ("TOOLS__QUOTES_URL", "https://host.example/{symbol}/{symbol}"),
        ("TOOLS__QUOTE_URL", "https://host.example/{symbol}"),
        ("PLANNER_LLM__MODLE", "llama3.2:1b"),
        ("LLM__TEMPRATURE", "1"),
    ],
)
def test_a_value_that_cannot_be_used_or_an_unknown_member_is_refused_by_name(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsRejected) as raised:
        load_settings()
    assert raised.value.message.startswith(f"{variable}: ")
    assert value in raised.value.message or variable.endswith("_URL")  # it may hold a key
    assert raised.value.remedy


def test_a_group_that_is_not_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LLM", "{")
    with pytest.raises(SettingsRejected, match="planner_llm"):
        load_settings()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings()
    for variable in known_variables():
        monkeypatch.setenv(variable, "")
    assert load_settings() == before


def test_overrides_of_the_program_win_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANWARDEN_LEASE_S", "3")
    assert load_settings({"planwarden_lease_s": 4}).planwarden_lease_s == 4
    with pytest.raises(SettingsRejected, match="PLANWARDEN_LEASE_S"):
        load_settings({"planwarden_lease_s": 0})


def test_files_live_in_the_home_unless_the_workspace_is_elsewhere(tmp_path: Path) -> None:
    settings = load_settings({"planwarden_home": tmp_path})
    assert (
        settings.journal_path.parent
        == settings.dossier_folder.parent
        == settings.workspace.parent
        == tmp_path
    )
    assert load_settings({"planwarden_workspace": tmp_path / "w"}).workspace == tmp_path / "w"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().planner_llm.seed = 3


def test_a_variable_that_only_shares_the_name_of_the_tools_group_is_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOOLS", "/opt/tools")
    monkeypatch.setenv("TOOLS__TIMEOUT_S", "3")
    assert load_settings().tools.timeout_s == 3


@pytest.mark.requirement("TOOL-13")
def test_an_address_that_is_refused_is_not_shown_for_it_may_hold_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOOLS__QUOTES_URL", "https://host.example/quote?key=SECRET")
    with pytest.raises(SettingsRejected) as raised:
        load_settings()
    assert "SECRET" not in str(raised.value)
