"""A run's folder: what is kept in it so that the run can be told from others, and made again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from psnet.configuration import SettingsError
from psnet.differences import differences

SETTINGS = "config.yaml"
MANIFEST = "manifest.csv"
METRICS = "metrics.json"
CHECKPOINT = "last.ckpt"

HOW_NOT_WHAT = (
    "again",
    "resume",
    "output_dir",
    "phases_dir",
    "name",
    "group",
    "loader",
    "logger",
    "callbacks",
    "report",
)
"""Settings that do not decide what a run finds."""


def write_settings(cfg: DictConfig, folder: Path) -> None:
    """Keep the whole configuration. Paths stay as written, so that they fit another machine.

    What only a running Hydra knows is written as its value.
    """
    settings: Any = OmegaConf.to_container(cfg, resolve=False)
    settings |= {key: cfg[key] for key in ("name", "group", "output_dir")}
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / (SETTINGS + ".part")
    OmegaConf.save(OmegaConf.create(settings), beside)
    os.replace(beside, folder / SETTINGS)


def settings_of(again: str | Path, cfg: DictConfig) -> DictConfig:
    """The configuration of the run in a folder, to be run again in the folder of `cfg`.

    Raises:
        SettingsError: no run has left its settings there.
    """
    file = Path(again) / SETTINGS
    if not file.is_file():
        raise SettingsError(
            f"again={again}: there is no {file}; give the folder of a run, such as outputs/.../12-00-00"
        )
    settings = OmegaConf.load(file)
    assert isinstance(settings, DictConfig)
    settings.again, settings.resume, settings.output_dir = str(again), None, cfg.output_dir
    return settings


def check_same_data(again: str | Path, folder: Path) -> None:
    """The manifest of the run in `folder` must be, row for row, that of the run it repeats.

    Raises:
        SettingsError: it is not.
    """
    first, second = Path(again) / MANIFEST, folder / MANIFEST
    if not first.is_file() or first.read_bytes() != second.read_bytes():
        raise SettingsError(
            f"the data are not those of {again}: {second} differs from {first}. The images, or what draws them, have "
            "changed; use those of then, or start the run anew without again"
        )


def differ(cfg: DictConfig, folder: Path) -> dict[str, tuple[Any, Any]]:
    """(now, then) of the settings by which a run of `cfg` differs from the one that left its settings in a folder."""
    now, then = (_what(OmegaConf.to_container(one, resolve=False)) for one in (cfg, OmegaConf.load(folder / SETTINGS)))
    return differences(now, then)


def _what(settings: Any) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in HOW_NOT_WHAT}
