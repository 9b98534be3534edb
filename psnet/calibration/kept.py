"""Thresholds beside the model that they hold for: thresholds.json in its folder, or NAME.thresholds.json beside
NAME.ckpt. One for each way to make embeddings."""

from __future__ import annotations

import json
from pathlib import Path

from psnet.atomic import write_whole
from psnet.calibration.threshold import CalibrationError, Threshold
from psnet.embeddings import MadeBy

NAME = "thresholds.json"


def place_of(model: Path) -> Path:
    """Of a checkpoint, or of a folder of a model."""
    return model / NAME if model.is_dir() else model.with_name(f"{model.stem}.{NAME}")


def read_threshold(model: Path, made_by: MadeBy) -> Threshold | None:
    """The one that holds for embeddings made so; None where there is none.

    Raises:
        CalibrationError: the file is damaged.
    """
    return next((one for one in kept_thresholds(model) if one.made_by == made_by), None)


def kept_thresholds(model: Path) -> list[Threshold]:
    """All of a model.

    Raises:
        CalibrationError: the file is damaged.
    """
    return _read(place_of(model))


def keep_threshold(model: Path, threshold: Threshold) -> Path:
    """Write it, in the place of an older one for embeddings made so. Returns the file.

    Raises:
        CalibrationError: the file that is there is damaged. WriteError: it cannot be written.
    """
    file = place_of(model)
    others = [one for one in _read(file) if one.made_by != threshold.made_by]
    return write_whole(file, json.dumps([one.as_json() for one in (*others, threshold)], indent=2) + "\n")


def _read(file: Path) -> list[Threshold]:
    if not file.is_file():
        return []
    try:
        return [Threshold.from_json(one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:  # CalibrationError too
        raise CalibrationError(f"{file} is damaged ({error}); remove it, and calibrate again") from error
