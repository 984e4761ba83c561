"""What is published for other programs to rely on, as the tests read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
DOSSIER_SCHEMA: dict[str, Any] = json.loads((_REFERENCE / "dossier.schema.json").read_text("utf-8"))
REDACTED_SCHEMA: dict[str, Any] = json.loads((_REFERENCE / "redacted-dossier.schema.json").read_text("utf-8"))
