"""Measurements of models: those that ship, and those made here, in PLANWARDEN_HOME/measurements.json."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from planwarden.contracts.measurement import AnswerMeasurement
from planwarden.errors import StoreCorrupt, StoreUnavailable

FILE_NAME = "measurements.json"
_ADAPTER = TypeAdapter(dict[str, AnswerMeasurement])


def shipped_measurements() -> Mapping[str, AnswerMeasurement]:
    """Give the measurements that ship, by model."""
    text = resources.files("planwarden.configuration").joinpath("shipped_measurements.json").read_bytes()
    return _ADAPTER.validate_json(text)


def stored_measurements(home: Path) -> Mapping[str, AnswerMeasurement]:
    """Give the measurements that were made here, by model; none where there is no file.

    Raises:
        StoreCorrupt: the file is there and cannot be understood.
    """
    path = home / FILE_NAME
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):  # the second: the journal says it better
        return {}
    except (OSError, ValidationError) as error:
        raise StoreCorrupt(
            f"{path} cannot be read as measurements: {type(error).__name__}.",
            remedy="Remove the file and measure again with `planwarden models measure`.",
        ) from error


def store_measurement(home: Path, measured: AnswerMeasurement) -> Path:
    """Add a measurement, or replace the model's last one; the file is written whole or not at all.

    Raises:
        StoreCorrupt: the file that is there cannot be understood.
        StoreUnavailable: it cannot be written.
    """
    known = {**stored_measurements(home), measured.model: measured}
    path = home / FILE_NAME
    part = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(_ADAPTER.dump_json(known, indent=2) + b"\n")
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
