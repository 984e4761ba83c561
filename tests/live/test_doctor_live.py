"""`planwarden doctor` on the embedded model: what it claims is measured, not assumed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.requirement("DR-1", "CLI-7")]


def doctor(tmp_path: Path, *options: str, **environment: str) -> dict[str, dict[str, object]]:
    wanted = {
        "PLANNER_LLM__PROVIDER": "embedded",
        "LLM__PROVIDER": "embedded",
        "PLANNER_LLM__NUM_CTX": "640",
        "LLM__NUM_CTX": "640",
        "PLANNER_LLM__TIMEOUT_S": "250",
        "LLM__TIMEOUT_S": "250",
        "PLANWARDEN_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from planwarden.cli.main import main; main()", "doctor", "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=280,
        env={**os.environ, **wanted, **environment},
    )
    assert done.returncode == 0, done
    return {
        check["check"]: check
        for check in json.loads(done.stdout)["checks"]
        if check["group"] in ("planner model", "models together")
    }


def test_the_embedded_model_passes_with_figures_of_its_own(tmp_path: Path) -> None:
    # Without the adapter, which makes the planner so sure that no seed moves it (docs/guides/doctor.md).
    found = doctor(tmp_path, "--thorough", PLANNER_LLM__ADAPTER="none")
    for name in ("schema", "probabilities", "output limit", "temperature and seed", "context", "memory"):
        assert found[name]["status"] == "ok", found[name]
    full = found["full context"]
    assert full["status"] == "ok", full
    assert "first words" in str(full["detail"])
    speed = found["speed"]["figures"]
    assert isinstance(speed, dict)
    assert "at least" not in str(found["speed"]["detail"]), "llama.cpp says how long each part took"
    assert speed["prompt_tokens_per_s"] > 0
    assert speed["output_tokens_per_s"] > 0
