"""HRNet itself, in the forms that other libraries run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from psnet import Embedder
from psnet.cli import main
from psnet.data.manifest import Manifest
from tests.checkpoints import write_checkpoint

pytestmark = pytest.mark.slow


def test_hrnet(tiny: Manifest, tmp_path: Path):
    """Each form is compared by the command too; here with the checkpoint, not with what the command had of it."""
    checkpoint = write_checkpoint(tmp_path / "last.ckpt", tiny, "ps_hrnet_demo", "model.reid.backbone=hrnet_w18_small")
    pictures = [tiny.path(row) for row in tiny.rows[:12]]
    forms = {"onnx": 1e-6, "openvino": 1e-6, "int8": 0.1, "pt2": 1e-6}
    given = ["--images", *map(str, pictures)]
    main(["export", str(checkpoint), str(tmp_path / "m"), "--to", ",".join(forms), *given])
    wanted = Embedder.from_checkpoint(checkpoint, precision="32-true").embed(pictures).embedding
    for form, away in forms.items():
        found = Embedder.from_pretrained(tmp_path / "m", engine=form, precision="32-true").embed(pictures).embedding
        assert (found * wanted).sum(axis=1) == pytest.approx(np.ones(12), abs=away)
