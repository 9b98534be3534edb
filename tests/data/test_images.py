"""Pixels are Pillow's, to the byte, whoever decodes and resizes them."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from psnet.data import images
from psnet.data.images import Filter, ImageError, decode, from_pillow, read_image, resize, size_of, to_pillow
from tests.data.real import real_set

SIZES = [(256, 128), (128, 64), (384, 128), (96, 64), (43, 21), (130, 47), (1, 1)]


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


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
        ("a.jpg", "RGB", {"exif": turned(1)}),
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
    found = read_image(tmp_path / name)
    assert (found.dtype, tuple(found.shape)) == (torch.uint8, (3, 40, 20))
    assert torch.equal(found, pillow(tmp_path / name))
    assert size_of(tmp_path / name) == (40, 20)


@pytest.mark.parametrize("kept", [0, 2, 30, 400, -30])
def test_a_damaged_file_is_refused(tmp_path: Path, kept: int):
    whole = io.BytesIO()
    picture(100, 60).save(whole, "JPEG", quality=95)
    file = tmp_path / "damaged.jpg"
    file.write_bytes(whole.getvalue()[:kept])
    with pytest.raises(ImageError, match=r"damaged\.jpg: ((?i:empty file|not an image|.*truncated))"):
        read_image(file)


# What EXIF's orientation asks for, by its own table: which corner row 0 and column 0 of the file belong to.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_an_image_is_turned_upright(tmp_path: Path, orientation: int, name: str):
    file = tmp_path / name
    picture().save(file, exif=turned(orientation))
    plain = tmp_path / f"plain-{name}"
    picture().save(plain)
    found = read_image(file)
    assert np.array_equal(found.permute(1, 2, 0).numpy(), UPRIGHT[orientation](np.array(Image.open(plain))))
    assert size_of(file) == tuple(found.shape[1:])


def content(image: Image.Image, format: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **how)
    return file.getvalue()


def declaring(width: int, height: int, format: str) -> bytes:
    """A small file whose header says it is large."""
    small = bytearray(content(picture(), format))
    if format == "PNG":
        small[16:24] = struct.pack(">II", width, height)
        small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    else:
        start = small.index(b"\xff\xc0") + 5
        small[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(small)


PARTS = [picture(seed=n) for n in range(3)]
DEEP = np.arange(800, dtype=np.uint16).reshape(40, 20) * 80


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not an image"),
        (b"PK\x03\x04" + bytes(40), "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
        (declaring(50_000, 50_000, "PNG"), "declares too many pixels; at most 67,108,864"),
        (declaring(50_000, 50_000, "JPEG"), "declares 50,000 x 50,000 pixels"),
        (declaring(9_000, 9_000, "PNG"), "declares 9,000 x 9,000 pixels"),
        (content(PARTS[0], "GIF", save_all=True, append_images=PARTS[1:]), "has 3 frames"),
        (content(PARTS[0], "PNG", save_all=True, append_images=PARTS[1:]), "has 3 frames"),
        (content(PARTS[0], "WEBP", save_all=True, append_images=PARTS[1:]), "has 3 frames"),
        (content(PARTS[0], "TIFF", save_all=True, append_images=PARTS[1:]), "has 3 frames"),
        (content(Image.fromarray(DEEP), "PNG"), "more than 8 bits"),
        (content(Image.fromarray(DEEP), "TIFF"), "more than 8 bits"),
        (content(Image.fromarray(DEEP.astype(np.float32)), "TIFF"), "more than 8 bits"),
    ],
    ids=lambda given: given.decode("latin-1")[:12] if isinstance(given, bytes) else given,
)
def test_what_is_no_image_to_use(given: bytes, reason: str):
    with pytest.raises(ImageError, match=reason):
        decode(given)


XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22"
XMP += (
    b"-rdf-syntax-ns#'><rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation=\"6\"/></rdf:RDF>"
)
XMP += b"</x:xmpmeta>"


@pytest.mark.parametrize("late", [False, True])
def test_whatever_says_how_it_is_turned_all_agree(tmp_path: Path, late: bool):
    """In XMP, or in EXIF behind other segments of 64 KiB."""
    plain = content(picture(), "JPEG", **({"exif": turned(6)} if late else {}))
    filler = b"\xff\xed" + struct.pack(">H", 65_000) + bytes(64_998)
    xmp = b"\xff\xe1" + struct.pack(">H", len(XMP) + 2) + XMP
    file = tmp_path / "a.jpg"
    file.write_bytes(plain[:2] + (2 * filler if late else xmp) + plain[2:])
    found = read_image(file)
    assert tuple(found.shape[1:]) == size_of(file) == (20, 40)
    assert torch.equal(found, images.upright(Image.open(file)))


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged metadata
def test_whatever_is_broken_is_an_image_error():
    """Bytes changed at random: an image comes out, or an error that says so."""
    random = np.random.default_rng(0)
    for format in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"):
        whole = np.frombuffer(content(picture(), format), np.uint8)
        for _ in range(60):
            broken = whole.copy()
            places = random.integers(0, min(len(broken), 200), 4)
            broken[places] = random.integers(0, 256, 4)
            with suppress(ImageError):
                assert decode(broken.tobytes(), 10**6).shape[0] == 3


def test_a_limit_of_its_own():
    assert decode(content(picture(), "PNG"), most_pixels=800).shape == (3, 40, 20)
    with pytest.raises(ImageError, match="declares 20 x 40 pixels; at most 799 are taken"):
        decode(content(picture(), "PNG"), most_pixels=799)


def test_a_photo_beside_its_preview():
    """What phones write as JPEG: the first image is meant."""
    photo = content(picture(), "MPO", save_all=True, append_images=PARTS[1:], quality=95)
    assert torch.equal(decode(photo), decode(content(picture(), "JPEG", quality=95)))
    upside_down = content(picture(), "MPO", save_all=True, append_images=PARTS[1:], exif=turned(3))
    assert decode(upside_down).shape == (3, 40, 20)


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
        image = read_image(file)
        assert torch.equal(image, pillow(file)), file
        expected = from_pillow(Image.open(file).convert("RGB").resize((128, 256), Filter.BILINEAR))
        assert torch.equal(resize(image, (256, 128), Filter.BILINEAR), expected), file
