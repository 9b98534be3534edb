"""The main job on a few drawn people, and what its tests look at."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig

import train as main_job
from psnet.checkpoint import read_checkpoint


def small_phase(name: str) -> list[str]:
    recipe = f"model.{name}.recipe"
    return [
        f"{recipe}.epochs=1",
        f"{recipe}.validate_every=1",
        f"{recipe}.batch.identities=2",
        f"{recipe}.batch.images=2",
    ]


PHASES = {
    "ps_hrnet_demo": [*small_phase("teacher"), *small_phase("sr_start")],
    "hrnet_reid_sr_small": small_phase("sr_start"),
}


class World(NamedTuple):
    """A folder with drawn people and kept phases. compose: a whole configuration for runs in it."""

    folder: Path
    compose: Callable[..., DictConfig]


class Ran(NamedTuple):
    cfg: DictConfig
    folder: Path
    metrics: dict[str, float]


def run(world: World, name: str, model: str, *overrides: str, **more: Any) -> Ran:
    cfg = world.compose(name, model, *overrides, **more)
    return Ran(cfg, world.folder / name, main_job.train(cfg))


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = read_checkpoint(checkpoint)["state_dict"]
    return state


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def logged(folder: Path) -> dict[str, list[float]]:
    """Columns of the CSV log, without the empty cells."""
    columns: dict[str, list[float]] = {}
    for file in (folder / "log").glob("metrics.csv"):
        for row in csv.DictReader(file.open()):
            for key, value in row.items():
                if value:
                    columns.setdefault(key, []).append(float(value))
    return columns


def phases(world: World) -> dict[str, Path]:
    """Kept phases by name."""
    return {folder.name.split("-")[1]: folder for folder in (world.folder / "phases").iterdir()}
