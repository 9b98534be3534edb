"""Checkpoints of models that nobody has trained."""

from __future__ import annotations

from pathlib import Path

import torch

import train as main_job
from psnet.assembly import build_task
from psnet.checkpoint import AtomicCheckpointIO
from psnet.data.manifest import Manifest
from psnet.record import meta_of
from tests.composed import composed
from tests.tiny import TINY, quick


def write_checkpoint(file: Path, manifest: Manifest, model: str, *overrides: str, seed: int = 0) -> Path:
    """As train.py would write it after no step at all, but with statistics of batch norm that are not 0 and 1."""
    whole = [*TINY, f"model={model}", *overrides]
    cfg = composed(*whole, *quick(whole))
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
