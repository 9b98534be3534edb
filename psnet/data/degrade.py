"""Pixels of low images: down-sampling by a rate, and what else a poor camera does.

A degradation is a text, as it stands in the manifest: its steps in order, one of them the down-sampling.

>>> degrade(Image.new("RGB", (64, 128)), 3, "bicubic").size
(21, 43)
>>> degrade(Image.new("RGB", (64, 128)), 3, "blur(1.31) bicubic noise(5.2,8812345) jpeg(63)").size
(21, 43)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from psnet.data.samples import DataError

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's filters; all but nearest widen with the rate, that is, they do not alias. Pillow computes them on 8-bit
images in fixed point, so their result does not depend on the machine."""

QUALITIES = range(1, 101)
"""Of JPEG, as libjpeg counts them."""

_NUMBER = r"\d+(?:\.\d+)?"
_STEP = re.compile(
    rf"blur\((?P<blur>{_NUMBER})\)|noise\((?P<noise>{_NUMBER}),(?P<seed>\d+)\)|jpeg\((?P<jpeg>\d+)\)"
    rf"|(?P<filter>{'|'.join(INTERPOLATIONS)})"
)
_KNOWN = f"blur(SIGMA), noise(SIGMA,SEED), jpeg(QUALITY), and once one of {', '.join(INTERPOLATIONS)}"


def degrade(image: Image.Image, rate: float, degradation: str) -> Image.Image:
    """The image at (width / rate, height / rate), rounded, at least one pixel each way, after all steps.

    Args:
        degradation: steps separated by blanks. NAME: down-sampling by a filter of `INTERPOLATIONS`. blur(SIGMA):
            Gaussian, in pixels of the image at that step. noise(SIGMA,SEED): see `add_noise`. jpeg(QUALITY): see
            `compress`.

    Raises:
        DataError: a step is unknown, or the text does not down-sample once.
    """
    for step in steps_of(degradation, rate):
        image = step(image)
    return image


def steps_of(degradation: str, rate: float = 1) -> list[Callable[[Image.Image], Image.Image]]:
    """What a text says, as functions. Raises: see `degrade`."""
    matches = [(text, _STEP.fullmatch(text)) for text in degradation.split(" ")]
    for text, match in matches:
        if match is None or (match["jpeg"] and int(match["jpeg"]) not in QUALITIES):
            raise DataError(f"degradation {degradation!r} has the step {text!r}, which is unknown; known are {_KNOWN}")
    found = [match for _, match in matches if match is not None]
    if sum(match["filter"] is not None for match in found) != 1:
        raise DataError(f"degradation {degradation!r} must down-sample once; its steps are {_KNOWN}")
    return [_step(match, rate) for match in found]


def _step(match: re.Match[str], rate: float) -> Callable[[Image.Image], Image.Image]:
    if match["filter"]:
        return partial(down_sample, rate=rate, interpolation=match["filter"])
    if match["blur"]:
        return partial(blur, sigma=float(match["blur"]))
    if match["noise"]:
        return partial(add_noise, sigma=float(match["noise"]), seed=int(match["seed"]))
    return partial(compress, quality=int(match["jpeg"]))


def down_sample(image: Image.Image, rate: float, interpolation: str) -> Image.Image:
    size = (max(1, round(image.width / rate)), max(1, round(image.height / rate)))
    return image.resize(size, INTERPOLATIONS[interpolation])


def blur(image: Image.Image, sigma: float) -> Image.Image:
    """Pillow's Gaussian blur: three box filters in fixed point, rounded to bytes after each."""
    return image.filter(ImageFilter.GaussianBlur(sigma))


def add_noise(image: Image.Image, sigma: float, seed: int) -> Image.Image:
    """Independent noise on every value, normal but for its ends (none beyond 6 sigma), rounded and cut to 0..255.

    The same on every machine and in every version of NumPy, which keeps the raw numbers of PCG64 as they are but not
    what its `Generator` makes of them. So a normal number is made here: the sum of 12 uniform ones, in integers.

    Args:
        sigma: standard deviation, in grey levels of 255.
    """
    pixels = np.asarray(image)
    raw = np.random.PCG64(seed).random_raw(3 * pixels.size)  # 64 bits each: four of the twelve
    uniform = raw.astype("<u8").view("<u2").reshape(-1, 12).astype(np.int64)
    normal = (uniform.sum(axis=1) - 6 * 65535) / 65536  # 12 (65536^2 - 1) / 12 is the variance of the sum
    noisy = np.rint(pixels + sigma * normal.reshape(pixels.shape))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def compress(image: Image.Image, quality: int) -> Image.Image:
    """What JPEG leaves of it: baseline, colour at half the size (4:2:0), as cameras write it.

    The one step that rests on a library which may differ: on the libjpeg that Pillow was built with. Pillow's wheels
    bring libjpeg-turbo, whose integer transform is the default and the same on all machines; with another libjpeg, or
    another major version of it, single values may differ by a few levels.
    """
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as compressed:
        return compressed.convert(image.mode)
