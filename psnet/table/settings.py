"""What must be equal of two runs so that they may share a line, and how settings are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psnet.table.runs import Run

Settings = dict[str, Any]

_KEPT = (
    "row",
    "dataset",
    "protocol",
    "shots",
    "camera_rule",
    "image_size",
    "weights",
    "trained_on",
    "epochs",
)
"""Of a run's record, as they are."""

LONGEST = 32
"""Characters of one value in a remark."""


def settings_of(run: Run) -> Settings:
    """All that decides a figure but split and seed.

    The number of classes follows from the split. A path says nothing that another machine could compare: a given
    checkpoint counts as given, and a file of weights as what the record says of it in words.
    """
    record = run.record
    settings = {key: record[key] for key in _KEPT}
    settings["repeats"] = record["repeats"] if record["shots"] == "single" else None  # else nothing is drawn
    settings["model"], settings["phases"] = record["model"], record["phases"]
    settings["searched"] = "its own set" if record["data_hash"] == record["data_hash_in_training"] else "other data"
    settings["stopped"] = run.stopped
    weights = (record["model"].get("reid") or {}).get("weights")
    given = {weights: record["weights"]} if weights not in (None, "imagenet") else {}
    plain: Settings = _plain(settings, given)
    return plain


def _plain(value: Any, weights: Mapping[str, str], key: str = "") -> Any:
    """Without numbers of classes and paths; 2.0 is 2."""
    if isinstance(value, Mapping):
        return {name: _plain(one, weights, name) for name, one in value.items() if name != "num_classes"}
    if isinstance(value, list):
        return [_plain(one, weights) for one in value]
    if key.endswith("_checkpoint") and value is not None:
        return "given"
    if key == "weights" and isinstance(value, str):
        return weights.get(value, value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def key_of(settings: Settings) -> str:
    """Equal for equal settings."""
    return json.dumps(settings, sort_keys=True)


def value_at(settings: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted name; None where there is none.

    >>> value_at({"model": {"sr": {"blocks": 6}}}, "model.sr.blocks")
    6
    """
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def written(name: str, value: Any) -> str:
    """As one would type it for train.py, where that is short.

    >>> written("model.sr_lr", None), written("model.recipe.image_size", [128, 64])
    ('sr_lr=null', 'recipe.image_size=[128,64]')
    """
    return f"{name.removeprefix('model.')}={value_text(value)}"


def value_text(value: Any) -> str:
    """A value in the same way, cut at `LONGEST` characters."""
    if isinstance(value, str):
        text = value.removeprefix("psnet.tasks.")
    else:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
