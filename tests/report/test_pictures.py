"""Pictures come back from the page as they went in, or as near as JPEG allows."""

from __future__ import annotations

import numpy as np
import pytest

from psnet.report import pictures
from tests.report.examples import decode, picture


@pytest.mark.parametrize("size", [(1, 1), (16, 39), (256, 128), (3, 500)])
def test_exact_is_exact(size: tuple[int, int]) -> None:
    image = picture(*size)
    made = pictures.exact(image)
    assert np.array_equal(decode(made.uri), image)
    assert (made.height, made.width) == size


def test_small_crops_are_exact_and_show_their_pixels() -> None:
    image = picture(64, 24)
    made = pictures.crop(image)
    assert made.pixelated
    assert np.array_equal(decode(made.uri), image)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((128, 64), (128, 64)), ((192, 96), (192, 96)), ((256, 128), (192, 96)), ((4000, 3), (192, 1))],
)
def test_large_crops_are_bounded(size: tuple[int, int], expected: tuple[int, int]) -> None:
    made = pictures.crop(picture(*size))
    assert decode(made.uri).shape[:2] == (made.height, made.width) == expected
    assert not made.pixelated


def test_jpeg_keeps_the_picture() -> None:
    rows, columns = np.mgrid[0:128, 0:64]
    smooth = np.stack([rows * 2, columns * 4, 255 - rows], axis=-1).clip(0, 255).astype(np.uint8)
    back = decode(pictures.crop(smooth).uri).astype(int)
    assert np.abs(back - smooth).mean() < 3  # channels in order, no flip


def test_non_contiguous_arrays() -> None:
    image = picture(40, 30)[:, ::-1]
    assert np.array_equal(decode(pictures.exact(image).uri), image)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 8, 4), np.uint8),
        np.zeros((8, 4), np.uint8),
        np.zeros((8, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((8, 4, 4), np.uint8),
    ],
)
def test_anything_else_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        pictures.crop(image)
    with pytest.raises(ValueError, match=str(image.dtype)):
        pictures.exact(image)
