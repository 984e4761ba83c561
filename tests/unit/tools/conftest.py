"""What tests of tools share: a call's context and a frozen set of sample tools."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planwarden.tools.builtin import open_builtins
from planwarden.tools.data_sources import open_sources
from planwarden.tools.tool import Tool, ToolContext


@pytest.fixture
def context() -> ToolContext:
    return ToolContext(
        run_id="r1", call_id="s1.1", idempotency_key="k1", now=datetime(2026, 3, 9, 22, 30, tzinfo=UTC)
    )


@pytest.fixture(scope="session")
def sample_tools(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tool]:
    folder: Path = tmp_path_factory.mktemp("builtins")
    (folder / "workspace").mkdir()
    made = open_builtins(open_sources([], folder=folder), folder / "workspace", folder / "state")
    return {tool.spec.name: tool for tool in made.tools}
