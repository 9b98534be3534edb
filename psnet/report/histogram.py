"""How many queries have which average precision, as one inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from psnet.report import drawing
from psnet.report.drawing import BOTTOM, LEFT, TOP

BINS = 20
RIGHT = 422.0
"""Leaves room for half of the last label."""


def counts_of(values: Sequence[float]) -> list[int]:
    """Numbers of values in BINS equal parts of 0..1; a value between two belongs to the upper one, 1 to the last.

    >>> counts_of([0.0, 0.05, 0.07, 1.0])[:2], counts_of([1.0])[-1]
    ([1, 2], 1)
    """
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, math.floor(value * BINS + 1e-9))] += 1
    return counts


def count_ticks(most: int) -> list[int]:
    """Round numbers from 0 to `most` (at least 1) or just above, at most six.

    >>> count_ticks(7), count_ticks(316)
    ([0, 2, 4, 6, 8], [0, 100, 200, 300, 400])
    """
    step = next(s * 10**e for e in range(12) for s in (1, 2, 5) if s * 10**e * 5 >= most)
    return list(range(0, step * math.ceil(most / step) + 1, step))


def ap_svg(values: Sequence[float]) -> str:
    """Draw the histogram of average precisions, fractions in 0..1, and their mean.

    Returns:
        An `<svg>` element. Each part of 0..1 is a rect with `data-count`.

    Raises:
        ValueError: without a value.
    """
    if not values:
        raise ValueError("there is no average precision; leave the histogram out")
    counts = counts_of(values)
    mean = math.fsum(values) / len(values)
    lowest, highest = counts[0], counts[-1]
    label = (
        f"Average precision of {len(values)} queries, mean {100 * mean:.1f} %. "
        f"{lowest} lie below {100 / BINS:g} %, {highest} at {100 - 100 / BINS:g} % or above."
    )
    svg = drawing.canvas("histogram", BOTTOM + 42, "Average precision of the queries", label)
    ticks = count_ticks(max(counts))
    _draw_axes(svg, ticks)
    _draw_columns(svg, counts, ticks[-1])
    x = LEFT + (RIGHT - LEFT) * mean
    drawing.line(svg, "mean", x, TOP - 4, x, BOTTOM)
    after = mean < 0.75
    drawing.text(
        svg, f"mean {100 * mean:.1f} %", x + (6 if after else -6), TOP + 4, "start" if after else "end", "halo"
    )
    return drawing.finished(svg)


def _draw_axes(svg: ET.Element, ticks: Sequence[int]) -> None:
    for count in ticks:
        y = BOTTOM - (BOTTOM - TOP) * count / ticks[-1]
        drawing.line(svg, "axis" if count == 0 else "grid", LEFT, y, RIGHT, y)
        drawing.text(svg, str(count), LEFT - 7, y + 4, "end")
    for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x = LEFT + (RIGHT - LEFT) * fraction
        drawing.line(svg, "axis", x, BOTTOM, x, BOTTOM + 4)
        drawing.text(svg, f"{100 * fraction:.0f}", x, BOTTOM + 18, "middle")
    drawing.text(svg, "queries", 0, 12)
    drawing.text(svg, "average precision, %", RIGHT, BOTTOM + 34, "end")


def _draw_columns(svg: ET.Element, counts: Sequence[int], top: int) -> None:
    wide = (RIGHT - LEFT) / BINS
    for index, count in enumerate(counts):
        tall = (BOTTOM - TOP) * count / top
        places = {"x": LEFT + index * wide + 1, "y": BOTTOM - tall, "width": wide - 2, "height": tall}
        column = drawing.shape(svg, "rect", "bar s0", **places)
        column.set("data-count", str(count))
        where = f"AP {100 * index / BINS:g} to {100 * (index + 1) / BINS:g} %"
        ET.SubElement(column, "title").text = f"{where}: {count} {'query' if count == 1 else 'queries'}"
