"""Thumbnails: the right picture in each cell, all of them within the budget."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from psnet.report import (
    BrowsedEntry,
    BrowsedImage,
    BrowsedQuery,
    Browser,
    Report,
    Thumbnails,
    make_thumbnails,
    render,
    room_for_thumbnails,
)
from psnet.report.content import Pixels
from psnet.report.page import PAGE_BYTES
from psnet.report.thumbnails import PER_SHEET, thumbnail_size
from tests.report.examples import colour_of, decode, picture, ranked_list


def cells(thumbnails: Thumbnails) -> list[Pixels]:
    found = []
    for sheet in thumbnails.sheets:
        image = decode(sheet.uri)
        for cell in range(sheet.count):
            top, left = cell // sheet.columns * sheet.height, cell % sheet.columns * sheet.width
            found.append(image[top : top + sheet.height, left : left + sheet.width])
    return found


def weight(thumbnails: Thumbnails) -> int:
    return sum(len(sheet.uri) for sheet in thumbnails.sheets)


@pytest.mark.parametrize("number", [1, 15, 16, 17, PER_SHEET, PER_SHEET + 1])
def test_each_cell_shows_its_image(number: int) -> None:
    rng = np.random.default_rng(0)
    sizes = [(int(h), int(h) // 2) for h in rng.integers(20, 300, number)]
    images = (np.full((*size, 3), colour_of(k), np.uint8) for k, size in enumerate(sizes))
    made = make_thumbnails(images, number, 300_000)
    found = cells(made)
    assert len(found) == made.count == number
    for k, cell in enumerate(found):
        assert np.abs(cell[2:-2, 2:-2].astype(int).mean((0, 1)) - colour_of(k)).max() < 12, k


def test_another_shape_is_shown_whole() -> None:
    wide = np.full((40, 120, 3), (250, 20, 20), np.uint8)
    (cell,) = cells(make_thumbnails([wide], 1, 100_000))
    red = (cell[..., 0] > 200) & (cell[..., 1] < 60)
    rows, columns = np.nonzero(red)
    assert np.ptp(columns) + 1 >= cell.shape[1] - 2
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(3, rel=0.1)
    assert rows.min() - 0 == pytest.approx(cell.shape[0] - 1 - rows.max(), abs=2)


def test_noise_keeps_the_budget_too() -> None:
    """Noise takes many times the bytes of a photograph, so the thumbnails get smaller than their number lets expect."""
    number, budget = 100, 46_000
    made = make_thumbnails((picture(64, 32, seed) for seed in range(number)), number, budget)
    assert weight(made) <= budget
    assert made.count == number
    assert made.sheets[0].width < thumbnail_size(number, budget)[0]


def test_fewer_images_are_larger() -> None:
    sizes = [thumbnail_size(number, 4_000_000) for number in (10, 1_000, 5_000, 20_000, 10_000_000)]
    assert sizes[0] == (96, 192)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) >= 4
    assert thumbnail_size(10, 4_000_000, aspect=1.5) == (96, 144)


def test_images_are_not_kept() -> None:
    living: list[weakref.ref[Pixels]] = []
    most = 0

    def images() -> Iterator[Pixels]:
        nonlocal most
        for k in range(40):
            image = picture(64, 32, k)
            living.append(weakref.ref(image))
            most = max(most, sum(ref() is not None for ref in living))
            yield image
            del image

    make_thumbnails(images(), 40, 200_000)
    assert most <= 3


def test_what_is_refused() -> None:
    image = picture(8, 4)
    with pytest.raises(ValueError, match="more images than number=1"):
        make_thumbnails([image, image], 1, 10_000)
    with pytest.raises(ValueError, match="there are 1 images, and number=2"):
        make_thumbnails([image], 2, 10_000)
    with pytest.raises(ValueError, match="no image to make a thumbnail of"):
        make_thumbnails([], 0, 10_000)
    with pytest.raises(ValueError, match=r"40 thumbnails .* do not fit in 50 bytes; give a larger budget"):
        make_thumbnails([image] * 40, 40, 50)
    with pytest.raises(ValueError, match="image 1 has shape"):
        make_thumbnails([image, image[..., :1]], 2, 10_000)


def people(number: int) -> Iterator[Pixels]:
    """Something like people, each different: smooth, with edges, and the grain of a photograph."""
    grain = np.random.default_rng(0).normal(0, 20, (64, 32 + 64))
    rows, columns = np.mgrid[0:64, 0:32]
    for k in range(number):
        base = 110 + 50 * np.sin(rows / (4 + k % 7)) + 40 * np.cos(columns / (3 + k % 5) + k)
        body = (np.abs(columns - 16) < 7) & (rows > 12)
        shades = [np.where(body, (37 * k * (c + 1)) % 256, base + 20 * c) for c in range(3)]
        own = grain[:, k % 64 : k % 64 + 32, None]
        yield (np.stack(shades, axis=-1) + own).clip(0, 255).astype(np.uint8)


@pytest.mark.slow
def test_a_page_of_a_large_evaluation_stays_below_its_limit() -> None:
    queries, gallery = 3_000, 12_000
    name = "bounding_box_test/{:04d}_c{}s1_{:06d}_00.jpg".format
    images = [BrowsedImage(k, name(k % 751, k % 6, k), k % 751, k % 6) for k in range(queries + gallery)]
    made = []
    for k in range(queries):
        order = [queries + (4 * k + 1_201 * rank) % gallery for rank in range(10)]
        made.append(BrowsedQuery(k, 2.0, 0.1, 11, 17, [BrowsedEntry(i, 0.8123, False) for i in order]))
    lists = {"worst": [ranked_list(str(k)) for k in range(9)]}
    report = Report("large", ranked=lists, browser=Browser(made, images))
    room = room_for_thumbnails(report)
    thumbnails = make_thumbnails(people(len(images)), len(images), room)
    assert {(sheet.width, sheet.height) for sheet in thumbnails.sheets} == {thumbnail_size(len(images), room)}
    page = render(replace(report, browser=Browser(made, images, thumbnails)))
    assert 0.8 * PAGE_BYTES < len(page.encode()) < PAGE_BYTES == 10_000_000
