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
    "set",
    "source",
    "protocol",
    "shots",
    "camera_rule",
    "image_size",
    "weights",
    "trained_on",
    "joined_hash",
    "training",
)
"""Of a run's record, as they are."""

LONGEST = 32
"""Characters of one value in a remark."""


def settings_of(run: Run) -> Settings:
    """All that decides a figure but split and seed.

    The number of classes follows from the split. A path says nothing that another machine could compare: a file that
    was started from counts as what the record says of its origin in words.
    """
    record = run.record
    settings = {key: record[key] for key in _KEPT}
    settings["repeats"] = record["repeats"] if record["shots"] == "single" else None  # else nothing is drawn
    settings["epochs"] = None if run.patient else record["epochs"]
    settings["model"], settings["phases"] = record["model"], record["phases"]
    settings["searched"] = "its own set" if record["data_hash"] == record["data_hash_in_training"] else "other data"
    settings["stopped"] = run.stopped
    origins = {f"{part}.{name}": words for part in ("model", "phases") for name, words in record["origins"].items()}
    plain: Settings = _plain(settings, origins)
    return plain


def _plain(value: Any, origins: Mapping[str, str], name: str = "") -> Any:
    """Without numbers of classes and paths; 2.0 is 2.

    Args:
        origins: words in the place of a path, by dotted name. name: of the value.
    """
    if name in origins:
        return origins[name]
    if isinstance(value, Mapping):
        within = f"{name}." if name else ""
        return {key: _plain(one, origins, within + key) for key, one in value.items() if key != "num_classes"}
    if isinstance(value, list):
        return [_plain(one, origins) for one in value]
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


_PUBLISHED = {
    "rates": [2, 3, 4],
    "interpolation": "bicubic",
    "test_rates": None,
    "gallery_low_share": 0,
    "degradation": "clean",
    "rate_per": "image",
}
"""Settings of a protocol that have these values in the published one."""


def beyond_the_paper(settings: Mapping[str, Any]) -> list[str]:
    """The settings of a protocol by which figures are of another than the published ones, as one would type them."""
    own = {name: settings["protocol"].get(name, value) for name, value in _PUBLISHED.items()}
    return [f"{name}={value_text(value)}" for name, value in own.items() if value != _PUBLISHED[name]]


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
