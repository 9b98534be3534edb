"""A model whose forms are made in seconds and take little room: PS-HRNet with timm's smallest ResNet for HRNet."""

from __future__ import annotations

from pathlib import Path

import pytest

import psnet
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder
from tests.checkpoints import write_checkpoint

QUICK = "model.reid.backbone=test_resnet"


@pytest.fixture(scope="session")
def checkpoint(tiny: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("quick") / "last.ckpt", tiny, "ps_hrnet_demo", QUICK)


@pytest.fixture(scope="session")
def embedder(checkpoint: Path) -> Embedder:
    return psnet.Embedder.from_checkpoint(checkpoint, precision="32-true")
