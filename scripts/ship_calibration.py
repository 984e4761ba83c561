"""Puts calibrations among those that ship, in place of older ones of the same models.

.venv/bin/python scripts/ship_calibration.py "$PLANWARDEN_HOME"/calibrations/*.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from planwarden.contracts.calibration import PlannerCalibration

SHIPPED = Path("src/planwarden/configuration/shipped_calibrations.json")


def main(paths: list[str]) -> None:
    """Read the files and write what ships, sorted by label."""
    known = [PlannerCalibration.model_validate(each) for each in json.loads(SHIPPED.read_text("utf-8"))]
    new = [PlannerCalibration.model_validate_json(Path(path).read_bytes()) for path in paths]
    kept = {each.model: each for each in (*known, *new)}
    rows = [each.model_dump(mode="json") for each in sorted(kept.values(), key=lambda each: each.label)]
    SHIPPED.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{SHIPPED}: {', '.join(each['label'] for each in rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
