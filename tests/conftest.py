"""What every test shares: asyncio as the one backend, no deadline, and an eye on every dossier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import settings

from planwarden.app.archive import record
from planwarden.audit.dossier import build_dossier
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import EventLink, RunEvent
from planwarden.contracts.json_schema import schema_problems
from planwarden.testing import stage
from published import DOSSIER_SCHEMA

settings.register_profile("planwarden", deadline=None)
settings.load_profile("planwarden")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def every_dossier_keeps_to_the_published_schema() -> Iterator[None]:
    """Hold each dossier that any test makes against docs/reference/dossier.schema.json."""

    def build(events: Sequence[RunEvent], links: Sequence[EventLink]) -> Dossier:
        dossier = build_dossier(events, links)
        problems = schema_problems(DOSSIER_SCHEMA, dossier.model_dump(mode="json"))
        assert not problems, problems
        return dossier

    with pytest.MonkeyPatch.context() as patch:
        for room in (stage, record):
            patch.setattr(room, "build_dossier", build)
        yield
