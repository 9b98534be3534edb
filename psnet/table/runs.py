"""The runs found in folders: their metrics.json, read and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROWS = ("ID", "ID+SR", "ID+PS", "ID+SR+PS", "bound", "SR")
"""What a run says it is: the order of the table. Others come last."""

FIGURES = ("rank1", "rank5", "rank10", "mAP")
"""Of retrieval, in the order of the table; fractions in 0..1."""

FORM: dict[str, type] = {
    "row": str,
    "dataset": str,
    "set": str,
    "source": dict,
    "split": int,
    "seed": int,
    "shots": str,
    "repeats": int,
    "camera_rule": bool,
    "protocol": dict,
    "data_hash": str,
    "trained_on": list,
    "data_hash_in_training": str,
    "joined_hash": str,
    "searched_and_trained_on": int,
    "weights": str,
    "origins": dict,
    "model": dict,
    "phases": dict,
    "training": dict,
    "ended_by_patience": bool,
    "epochs": int,
    "steps": int,
    "image_size": list,
    "precision": str,
    "revision": str,
    "versions": dict,
    "finished": str,
}
"""The key "run" of metrics.json."""


def place_of(row: str) -> int:
    """Where a row stands in the table."""
    return ROWS.index(row) if row in ROWS else len(ROWS)


class TableError(ValueError):
    """There is nothing to make a table of. The message says why."""


@dataclass(frozen=True)
class Run:
    """One finished run.

    path: of its metrics.json. record: its key "run". metrics: its key "metrics".
    """

    path: Path
    record: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.parent.as_posix()

    @property
    def split(self) -> int:
        return int(self.record["split"])

    @property
    def seed(self) -> int:
        return int(self.record["seed"])

    @property
    def data_hash(self) -> str:
        return str(self.record["data_hash"])

    @property
    def finished(self) -> float:
        """Seconds since 1970; a time without a zone is this machine's."""
        return datetime.fromisoformat(self.record["finished"]).timestamp()

    @property
    def patient(self) -> bool:
        """Its recipe may end it after whatever epoch, where nothing is won any more."""
        return self.record["model"]["recipe"].get("patience") is not None and not self.stopped

    @property
    def stopped(self) -> str:
        """Where it ended, if that was before the end of its recipe; else "". Every epoch has equally many steps."""
        epochs, steps, wanted = self.record["epochs"], self.record["steps"], self.record["model"]["recipe"]["epochs"]
        if epochs < wanted and not self.record["ended_by_patience"]:
            return f"stopped at epoch {epochs} of {wanted}"
        return f"stopped at step {steps}, within epoch {epochs}" if epochs and steps % epochs else ""


@dataclass(frozen=True)
class Found:
    """runs: in the order of their paths. left_out: path and reason of each metrics.json that cannot be used."""

    runs: list[Run]
    left_out: list[tuple[Path, str]]


def find_runs(folders: Sequence[Path]) -> Found:
    """All runs below some folders; each once, however often it is named.

    Raises:
        TableError: a folder is none, or has no metrics.json below it, or none of all can be used.
    """
    files = {file.resolve(): file for folder in folders for file in _files(folder)}
    runs, left_out = [], []
    for file in sorted(files.values()):
        try:
            runs.append(read_run(file))
        except (OSError, ValueError) as error:
            left_out.append((file, str(error)))
    if not runs:
        file, reason = left_out[0]
        raise TableError(f"none of {len(left_out)} metrics.json can be used; the first, {file}: {reason}")
    return Found(runs, left_out)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise TableError(f"there is no folder {folder}; give the folder of a run or of several")
    files = list(folder.rglob("metrics.json"))
    if not files:
        raise TableError(f"there is no metrics.json in {folder} or below; train.py writes one when a run has ended")
    return files


def read_run(path: Path) -> Run:
    """Raises ValueError where the file is not in the form that train.py and evaluate.py write; OSError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(content, dict) or "run" not in content:
        raise ValueError('no key "run": it was written by an older version; evaluate the checkpoint again')
    record, metrics = content["run"], content.get("metrics")
    if not isinstance(record, dict) or not isinstance(metrics, dict):
        raise ValueError('"run" and "metrics" must be objects')
    _check_record(record)
    _check_metrics(metrics)
    return Run(path, record, metrics)


def _check_record(record: Mapping[str, Any]) -> None:
    for key, kind in FORM.items():
        if type(record.get(key)) is not kind:  # not isinstance: a bool is no number
            older = "" if key in record else ": an older version wrote it; evaluate the checkpoint again"
            raise ValueError(f"run.{key}={_short(record.get(key))} must be of type {kind.__name__}{older}")
    if record["shots"] not in ("single", "multi"):
        raise ValueError(f"run.shots={record['shots']!r} must be single or multi")
    for part in ("recipe", "reid", "sr"):
        if not isinstance(record["model"].get(part) or {}, dict):
            raise ValueError(f"run.model.{part}={_short(record['model'][part])} must be settings")
    epochs = (record["model"].get("recipe") or {}).get("epochs")
    if type(epochs) is not int:
        raise ValueError(f"run.model.recipe.epochs={_short(epochs)} must be a number: without it nobody knows the end")
    if len(record["image_size"]) != 2:
        raise ValueError(f"run.image_size={_short(record['image_size'])} must be height and width")
    try:
        datetime.fromisoformat(record["finished"])
    except ValueError as error:
        raise ValueError(f"run.finished={record['finished']!r} is no time such as 2026-01-31T12:00:00") from error


def _check_metrics(metrics: Mapping[str, Any]) -> None:
    trained = metrics.get("trained")
    if not isinstance(trained, dict) or not trained:
        raise ValueError('metrics have no figures of "trained"')
    if "rank1" in trained or "psnr_restored" not in trained:
        _check_fractions(trained, FIGURES, "trained")
    for name in ("untrained", "bound", "chance"):
        _check_fractions(metrics.get(name, {}), {*FIGURES} & {*metrics.get(name, {})}, name)
    for row in _rows(metrics, "per_rate"):
        _check_fractions(row, {"rank1"} & {*row}, "per_rate")
    for row in _rows(metrics, "restoration"):
        for key in ("psnr_bicubic", "psnr_restored"):
            if not _is_number(row.get(key)):
                raise ValueError(f"restoration: {key}={_short(row.get(key))} must be decibels")


def _rows(metrics: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = metrics.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) and _is_number(row.get("rate")) for row in rows):
        raise ValueError(f"{name} must be a list with a rate each")
    return rows


def _check_fractions(figures: Mapping[str, Any], names: Iterable[str], owner: str) -> None:
    for name in names:
        value = figures.get(name)
        if not _is_number(value) or not 0 <= float(value) <= 1:  # type: ignore[arg-type]
            raise ValueError(f"{owner}: {name}={_short(value)} must be a fraction in 0..1")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
