"""Regions that make a score, against Grad-CAM by hand and against what hiding them does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from psnet.cli import main
from psnet.data.images import read_image
from psnet.embedder import Embedder
from psnet.embedder.explain import explain
from psnet.gallery.explanation import draw


def pair(crops: Path) -> tuple[torch.Tensor, torch.Tensor]:
    one, other, *_ = sorted(crops.rglob("*.*"))
    return read_image(one), read_image(other)


def by_hand(embedder: Embedder, image: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The activations at each pool, times the mean of their gradients, positive part, spread over the pixels."""
    task = embedder.engine.task
    kept: list[torch.Tensor] = []

    def keep(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        inputs[0].retain_grad()
        kept.append(inputs[0])

    def described(x: torch.Tensor) -> torch.Tensor:
        return F.normalize(task.reid(task.sr(x)).descriptor, dim=1)  # type: ignore[operator]

    inputs = [(embedder.preprocess(one)[None] / 255) for one in (image, other)]
    with torch.no_grad():
        target = described(inputs[1])
    hooks = [pool.register_forward_pre_hook(keep) for pool in task.reid.pools]  # type: ignore[union-attr]
    (described(inputs[0].requires_grad_()) * target).sum().backward()
    for hook in hooks:
        hook.remove()
    total = torch.zeros(64, 32)
    for maps in kept:
        assert maps.grad is not None
        cam = (maps * maps.grad.mean(dim=(2, 3), keepdim=True)).sum(dim=1, keepdim=True).relu()
        share = cam.shape[2] * cam.shape[3] / total.numel()
        total += share * F.interpolate(cam, size=(64, 32), mode="bilinear")[0, 0].detach()
    return total


def test_it_is_grad_cam(embedder: Embedder, crops: Path):
    one, other = pair(crops)
    expected = [by_hand(embedder, one, other), by_hand(embedder, other, one)]
    highest = max(float(found.max()) for found in expected)
    for found, by in zip(explain(embedder, one, other), expected, strict=True):
        assert found.shape == (64, 32)
        torch.testing.assert_close(found, by / highest, atol=1e-5, rtol=1e-4)


def test_nothing_is_left_behind(embedder: Embedder, crops: Path):
    before = embedder.embed(crops).embedding
    explain(embedder, *pair(crops))
    assert np.array_equal(embedder.embed(crops).embedding, before)
    assert all(p.grad is None and not p.requires_grad for p in embedder.engine.task.parameters())


@pytest.mark.parametrize("size", [(300, 20), (9, 90)])
def test_any_size(embedder: Embedder, crops: Path, size: tuple[int, int]):
    one, _ = pair(crops)
    maps = explain(embedder, one, torch.randint(0, 256, (3, *size), dtype=torch.uint8))
    assert all(found.shape == (64, 32) and found.min() >= 0 for found in maps)
    assert max(float(found.max()) for found in maps) == pytest.approx(1)


def test_a_picture(checkpoint: Path, crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, other, *_ = sorted(crops.rglob("*.*"))
    out = tmp_path / "explained.png"
    main(["explain", str(one), str(other), "--model", str(checkpoint), "--out", str(out)])
    table = Embedder.from_checkpoint(checkpoint).embed([one, other])
    score, _, path = capsys.readouterr().out.partition(", ")
    assert float(score) == pytest.approx(float(table.embedding[0] @ table.embedding[1]), abs=2e-3)
    assert path == f"{out}\n"
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert picture.shape == (512 + 24, 4 * 256 + 5 * 12, 3)
    plain, coloured = picture[12:-12, 12:268], picture[12:-12, 280:536]
    shown = np.asarray(Image.open(one).convert("RGB").resize((256, 512), Image.Resampling.BILINEAR))
    assert np.array_equal(plain, shown)
    assert (np.abs(coloured - plain).sum(axis=2) > 30).any()  # somewhere
    with pytest.raises(SystemExit, match=r"a\.gif ends in '\.gif'"):
        main(["explain", str(one), str(other), "--model", str(checkpoint), "--out", "a.gif"])


def test_a_picture_of_a_thin_image_is_no_wider_than_others():
    thin, tall = torch.zeros(3, 1, 200, dtype=torch.uint8), torch.zeros(3, 900, 3, dtype=torch.uint8)
    maps = (torch.rand(64, 32), torch.rand(64, 32))
    width, height = draw([thin, tall], maps).size
    assert width <= 2 * 1024 + 2 * 2 + 5 * 12
    assert height == 512 + 24
