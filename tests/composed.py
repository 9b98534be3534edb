"""conf/ as it is composed from the shell."""

from __future__ import annotations

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from psnet.configuration import configuration_folder

ONLY_RUNNING = {"train": ["name=test", "output_dir=unused"], "evaluate": ["output_dir=unused"]}
"""What a running Hydra would know; settings given beside it win."""


def composed(*overrides: str, job: str = "train") -> DictConfig:
    with initialize_config_dir(configuration_folder(), version_base="1.3"):
        return compose(job, [*ONLY_RUNNING[job], *overrides])
