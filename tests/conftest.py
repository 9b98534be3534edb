"""What many tests need: a tiny drawn data set, and no network."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

import psnet
from psnet.data.manifest import Manifest
from psnet.data.protocol import MLRProtocol
from psnet.data.source import MLRSource
from psnet.data.synthetic import read_synthetic

if TYPE_CHECKING:
    from psnet.embedder import Embedder

os.environ["HF_HUB_OFFLINE"] = "1"  # the hub's answer without a network, at once
os.environ["WANDB_MODE"] = "offline"
if "PYTEST_XDIST_WORKER" in os.environ:  # pytest -n auto: a core for each process, and for those it starts
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

LONGEST = ("test_walkthrough.py", "test_readme.py", "test_sweep.py", "test_full_size.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, or several processes would wait for the one that comes to them last."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def log_as_it_should_be(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Warnings are heard, whatever Hydra's jobs, `psnet` or a library have done to the log in this process: they put
    handlers in the place of those there are, raise levels, or switch loggers off."""
    root, ours = logging.getLogger(), logging.getLogger("psnet")
    handlers, level = list(root.handlers), root.level
    caplog.set_level(logging.WARNING)  # of the root and of what captures, and nothing is disabled below it
    ours.disabled, ours.propagate = False, True
    ours.setLevel(logging.NOTSET)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of drawn data sets, kept for the whole session."""
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="session")
def checkpoint(tiny: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PS-HRNet in small, untrained, for images of 64 x 32."""
    from tests.checkpoints import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("model") / "last.ckpt", tiny, "ps_hrnet_demo")


@pytest.fixture(scope="session")
def embedder(checkpoint: Path) -> Embedder:
    return psnet.Embedder.from_checkpoint(checkpoint, precision="32-true")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Selenium's driver of a browser without a window."""
    from tests.chromium import started

    with started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def crops(tmp_path: Path, tiny: Manifest) -> Path:
    """A folder of eight sharp images of people that nobody was trained on, in two folders."""
    folder = tmp_path / "crops"
    for number, row in enumerate(tiny.split("gallery")):
        source = tiny.path(row)
        target = folder / f"cam{number % 2}" / f"{number:04d}_c{number % 2 + 1}s1_{number:06d}_00{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return folder


@pytest.fixture
def crops_again(crops: Path) -> Path:
    """The same people in other files."""
    folder = crops.with_name("again")
    for file in crops.rglob("*.*"):
        target = folder / file.relative_to(crops)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(target)
    return folder


@pytest.fixture(scope="session")
def tiny(drawn: Path) -> Manifest:
    """8 people, 4 of them to train on, by 2 cameras, 2 images each; camera 2 is low. 64 x 32 pixels."""

    def reader():  # type: ignore[no-untyped-def]
        return read_synthetic(drawn, identities=8, cameras=2, images_per_camera=2, height=64, width=32)

    return MLRSource(reader, MLRProtocol(low_cameras=[2], train_identities=4)).prepare()
