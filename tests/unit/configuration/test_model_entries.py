"""Models that the catalog file gives to agents: what they take over, and each mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from planwarden.configuration.catalog_file import assemble, default_catalog_text, parse_catalog
from planwarden.configuration.model_entry import ModelEntry, model_settings
from planwarden.configuration.settings import AgentModel
from planwarden.errors import CatalogRejected, SettingsRejected

pytestmark = pytest.mark.requirement("LLM-36")

CLOUD = "https://api.example.com/v1"
DEFAULTS = AgentModel(provider="openai", base_url=CLOUD, api_key=SecretStr("for-the-cloud"), temperature=0.1)
FILE = """\
version: 1
agents:
  general_agent:
    description: Answers.
    may_answer_without_tools: true
    model: big
models:
  big:
    provider: openai
    base_url: http://127.0.0.1:8000/v1
    temperature: 0.7
  unused:
    model: nobody
"""


def test_each_field_of_an_entry_goes_before_the_default_and_the_rest_stays() -> None:
    entry = ModelEntry(model="other", temperature=0.7, seed=3, max_output_tokens=99, num_ctx=1024, retries=0)
    joined = model_settings("big", entry, DEFAULTS, {})
    assert joined == DEFAULTS.model_copy(update=entry.model_dump(exclude_none=True))
    assert joined.api_key == DEFAULTS.api_key


@pytest.mark.requirement("LLM-33")
@pytest.mark.parametrize(
    "entry", [ModelEntry(base_url="http://127.0.0.1:1"), ModelEntry(provider="ollama", model="a")]
)
def test_a_key_is_not_taken_over_to_another_server(entry: ModelEntry) -> None:
    joined = model_settings("big", entry, DEFAULTS, {})
    assert joined.api_key.get_secret_value() == ""
    assert joined.base_url == entry.base_url


@pytest.mark.requirement("LLM-33")
def test_a_key_comes_from_the_variable_that_the_entry_names() -> None:
    entry = ModelEntry(base_url=CLOUD, api_key_env="CLOUD_KEY")
    joined = model_settings("big", entry, DEFAULTS, {"CLOUD_KEY": "own"})
    assert joined.api_key.get_secret_value() == "own"
    with pytest.raises(SettingsRejected, match=r"models\.big\.api_key_env is CLOUD_KEY") as refused:
        model_settings("big", entry, DEFAULTS, {})
    assert refused.value.remedy.startswith("Set it: export CLOUD_KEY=")


def test_agents_carry_their_models_name_and_only_named_models_are_kept() -> None:
    loaded = parse_catalog(FILE, "planwarden.yaml", Path.cwd())
    world = assemble(loaded, [], {}, {})
    assert world.catalog.agents["general_agent"].model == "big"
    assert list(world.models) == ["big"]


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("    model: big", "    model: bigg", "line 6: agent 'general_agent' names model 'bigg'"),
        ("    temperature: 0.7", "    temperature: 7", "line 11: models.big.temperature"),
        ("    temperature: 0.7", "    api_key: sk-secret", "line 11: models.big.api_key: Extra inputs"),
        ("    provider: openai", "    provider: opnai", "line 9: models.big.provider"),
    ],
)
def test_each_mistake_is_refused_with_its_line(line: str, instead: str, says: str) -> None:
    with pytest.raises(CatalogRejected) as refused:
        parse_catalog(FILE.replace(line, instead), "planwarden.yaml", Path.cwd())
    assert says in refused.value.message
    assert "sk-secret" not in str(refused.value)
    assert refused.value.remedy


def test_the_commented_example_of_the_catalog_that_ships_is_right() -> None:
    text = default_catalog_text()
    example = text[text.index("# models:") :]
    uncommented = "\n".join(line.removeprefix("# ") for line in example.splitlines() if line.startswith("# "))
    file = parse_catalog(
        FILE.split("models:", maxsplit=1)[0] + uncommented, "planwarden.yaml", Path.cwd()
    ).file
    assert "big" in file.models
