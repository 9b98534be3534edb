"""Settings of the smallest run there is: a few drawn people, for tests of whole runs."""

from __future__ import annotations

from collections.abc import Sequence

TINY = [
    "dataset=mlr_synthetic",
    "dataset.source.reader.identities=8",
    "dataset.source.reader.cameras=2",
    "dataset.source.reader.images_per_camera=2",
    "dataset.source.reader.height=64",
    "dataset.source.reader.width=32",
    "dataset.source.protocol.low_cameras=[2]",
    "dataset.source.protocol.train_identities=4",
    "model.recipe.image_size=[64,32]",
    "model.recipe.batch.identities=2",
    "model.recipe.batch.images=2",
    "model.recipe.validate_every=1",
    "loader.workers=0",
    "callbacks.progress._target_=pytorch_lightning.callbacks.TQDMProgressBar",
    "callbacks.dashboard.images=2",
    "report.ranked_lists=1",
    "report.restored=3",
    "name=tiny",
]

QUICK = "test_resnet"
"""A backbone of timm's own tests, in a tenth of the small HRNet's time: where the network is not what is tested."""


def quick(overrides: Sequence[str]) -> list[str]:
    """The setting that takes it, unless others choose a network."""
    chosen = any(word.startswith(("net@model.reid=", "model.reid.backbone=")) for word in overrides)
    return [] if chosen or "model=vdsr_ca_small" in overrides else [f"model.reid.backbone={QUICK}"]
