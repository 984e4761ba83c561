"""Another planner in a line or a small file: what it may say, and that keys stay where they belong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from planwarden.configuration.planner_config import planner_config
from planwarden.configuration.settings import PlannerModel
from planwarden.errors import SettingsRejected

pytestmark = pytest.mark.requirement("SHD-8")

BASE = PlannerModel(
    provider="openai", base_url="https://here.example/v1", api_key=SecretStr("sk-here"), temperature=0.3
)


def test_a_line_says_what_differs_and_the_rest_is_as_configured() -> None:
    made = planner_config(
        "model=llama3.2:3b, temperature=0, examples=2,mode=model,price_in=0.15,price_out=0.6", BASE, {}
    )
    assert (made.chosen.model, made.chosen.temperature, made.chosen.examples) == ("llama3.2:3b", 0.0, 2)
    assert made.chosen.mode == "model"
    assert (made.price_in, made.price_out) == (0.15, 0.6)
    assert made.chosen.base_url == BASE.base_url
    assert made.chosen.api_key.get_secret_value() == "sk-here"
    assert made.name == "llama3.2:3b"
    assert made.describes == "model=llama3.2:3b, temperature=0, examples=2, mode=model"
    assert made.digest != planner_config("model=llama3.2:3b", BASE, {}).digest
    assert planner_config("name=small,seed=8", BASE, {}).name == "small"
    assert planner_config("seed=8", BASE, {}).name == "seed=8"


def test_a_file_is_read_as_yaml_or_json_and_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("mode: prior\nshortlist: 4\nadapter: none\n", "utf-8")
    (tmp_path / "small.json").write_text('{"mode": "prior", "shortlist": 4, "adapter": "none"}', "utf-8")
    yaml = planner_config(str(tmp_path / "small.yaml"), BASE, {})
    json = planner_config(str(tmp_path / "small.json"), BASE, {})
    assert yaml == json
    assert (yaml.name, yaml.chosen.mode, yaml.chosen.shortlist) == ("small", "prior", 4)


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("temprature=0", "no key 'temprature'", "Did you mean temperature?"),
        ("wings=2", "no key 'wings'", "Keys are: provider"),
        ("api_key=sk-1", "no key 'api_key'", "api_key_env=NAME"),
        ("temperature=hot", "temperature: ", "PLANNER_LLM__TEMPERATURE"),
        ("mode=guess", "mode: ", "PLANNER_LLM__MODE"),
        ("price_in=-1", "price_in: not a price", "0.15"),
        ("price_out=nan", "price_out: not a price", "0.15"),
        ("rooter", "'rooter' is neither", "mode=prior"),
        (" , ", "is empty", "mode=prior"),
        ("gone.yaml", "gone.yaml cannot be read", "existing"),
        ("api_key_env=NOT_SET", "NOT_SET, but that variable is not set", "export NOT_SET"),
        ("name=a\x1b[2J,seed=1", "name: not printable", "plain name"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(text: str, says: str, remedy: str) -> None:
    with pytest.raises(SettingsRejected) as refused:
        planner_config(text, BASE, {})
    assert says in refused.value.message
    assert remedy in refused.value.remedy


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    for text in ("- a\n", "", "a: [\n", "\x00"):
        path.write_text(text, "utf-8")
        with pytest.raises(SettingsRejected, match=r"list\.yaml"):
            planner_config(str(path), BASE, {})


def test_a_key_is_never_sent_to_a_server_that_it_was_not_set_for() -> None:
    for text in ("base_url=https://there.example/v1", "provider=ollama"):
        made = planner_config(text, BASE, {})
        assert made.chosen.api_key.get_secret_value() == ""
        assert made.chosen.base_url in ("https://there.example/v1", None)
    named = planner_config("base_url=https://there.example/v1,api_key_env=THERE", BASE, {"THERE": "sk-there"})
    assert named.chosen.api_key.get_secret_value() == "sk-there"
    assert "sk-" not in f"{named.describes}{named.name}{named.digest}"
    assert "there.example" not in named.describes


@given(st.text())
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    name = "refused"
    with suppress(SettingsRejected):
        name = planner_config(text, BASE, {}).name
    assert 0 < len(name) <= 40
