"""Drawn people: the same on every call, whole or absent, and hard enough to be worth learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from psnet.data.samples import DataError
from psnet.data.synthetic import draw_image, read_synthetic
from psnet.data.synthetic import reader as module

SIZE = (32, 64)


def pixels(pid: int, camid: int, number: int, seed: int = 0) -> np.ndarray:
    return np.asarray(draw_image(pid, camid, number, SIZE, seed), dtype=float)


def test_a_picture_depends_on_its_names_alone():
    first = pixels(3, 2, 1)
    pixels(9, 1, 0)
    assert np.array_equal(first, pixels(3, 2, 1))
    for other in (pixels(4, 2, 1), pixels(3, 1, 1), pixels(3, 2, 0), pixels(3, 2, 1, seed=1)):
        assert not np.array_equal(first, other)


def test_a_small_set_is_part_of_a_large_one(tmp_path: Path):
    small = read_synthetic(tmp_path, identities=2, cameras=2, images_per_camera=1, height=64, width=32)
    large = read_synthetic(tmp_path, identities=3, cameras=3, images_per_camera=2, height=64, width=32)
    assert small.root != large.root
    assert len(small.samples) == 4
    assert len(large.samples) == 18
    for sample in small.samples:
        assert (small.root / sample.path).read_bytes() == (large.root / sample.path).read_bytes()


def test_it_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = read_synthetic(tmp_path, identities=1, cameras=1, images_per_camera=1, height=64, width=32)
    monkeypatch.setattr(module, "_draw_set", lambda *_: pytest.fail("drawn again"))
    assert read_synthetic(tmp_path, identities=1, cameras=1, images_per_camera=1, height=64, width=32) == first


def test_a_drawing_that_was_killed_leaves_nothing_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = {"identities": 1, "cameras": 1, "images_per_camera": 2, "height": 64, "width": 32}
    with monkeypatch.context() as patch:
        patch.setattr(module, "_put", killed)
        with pytest.raises(KeyboardInterrupt):
            read_synthetic(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
    assert len(list(read_synthetic(tmp_path, **arguments).root.iterdir())) == 2


def test_nothing_to_draw(tmp_path: Path):
    with pytest.raises(DataError, match=r"reader\.cameras=0 leaves nothing to draw"):
        read_synthetic(tmp_path, cameras=0)


def test_no_single_colour_tells_people_apart():
    """Nearest neighbour by mean colour: better than chance, as clothes differ, but far from enough."""
    number = 40
    query = np.array([pixels(pid, 3, 0).mean((0, 1)) for pid in range(number)])
    gallery = np.array([pixels(pid, 1, 0).mean((0, 1)) for pid in range(number)])
    distance = ((query[:, None] - gallery[None]) ** 2).sum(2)
    rank1 = (distance.argmin(1) == np.arange(number)).mean()
    assert rank1 < 0.3


def test_cameras_cast_their_own_colours():
    """The same people look different to two cameras in the mean, by more than chance would make them."""
    means = {camid: np.array([pixels(pid, camid, 0).mean((0, 1)) for pid in range(30)]) for camid in (1, 2)}
    difference = means[1] - means[2]
    standard_error = difference.std(0) / 30**0.5
    assert (np.abs(difference.mean(0)) > 4 * standard_error).any()
