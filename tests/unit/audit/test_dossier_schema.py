"""The published schema of a dossier: versioned, and kept to by a dossier of every outcome."""

from __future__ import annotations

import json

import pytest
from dossier_scenes import SCENES, a_stage, carried_out

from planwarden.audit.dossier import dossier_bytes
from planwarden.contracts.json_schema import schema_fault, schema_problems
from published import DOSSIER_SCHEMA

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("HTM-1")]


def test_the_schema_can_be_used_and_names_its_version() -> None:
    schema = DOSSIER_SCHEMA
    assert schema_fault(schema) is None
    assert schema["$id"] == "urn:planwarden:dossier:1"
    assert schema["properties"]["dossier_version"]["const"] == 1
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", list(SCENES))
async def test_the_dossier_of_every_outcome_keeps_to_the_schema(name: str) -> None:
    make, status = SCENES[name]
    scene = await make()
    assert scene.dossier.status == status
    assert schema_problems(DOSSIER_SCHEMA, json.loads(dossier_bytes(scene.dossier))) == ()


async def test_what_is_no_dossier_is_told_apart() -> None:
    stage = a_stage()
    dossier = json.loads(dossier_bytes(await stage.dossier(await carried_out(stage))))
    for broken in ({"dossier_version": 2}, {"status": "fine"}, {"head": "sha256:0"}, {"more": 1}):
        assert schema_problems(DOSSIER_SCHEMA, dossier | broken)
    assert schema_problems(DOSSIER_SCHEMA, {key: dossier[key] for key in dossier if key != "events"})
