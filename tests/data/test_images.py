"""Pixels are Pillow's, to the byte, whoever decodes and resizes them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from psnet.data import images
from psnet.data.images import Filter, decode, from_pillow, resize, to_pillow
from tests.data.real import real_set

SIZES = [(256, 128), (128, 64), (384, 128), (96, 64), (43, 21), (130, 47), (1, 1)]
EXIF = Image.Exif()
EXIF[0x0112] = 6
"""Orientation: to be shown turned, which neither Pillow nor we do by ourselves."""


def pillow(path: Path) -> torch.Tensor:
    return from_pillow(Image.open(path).convert("RGB"))


def picture(height: int = 40, width: int = 20, seed: int = 0) -> Image.Image:
    """Smooth enough that a codec has something to do, with every value in it."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 4, 3), dtype=np.uint8)).resize((width, height))
    noise = random.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse).astype(int) + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "mode", "how"),
    [
        ("a.jpg", "RGB", {"quality": 95}),
        ("a.jpg", "RGB", {"quality": 20, "subsampling": "4:2:0"}),
        ("a.jpg", "RGB", {"quality": 90, "progressive": True}),
        ("a.jpg", "RGB", {"exif": EXIF}),
        ("a.jpg", "RGB", {"keep_rgb": True}),
        ("a.jpg", "L", {}),
        ("a.jpg", "CMYK", {}),
        ("a.png", "RGB", {}),
        ("a.png", "RGBA", {}),
        ("a.png", "P", {}),
        ("a.bmp", "RGB", {}),
        ("jpeg.png", "RGB", {"format": "JPEG"}),
        ("png.jpg", "RGB", {"format": "PNG"}),
    ],
    ids=lambda given: "" if isinstance(given, dict) else given,
)  # fmt: skip
def test_every_kind_of_file(tmp_path: Path, name: str, mode: str, how: dict):
    picture().convert(mode).save(tmp_path / name, **how)
    found = decode(tmp_path / name)
    assert (found.dtype, tuple(found.shape)) == (torch.uint8, (3, 40, 20))
    assert torch.equal(found, pillow(tmp_path / name))


@pytest.mark.parametrize("kept", [0, 2, 30, 400, -30])
def test_a_damaged_file_is_refused_as_pillow_does(tmp_path: Path, kept: int):
    whole = io.BytesIO()
    picture(100, 60).save(whole, "JPEG", quality=95)
    file = tmp_path / "damaged.jpg"
    file.write_bytes(whole.getvalue()[:kept])
    with pytest.raises(OSError, match=r"(?i)damaged\.jpg|truncated|cannot identify"):
        decode(file)


@pytest.mark.parametrize("filter", [Filter.BILINEAR, Filter.BICUBIC, Filter.NEAREST], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_resizing(size: tuple[int, int], filter: Filter):
    for seed, source in enumerate([(128, 64), (40, 20), (43, 21), (160, 60), (255, 127), (301, 99)]):
        image = picture(*source, seed=seed)
        expected = from_pillow(image.resize((size[1], size[0]), filter))
        assert torch.equal(resize(from_pillow(image), size, filter), expected)


def test_every_size_that_is_enlarged_to_a_power_of_two():
    for height in range(1, 65):
        image = picture(height, 1 + height % 32, seed=height)
        expected = from_pillow(image.resize((32, 64), Filter.BILINEAR))
        assert torch.equal(resize(from_pillow(image), (64, 32), Filter.BILINEAR), expected)


def test_on_a_processor_that_torch_rounds_otherwise_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "_IN_FIXED_POINT", False)
    monkeypatch.setattr(images.functional, "interpolate", None)
    image = picture()
    expected = from_pillow(image.resize((128, 256), Filter.BILINEAR))
    assert torch.equal(resize(from_pillow(image), (256, 128), Filter.BILINEAR), expected)


def test_there_and_back():
    image = picture()
    assert np.array_equal(np.asarray(to_pillow(from_pillow(image))), np.asarray(image))
    assert torch.equal(from_pillow(to_pillow(from_pillow(image)[:, ::2])), from_pillow(image)[:, ::2])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Market-1501-v15.09.15", "CUHK01", "VIPeR", "CAVIAR4REID", "PKU-Reid"])
def test_every_twentieth_real_image(name: str):
    files = sorted(file for file in real_set(name).rglob("*") if file.suffix.lower() in (".jpg", ".png", ".bmp"))
    assert len(files) > 600
    for file in files[::20]:
        image = decode(file)
        assert torch.equal(image, pillow(file)), file
        expected = from_pillow(Image.open(file).convert("RGB").resize((128, 256), Filter.BILINEAR))
        assert torch.equal(resize(image, (256, 128), Filter.BILINEAR), expected), file
