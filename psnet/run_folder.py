"""A run's folder: what is kept in it so that the run can be told from others, and made again."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from psnet.atomic import remove_halves, write_whole
from psnet.checkpoint import CHECKPOINT, Begun, before, set_aside
from psnet.configuration import SettingsError
from psnet.differences import differences

log = logging.getLogger("psnet")

SETTINGS = "config.yaml"
MANIFEST = "manifest.csv"
METRICS = "metrics.json"
AUTO = "auto"
"""Of `resume`: go on with what the same command has begun, or begin it."""

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
    write_whole(folder / SETTINGS, OmegaConf.to_yaml(OmegaConf.create(settings)))


def settings_of(again: str | Path, cfg: DictConfig, given: Collection[str]) -> DictConfig:
    """The configuration of the run in a folder, to be run again in the folder of `cfg`.

    Args:
        given: settings of `cfg`, by their first name, that were asked for; those of `HOW_NOT_WHAT` are taken.

    Raises:
        SettingsError: no run has left its settings there, the folder is that of `cfg`, or other settings are given.
    """
    others = sorted({*given} - {*HOW_NOT_WHAT})
    if others:
        raise SettingsError(f"again={again} takes what decides a run from its folder: leave out {', '.join(others)}")
    if Path(again).resolve() == Path(cfg.output_dir).resolve():
        raise SettingsError(f"again={again}: the run would replace the one it repeats; give another hydra.run.dir")
    file = Path(again) / SETTINGS
    if not file.is_file():
        raise SettingsError(
            f"again={again}: there is no {file}; give the folder of a run, such as outputs/.../12-00-00"
        )
    settings = OmegaConf.load(file)
    assert isinstance(settings, DictConfig)
    settings.again, settings.resume, settings.output_dir = str(again), None, cfg.output_dir
    settings.update({name: cfg[name] for name in given})
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


def check_same_files(folder: Path, given: Mapping[str, str]) -> None:
    """A run in a folder, if it is finished, must have started from the very files that are named now.

    Args:
        given: digests of those files, see `psnet.record.given_digests`.

    Raises:
        SettingsError: it has not, or does not say.
    """
    if not (folder / METRICS).is_file():
        return
    then = json.loads((folder / METRICS).read_text(encoding="utf-8")).get("run", {}).get("given")
    if then is None:
        raise SettingsError(
            f"{folder / METRICS} does not say which files the run was started from, as an earlier psnet wrote it. "
            "Start the run anew in another folder"
        )
    others = differences(given, then)
    if others:
        raise SettingsError(
            f"{folder} holds a run that was started from other files than are now behind {', '.join(sorted(others))}. "
            "Put back those of then, or start the run anew in another folder"
        )


def finished(cfg: DictConfig, folder: Path, given: Mapping[str, str]) -> dict[str, float] | None:
    """The figures of a run that was finished in a folder; None where it was not, or not begun.

    Args:
        cfg: what the run must be of. given: digests of the files it starts from, see `psnet.record.given_digests`.

    Raises:
        SettingsError: the folder holds a run of other settings or from other files, or one that left no settings.
    """
    if not is_used(folder):
        return None
    if not (folder / SETTINGS).is_file():
        raise SettingsError(f"{folder} holds a run without {SETTINGS}; remove it, or give another folder")
    other = differ(cfg, folder)
    if other:
        told = ", ".join(f"{key}={then} where {now} is wanted" for key, (now, then) in other.items())
        raise SettingsError(f"{folder} holds a run of other settings: {told}. Give another folder")
    if not (folder / METRICS).is_file():
        return None
    check_same_files(folder, given)
    log.info("finished already: %s", folder)
    metrics: dict[str, float] = json.loads((folder / METRICS).read_text(encoding="utf-8"))["metrics"]["trained"]
    return metrics


def take(folder: Path, begun: Begun | None) -> None:
    """Make a folder ready for the run that trains in it: one that begins, or goes on.

    What a killed process has half written goes, and so do the figures of the run that goes on.

    Raises:
        SettingsError: the folder holds a run, and this one is another.
    """
    remove_halves(folder)
    if begun is not None and begun.is_in(folder):
        set_aside(folder, begun)
        (folder / METRICS).unlink(missing_ok=True)
    elif is_used(folder):
        raise SettingsError(
            f"{folder} holds a run already: go on with that by resume=auto, or give another folder (hydra.run.dir)"
        )


def is_used(folder: Path) -> bool:
    """A run has left something there that another would have to replace."""
    return any(file.is_file() for file in (folder / METRICS, folder / CHECKPOINT, before(folder / CHECKPOINT)))


def differ(cfg: DictConfig, folder: Path) -> dict[str, tuple[Any, Any]]:
    """(now, then) of the settings by which a run of `cfg` differs from the one that left its settings in a folder;
    nothing where none did."""
    if not (folder / SETTINGS).is_file():
        return {}
    now, then = (_what(OmegaConf.to_container(one, resolve=False)) for one in (cfg, OmegaConf.load(folder / SETTINGS)))
    return differences(now, then)


def _what(settings: Any) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in HOW_NOT_WHAT}
