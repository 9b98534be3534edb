"""One world for all tests of the main job."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import DictConfig

from tests.composed import composed
from tests.job.world import PHASES, Ran, World, run
from tests.tiny import TINY, quick


@pytest.fixture(scope="session")
def world(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")

    def configuration(name: str, model: str, *overrides: str, epochs: int = 1, logger: str = "none") -> DictConfig:
        own = [f"model={model}", f"model.recipe.epochs={epochs}", f"logger={logger}", *PHASES.get(model, ())]
        where = [f"output_dir={folder / name}", f"phases_dir={folder / 'phases'}"]
        whole = [*TINY, *own, *where, f"dataset.source.reader.root={drawn}", *overrides]
        return composed(*whole, *quick(whole))

    return World(folder, configuration)


@pytest.fixture(scope="session")
def whole(world: World) -> Ran:
    """The whole method with everything that watches it."""
    return run(world, "whole", "ps_hrnet_demo", epochs=2, logger="wandb")
