"""Calibrations of planner models: those that ship, and those made here, one file each in PLANWARDEN_HOME."""

from __future__ import annotations

import hashlib
import os
import re
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from planwarden.contracts.calibration import PlannerCalibration, PriorConfidence
from planwarden.errors import StoreCorrupt, StoreUnavailable

FOLDER = "calibrations"
SHIPPED = "shipped_calibrations.json"
SHIPPED_ALONE = "prior_confidence.json"
_SHIPPED = TypeAdapter(tuple[PlannerCalibration, ...])


def shipped_calibrations() -> tuple[PlannerCalibration, ...]:
    """Give the calibrations that ship."""
    return _SHIPPED.validate_json(resources.files("planwarden.configuration").joinpath(SHIPPED).read_bytes())


def shipped_prior_confidence() -> PriorConfidence:
    """Give how sure plans of the ranker that ships are, by itself."""
    file = resources.files("planwarden.configuration").joinpath(SHIPPED_ALONE)
    return PriorConfidence.model_validate_json(file.read_bytes())


def stored_calibrations(home: Path) -> tuple[PlannerCalibration, ...]:
    """Give the calibrations that were made here; none where there is no folder. Blocks.

    Raises:
        StoreCorrupt: a file is there and cannot be understood.
    """
    try:
        paths = sorted((home / FOLDER).glob("*.json"))
    except NotADirectoryError:  # the journal says it better
        return ()
    return tuple(map(_read, paths))


def _read(path: Path) -> PlannerCalibration:
    try:
        return PlannerCalibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreCorrupt(
            f"{path} cannot be read as a calibration: {type(error).__name__}.",
            remedy="Remove the file and calibrate again with `planwarden calibrate`.",
        ) from error


def store_calibration(home: Path, made: PlannerCalibration) -> Path:
    """Keep a calibration, in place of the last one of the same model and prompt; whole or not at all. Blocks.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    path = home / FOLDER / file_name(made)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(made.model_dump_json(indent=2).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Set PLANWARDEN_HOME to a folder that can be.",
        ) from error
    return path


def file_name(made: PlannerCalibration) -> str:
    """Name the file of a calibration: readable, and its own for each model and prompt."""
    said = re.sub(r"[^a-z0-9.]+", "-", made.label.casefold()).strip("-.")[:60] or "model"
    own = hashlib.sha256(f"{made.model}\n{made.prompt_version}".encode()).hexdigest()[:12]
    return f"{said}-{own}.json"
