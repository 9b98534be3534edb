"""metrics.json files in the form train.py writes, with figures that tests choose."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

RECIPE = {"image_size": [128, 64], "epochs": 30, "optimizer": {"lr": 0.001, "weight_decay": 0.05}}
REID = {
    "_target_": "psnet.models.HRNetReID",
    "backbone": "hrnet_w18_small",
    "weights": None,
    "num_classes": 316,
    "dropout": 0.5,
}
SR = {"_target_": "psnet.models.VDSRCA", "blocks": 6, "channels": 16}
PAIR = {
    "_target_": "psnet.tasks.PSHRNet",
    "sr": SR,
    "reid": REID,
    "ps_weight": 0.5,
    "teacher_checkpoint": None,
    "recipe": RECIPE,
    "margin": 0.3,
}
MODELS: dict[str, dict[str, Any]] = {
    "ID": {"_target_": "psnet.tasks.ReID", "reid": REID, "view": "low", "recipe": RECIPE, "margin": 0.3},
    "ID+SR": PAIR,
    "ID+SR+PS": PAIR,
    "bound": {"_target_": "psnet.tasks.ReID", "reid": REID, "view": "high", "recipe": RECIPE, "margin": 0.3},
    "other": {"_target_": "psnet.tasks.SuperResolution", "sr": SR, "recipe": RECIPE},
}
PROTOCOL = {"low_cameras": [1], "low_fraction": 0, "rates": [2, 3, 4], "interpolation": "bicubic", "seed": 0}


def data_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def content(row: str = "ID", rank1: float = 0.5, split: int = 0, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A whole metrics.json.

    Args:
        more: of the key "run", by dotted names with __ for the dots.
    """
    phases = {"teacher": {**copy.deepcopy(MODELS["bound"]), "recipe": RECIPE}} if row == "ID+SR+PS" else {}
    dataset = more.get("dataset", "mlr_viper")
    record: dict[str, Any] = {
        "row": row,
        "dataset": dataset,
        "set": "VIPeR",
        "source": {"reader": {"_target_": "psnet.data.readers.read_viper"}, "manifest": False},
        "split": split,
        "seed": seed,
        "shots": "single",
        "repeats": 1,
        "camera_rule": True,
        "protocol": PROTOCOL,
        "data_hash": data_hash(f"{dataset} {split}"),
        "trained_on": [dataset],
        "data_hash_in_training": more.get("data_hash", data_hash(f"{dataset} {split}")),
        "joined_hash": "",
        "searched_and_trained_on": 0,
        "weights": "random",
        "origins": {},
        "model": MODELS[row],
        "phases": phases,
        "training": {"same_batch": False, "limit_train_batches": None, "processes": 1},
        "ended_by_patience": False,
        "epochs": 30,
        "steps": 600,
        "image_size": [128, 64],
        "precision": "32-true",
        "revision": "abc",
        "versions": {"torch": "2.6", "psnet": "0.1.0"},
        "finished": "2026-11-25T10:30:00",
    }
    record = json.loads(json.dumps(record))
    for name, value in more.items():
        *path, last = name.split("__")
        place = record
        for part in path:
            place = place[part]
        place[last] = value
    return {"metrics": metrics(rank1, restores=row in ("ID+SR", "ID+SR+PS", "other")), "facts": {}, "run": record}


def metrics(rank1: float, restores: bool) -> dict[str, Any]:
    """Figures that follow from Rank-1: per rate r it is rank1 / r * 2, and restoration gains 1 / r dB."""
    trained = {"rank1": rank1, "rank5": min(1, rank1 + 0.2), "rank10": min(1, rank1 + 0.3), "mAP": rank1 / 2}
    found: dict[str, Any] = {
        "trained": trained,
        "untrained": {name: value / 10 for name, value in trained.items()},
        "chance": {"rank1": 1 / 316, "rank5": 5 / 316, "rank10": 10 / 316, "mAP": 0.02},
        "per_rate": [{"rate": float(r), "queries": 100, "rank1": rank1 / r * 2} for r in (2, 3, 4)],
    }
    if restores:
        found["restoration"] = [
            {"rate": float(r), "count": 100, "psnr_bicubic": 20.0, "psnr_restored": 20 + 1 / r} for r in (2, 3, 4)
        ]
    return found


def write(folder: Path, *args: Any, **more: Any) -> Path:
    """A run's folder with its metrics.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(content(*args, **more)))
    return folder
