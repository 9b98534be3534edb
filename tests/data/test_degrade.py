"""Down-sampling and its company: sizes, strengths, and bytes that never change."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from psnet.data.degrade import INTERPOLATIONS, degrade, steps_of
from psnet.data.samples import DataError


def pattern() -> Image.Image:
    """48 x 128, without a random generator."""
    y, x = np.mgrid[0:128, 0:48]
    pixels = np.stack([x * 5 % 256, y * 3 % 256, (x * y) % 251], axis=2).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("rate", "size"), [(2, (24, 64)), (3, (16, 43)), (4, (12, 32)), (1, (48, 128)), (200, (1, 1))])
def test_size(rate: float, size: tuple[int, int]):
    assert degrade(pattern(), rate, "bicubic").size == size


def test_box_by_a_whole_rate_is_the_mean():
    pixels = np.asarray(pattern(), dtype=float)
    expected = pixels.reshape(32, 4, 12, 4, 3).mean(axis=(1, 3))
    found = np.asarray(degrade(pattern(), 4, "box"), dtype=float)
    assert np.abs(found - expected).max() <= 1  # Pillow rounds after each of its two passes


def test_every_filter_but_nearest_avoids_aliasing():
    stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (64, 16)))  # one pixel wide
    for name in set(INTERPOLATIONS) - {"nearest"}:
        inner = np.asarray(degrade(stripes, 4, name), dtype=float)[4:-4, 2:-2]
        assert np.abs(inner - 127.5).max() < 12, name
    assert set(np.unique(np.asarray(degrade(stripes, 4, "nearest")))) <= {0, 255}


def test_bytes_are_those_written_down_here():
    """Seen with Pillow 13 on x86-64. Another result elsewhere would break "same seed, same bytes"."""
    digests = {
        name: hashlib.sha256(degrade(pattern(), 3, name).tobytes()).hexdigest()[:16] for name in sorted(INTERPOLATIONS)
    }
    steps = ("blur(0.3) bicubic", "blur(1.31) bicubic", "bicubic noise(5.2,8812345)")
    digests |= {text: hashlib.sha256(degrade(pattern(), 3, text).tobytes()).hexdigest()[:16] for text in steps}
    assert digests == KNOWN


KNOWN = {
    "blur(0.3) bicubic": "f8848825ea929b96",
    "blur(1.31) bicubic": "c837ba53df237121",
    "bicubic noise(5.2,8812345)": "1383a960c5352910",
    "bicubic": "8029cd8d71350a9d",
    "bilinear": "89d807dfe3477a34",
    "box": "bc1e64309f2d2a9f",
    "lanczos": "648f8e0dd945e1b9",
    "nearest": "c7208f7cbc68dbde",
}


# What else a poor camera does; rate 1 and the filter nearest leave an image as it is


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=float)


def alone(step: str, image: Image.Image) -> Image.Image:
    return degrade(image, 1, f"{step} nearest")


def test_the_order_is_kept():
    steps = ["blur(1.31)", "bicubic", "noise(5.2,8812345)", "jpeg(63)"]
    seen = {degrade(pattern(), 3, " ".join(order)).tobytes() for order in (steps, steps[::-1], steps[1:] + steps[:1])}
    assert len(seen) == 3
    by_hand = alone("jpeg(63)", degrade(alone("blur(1.31)", pattern()), 3, "bicubic noise(5.2,8812345)"))
    assert degrade(pattern(), 3, " ".join(steps)).tobytes() == by_hand.tobytes()
    assert all(degrade(pattern(), 3, " ".join(order)).size == (16, 43) for order in (steps, steps[::-1]))


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.4, 2.8])
def test_blur_is_gaussian(sigma: float):
    """Against a plain convolution with the Gaussian itself; Pillow nears it by boxes."""
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[:, 20:44] = 240
    reach = np.arange(-12, 13)
    kernel = np.exp(-(reach**2) / (2 * sigma**2))
    row = np.convolve(lines[0, :, 0].astype(float), kernel / kernel.sum(), mode="same")
    found = pixels(alone(f"blur({sigma})", Image.fromarray(lines)))
    assert np.abs(found[32, :, 0] - row).max() < 0.04 * 240
    assert np.array_equal(found[32], found[5])  # nothing happens along the lines


def test_noise_has_the_strength_it_says():
    grey = Image.new("RGB", (300, 400), (128, 128, 128))
    noise = pixels(alone("noise(5.2,7)", grey)) - 128
    n = noise.size
    assert abs(noise.mean()) < 4 * 5.2 / n**0.5
    assert noise.std() == pytest.approx((5.2**2 + 1 / 12) ** 0.5, rel=4 / (2 * n) ** 0.5)  # 1/12: of rounding
    shares = [(np.abs(noise) <= bound).mean() for bound in (5, 10)]
    expected = [0.7099, 0.9565]  # of a normal variable within (bound + 0.5) / 5.2
    assert shares == pytest.approx(expected, abs=0.005)


def test_noise_is_independent_and_of_its_seed():
    grey = Image.new("RGB", (300, 400), (128, 128, 128))
    one, again, other = (pixels(alone(f"noise(5,{seed})", grey)) - 128 for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    shifted = [(one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one[..., 0], one[..., 1]), (one, other)]
    for a, b in shifted:
        assert abs((a * b).mean()) / 25 < 4 / a.size**0.5


def test_noise_is_cut_and_not_wrapped():
    black, white = (Image.new("RGB", (40, 40), (v, v, v)) for v in (0, 255))
    assert pixels(alone("noise(8,1)", black)).max() < 60
    assert pixels(alone("noise(8,1)", white)).min() > 195
    assert np.array_equal(pixels(alone("noise(0,1)", pattern())), pixels(pattern()))


LUMINANCE = """
16 11 10 16  24  40  51  61    12 12 14 19  26  58  60  55    14 13 16 24  40  57  69  56    14 17 22 29  51  87  80  62
18 22 37 56  68 109 103  77    24 35 55 64  81 104 113  92    49 64 78 87 103 121 120 101    72 92 95 98 112 100 103  99
"""
"""Of the JPEG standard (ITU-T T.81, table K.1), the steps of quality 50."""


@pytest.mark.parametrize("quality", [50, 63, 95])
def test_jpeg_is_what_the_standard_says(quality: int):
    """Grey blocks of 8 x 8: cosines, divided by the table, rounded, and back."""
    grey = np.asarray(pattern())[:, :, 2]
    table = np.array(LUMINANCE.split(), dtype=float).reshape(8, 8)
    steps = np.floor((table * (200 - 2 * quality) + 50) / 100).clip(1)
    n, k = np.meshgrid(np.arange(8), np.arange(8))
    cosines = np.cos((2 * n + 1) * k * np.pi / 16) * np.where(k == 0, 1 / 8, 1 / 4) ** 0.5
    blocks = grey.reshape(16, 8, 6, 8).swapaxes(1, 2) - 128.0
    kept = np.rint(cosines @ blocks @ cosines.T / steps) * steps
    expected = (cosines.T @ kept @ cosines + 128).swapaxes(1, 2).reshape(128, 48).clip(0, 255)
    found = pixels(alone(f"jpeg({quality})", Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2))))
    assert (np.abs(found - expected[..., None]) <= 2).mean() > 0.9  # a near tie, rounded the other way, moves its block
    assert np.abs(expected - grey).mean() > 1


def test_jpeg_halves_colour():
    """Stripes of one pixel, equally bright, are gone; stripes of brightness stay."""
    stripes = np.arange(48)[None, :, None] % 2 == 0
    colour = np.where(stripes, [200, 60, 100], [76, 123, 102]) + np.zeros((64, 1, 1))  # Y is 106 of both
    light = np.where(stripes, 90, 150) + np.zeros((64, 1, 3))
    for image, kept in ((colour, 0.1), (light, 0.9)):
        found = pixels(alone("jpeg(95)", Image.fromarray(image.astype(np.uint8))))
        contrast = np.abs(np.diff(found[:, :, 0], axis=1)).mean() / np.abs(np.diff(image[:, :, 0], axis=1)).mean()
        assert contrast == pytest.approx(round(kept), abs=0.2)


@pytest.mark.parametrize(("sigma", "kept"), [(0.1, 0.97), (0.7, 0.31)])
def test_what_blur_leaves_of_the_finest_pattern(sigma: float, kept: float):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 240
    found = pixels(alone(f"blur({sigma})", Image.fromarray(stripes)))[20:44, 20:44]
    assert (found.max() - found.min()) / 240 == pytest.approx(kept, abs=0.01)


def test_images_of_a_few_pixels():
    tiny = Image.new("RGB", (5, 3), (9, 99, 199))
    assert degrade(tiny, 8, "blur(5.60) jpeg(50) bicubic noise(8.0,1)").size == (1, 1)
    assert degrade(tiny, 8, "bicubic noise(8.0,1) jpeg(50) blur(0.70)").size == (1, 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bicubic sharpen(2)", "'sharpen(2)', which is unknown; known are blur(SIGMA), noise(SIGMA,SEED)"),
        ("cubic", "'cubic', which is unknown"),
        ("bicubic  jpeg(63)", "'', which is unknown"),
        ("", "'', which is unknown"),
        ("bicubic blur", "'blur', which is unknown"),
        ("bicubic blur(-1)", "'blur(-1)', which is unknown"),
        ("bicubic noise(5.2)", "'noise(5.2)', which is unknown"),
        ("bicubic noise(5.2,1.5)", "'noise(5.2,1.5)', which is unknown"),
        ("bicubic jpeg(101)", "'jpeg(101)', which is unknown"),
        ("bicubic jpeg(0)", "'jpeg(0)', which is unknown"),
        ("Bicubic", "'Bicubic', which is unknown"),
        ("blur(1.31)", "must down-sample once"),
        ("bicubic blur(1) box", "must down-sample once"),
    ],
)
def test_what_nobody_can_make_is_named(text: str, fault: str):
    with pytest.raises(DataError, match=rf"degradation {re.escape(repr(text))} .*{re.escape(fault)}"):
        steps_of(text)
