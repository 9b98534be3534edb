"""conf/ as train.py composes it."""

from __future__ import annotations

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from psnet.configuration import configuration_folder


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(configuration_folder(), version_base="1.3"):
        return compose("train", list(overrides))
