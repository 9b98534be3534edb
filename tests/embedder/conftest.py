"""A model that nobody has trained, and images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import train as main_job
from psnet.assembly import build_task
from psnet.checkpoint import AtomicCheckpointIO
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder
from psnet.record import meta_of
from tests.composed import composed
from tests.tiny import TINY


def write_checkpoint(file: Path, manifest: Manifest, model: str, *overrides: str, seed: int = 0) -> Path:
    """As train.py would write it after no step at all, but with statistics of batch norm that are not 0 and 1."""
    cfg = composed(*TINY, f"model={model}", *overrides)
    settings = main_job.model_of(main_job.Run(cfg, manifest))
    torch.manual_seed(seed)
    task = build_task(settings)
    for name, value in task.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    content = {"state_dict": task.state_dict(), "epoch": 0, "global_step": 1}
    content["psnet"] = meta_of(cfg, manifest, settings)
    AtomicCheckpointIO().save_checkpoint(content, file)
    return file


@pytest.fixture(scope="session")
def checkpoint(tiny: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PS-HRNet in small, for images of 64 x 32."""
    return write_checkpoint(tmp_path_factory.mktemp("model") / "last.ckpt", tiny, "ps_hrnet_demo")


@pytest.fixture(scope="session")
def embedder(checkpoint: Path) -> Embedder:
    return Embedder.from_checkpoint(checkpoint, precision="32-true")


@pytest.fixture
def crops(tmp_path: Path, tiny: Manifest) -> Path:
    """A folder of eight sharp images, in two folders."""
    folder: Any = tmp_path / "crops"
    for number, row in enumerate([row for row in tiny.rows if not row.is_low][:8]):
        source = tiny.path(row)
        target = folder / f"cam{number % 2}" / f"{number:04d}_c{number % 2 + 1}s1_{number:06d}_00{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return folder
