"""psnet inspect, psnet build-mlr"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

SETTINGS = "as for train.py: dataset=mlr_viper dataset.source.protocol.seed=1"


def add_to(commands: Any) -> None:
    build = commands.add_parser("build-mlr", help="write the whole set to a folder, with its manifest")
    build.add_argument("folder", type=Path)
    inspect = commands.add_parser("inspect", help="say what is there and what it becomes")
    for command in (build, inspect):
        command.add_argument("settings", nargs="+", help=SETTINGS)
        command.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from psnet.configuration import build_manifest
    from psnet.data.export import export

    dataset = compose_dataset(given.settings)
    manifest = build_manifest(dataset)
    if given.command == "build-mlr":
        listed = export(manifest, given.folder)
        rules = " ".join(evaluation_rules(dataset))
        print(f"Train on it with: python train.py dataset=csv dataset.source.reader.path={listed} {rules}".rstrip())


def compose_dataset(settings: Sequence[str]) -> DictConfig:
    """The node `dataset` of what train.py would compose.

    Raises:
        SettingsError: a setting names what is not there, or no data set is named, or several.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from psnet.configuration import SettingsError, configuration_folder

    if not any(setting.startswith("dataset=") for setting in settings):
        raise SettingsError(f"no data set among {list(settings)}; name one, such as dataset=mlr_viper")
    try:
        with initialize_config_dir(configuration_folder(), version_base="1.3"):
            cfg = compose("train", list(settings))
    except HydraException as error:
        raise SettingsError(str(error)) from error
    if cfg.join:
        raise SettingsError(
            f"join.{next(iter(cfg.join))}: sets are joined by train.py alone; here give one set, without it"
        )
    dataset: DictConfig = cfg.dataset
    return dataset


def evaluation_rules(dataset: DictConfig) -> list[str]:
    """The settings by which dataset=csv, on this set as files, is evaluated as the set itself is."""
    from omegaconf import OmegaConf

    of_csv = compose_dataset(["dataset=csv"])
    keys = ("shots", "repeats", "source.camera_rule", "source.singletons", "source.unmatched_queries")
    values = {key: OmegaConf.select(dataset, key) for key in keys}
    return [
        f"dataset.{key}={str(value).lower()}" for key, value in values.items() if value != OmegaConf.select(of_csv, key)
    ]
