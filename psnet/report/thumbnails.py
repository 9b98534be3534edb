"""Thumbnails of many images in few bytes: sprite sheets as data URIs, made one sheet at a time."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from itertools import islice

from PIL import Image, ImageOps, features

from psnet.report.browser import Sheet, Thumbnails
from psnet.report.content import Pixels, check_pixels

COLUMNS = 16
PER_SHEET = 256
"""Small enough to be decoded while one waits, large enough for the compression to share its tables."""

STEP, WIDEST, NARROWEST = 4, 96, 4
"""Widths are multiples of STEP, so that few of the codecs' blocks, of 8 and 16 pixels, mix two people."""

TYPICAL_BITS = 1.3
"""Per pixel, of photographs of people this small at QUALITIES near 28. From there on size shows more than quality."""

QUALITIES = (6, 10, 15, 21, 28, 36, 45, 55, 65, 75, 85)
FULL = 0.88
"""A sheet that takes this part of its bytes is not tried at the next quality, which would hardly ever fit."""

FIRST_LEVEL = 4
"""Of QUALITIES: where the search begins."""

FORMAT = "webp" if features.check("webp") else "jpeg"
"""Some systems' Pillow is built without WebP."""

FILL = (127, 127, 127)
"""Beside an image of another shape than the thumbnail."""


def make_thumbnails(images: Iterable[Pixels], number: int, budget: int, aspect: float = 2.0) -> Thumbnails:
    """One thumbnail of each image, all together within the budget.

    The size follows from number and budget, the quality of each sheet from its content. A sheet that is too large at
    the lowest quality gets smaller thumbnails. Images are asked for one by one, and only one sheet's thumbnails are
    held at a time.

    Args:
        images: uint8 RGB, (height, width, 3), of any sizes; each is fitted in whole.
        number: how many they are.
        budget: bytes that the data URIs may take on the page, Base64 included.
        aspect: height / width of the thumbnails.

    Raises:
        ValueError: there are more or fewer images than `number`, one is no image, or the budget is too small.
    """
    if number < 1:
        raise ValueError("there is no image to make a thumbnail of; leave the thumbnails out")
    size = thumbnail_size(number, budget, aspect)
    cells = (_shrunk(image, size, index) for index, image in enumerate(images))
    sheets: list[Sheet] = []
    done, left, level = 0, budget, FIRST_LEVEL
    while part := list(islice(cells, PER_SHEET)):
        if done + len(part) > number:
            raise ValueError(f"there are more images than number={number}")
        share = left * len(part) // (number - done)
        sheet, level = _fitting_sheet(part, share, level)
        sheets.append(sheet)
        done, left = done + len(part), left - len(sheet.uri)
    if done < number:
        raise ValueError(f"there are {done} images, and number={number}")
    return Thumbnails(tuple(sheets))


def thumbnail_size(number: int, budget: int, aspect: float = 2.0) -> tuple[int, int]:
    """(width, height) at which `number` photographs are likely to fit.

    >>> thumbnail_size(18_000, 4_500_000), thumbnail_size(200, 4_500_000)
    ((24, 48), (96, 192))
    """
    bits = 8 * 0.75 * budget / number  # Base64 makes four bytes of three
    width = math.sqrt(max(0.0, bits) / TYPICAL_BITS / aspect)
    wide = max(STEP, min(WIDEST, round(width / STEP) * STEP))
    return wide, max(1, round(wide * aspect))


def _shrunk(image: Pixels, size: tuple[int, int], index: int) -> Image.Image:
    check_pixels(image, f"image {index}")
    return ImageOps.pad(Image.fromarray(image), size, Image.Resampling.LANCZOS, FILL)


def _fitting_sheet(cells: list[Image.Image], share: int, level: int) -> tuple[Sheet, int]:
    """The best sheet of at most `share` bytes, and its level of QUALITIES; `level` is where to begin."""
    while True:
        sheet, level = _best_quality(cells, share, level)
        if sheet is not None:
            return sheet, level
        width, height = cells[0].size
        if width <= NARROWEST or height <= NARROWEST:
            raise ValueError(
                f"{len(cells)} thumbnails of {width} x {height} pixels do not fit in {share} bytes; "
                "give a larger budget, or no thumbnails"
            )
        smaller = max(1, width * 3 // 4), max(1, height * 3 // 4)
        cells = [cell.resize(smaller, Image.Resampling.LANCZOS) for cell in cells]


def _best_quality(cells: list[Image.Image], share: int, level: int) -> tuple[Sheet | None, int]:
    """From `level` up while it fits, or down until it does; no sheet where the lowest is too large."""
    sheet = _sheet(cells, QUALITIES[level])
    if len(sheet.uri) > share:
        return _best_quality(cells, share, level - 1) if level else (None, FIRST_LEVEL)
    while level + 1 < len(QUALITIES) and len(sheet.uri) < FULL * share:
        better = _sheet(cells, QUALITIES[level + 1])
        if len(better.uri) > share:
            break
        sheet, level = better, level + 1
    return sheet, level


def _sheet(cells: list[Image.Image], quality: int) -> Sheet:
    width, height = cells[0].size
    columns = min(COLUMNS, len(cells))
    whole = Image.new("RGB", (columns * width, math.ceil(len(cells) / columns) * height))
    for index, cell in enumerate(cells):
        whole.paste(cell, (index % columns * width, index // columns * height))
    buffer = io.BytesIO()
    whole.save(buffer, FORMAT, quality=quality)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Sheet(f"data:image/{FORMAT};base64,{data}", width, height, columns, len(cells))
