"""What every test shares: asyncio as the one backend, and no deadline on the clock of a busy machine."""

import pytest
from hypothesis import settings

settings.register_profile("planwarden", deadline=None)
settings.load_profile("planwarden")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
