"""Variables that nothing reads, and the settings in force."""

import json
from pathlib import Path

import pytest

from planwarden.configuration.environment import effective_settings, stray_variables
from planwarden.configuration.settings import PlannerModel, Settings, ToolServers, known_variables

pytestmark = pytest.mark.requirement("DR-3")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PLANWARDEN_HOEM", "PLANWARDEN_HOME"),
        ("PLANNER_LLM_MODEL", "PLANNER_LLM__MODEL"),
        ("PLANNER_LLM_NUM_CTX", "PLANNER_LLM__NUM_CTX"),
        ("LLM_MODEL", "LLM__MODEL"),
        ("TOOLS_QUOTES_URL", "TOOLS__QUOTES_URL"),
        ("planwarden_lease", "PLANWARDEN_LEASE_S"),
        ("PLANWARDEN_XYZZY", None),
    ],
)
def test_a_variable_that_nothing_reads_is_named_with_the_one_that_was_meant(
    name: str, meant: str | None
) -> None:
    (stray,) = stray_variables({name: "1"})
    assert (stray.name, stray.nearest) == (name, meant)


def test_known_variables_and_those_of_other_programs_are_left_alone() -> None:
    others = [
        "PATH",
        "LLM_USER_PATH",
        "LLM_LOAD_PLUGINS",
        "OLLAMA_HOST",
        "TOOLS",
        "TOOLS_DIR",
        "PLAN",
        "HOME",
    ]
    assert stray_variables(dict.fromkeys([*known_variables(), *others], "1")) == ()
    assert stray_variables({"planner_llm__model": "x"}) == ()


def test_every_setting_in_force_is_given_and_no_secret() -> None:
    planner = PlannerModel(base_url="http://me:hunter2@10.0.0.1:11434", min_confidence=0.4)
    servers = ToolServers(quotes_url="https://quotes.example/of/{symbol}?apikey=hunter2")
    settings = Settings.model_construct(planner_llm=planner, tools=servers, planwarden_config=Path("a.yaml"))
    found = effective_settings(settings)
    assert set(found) == set(known_variables())
    assert found["PLANNER_LLM__MIN_CONFIDENCE"] == 0.4
    assert found["PLANWARDEN_CONFIG"] == "a.yaml"
    assert found["PLANNER_LLM__BASE_URL"] == "http://…@10.0.0.1:11434"
    assert found["TOOLS__QUOTES_URL"] == "https://quotes.example/of/{symbol}?…"
    assert "hunter2" not in json.dumps(found)
