"""Bars of Rank-1 and mAP by group of queries, with error bars, as one inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from psnet.report import drawing, terms
from psnet.report.content import GroupRow

SHOWN = ("rank1", "mAP")
"""What is drawn, where it is known."""

LEFT, RIGHT = 92.0, 396.0
"""Of the axis; group labels stand on its left, figures may stand on its right."""

TOP, THICK, BETWEEN_BARS, BETWEEN_GROUPS = 12.0, 13.0, 3.0, 14.0
LONGEST_LABEL = 13


def x_of(fraction: float) -> float:
    """Horizontal place of a fraction in 0..1. The axis always runs from 0 to 100 %."""
    return LEFT + (RIGHT - LEFT) * fraction


def bars_svg(rows: Sequence[GroupRow], title: str) -> str:
    """Draw a group of bars for each row.

    Returns:
        An `<svg>` element. Each bar is a rect with `data-name` (the row's label) and `data-metric`; its interval is a
        path with class "whisker". Empty where no row has a figure of `SHOWN`.
    """
    keys = [key for key in SHOWN if any(key in row.metrics for row in rows)]
    if not keys:
        return ""
    pitch = len(keys) * (THICK + BETWEEN_BARS) + BETWEEN_GROUPS
    bottom = TOP + pitch * len(rows)
    told = "; ".join(f"{row.label}: {_told(row, keys)}" for row in rows)
    svg = drawing.canvas("bars", bottom + 62, title, f"{title}. {told}.")
    _draw_axis(svg, bottom)
    for index, row in enumerate(rows):
        _draw_group(svg, row, keys, TOP + BETWEEN_GROUPS / 2 + pitch * index)
    x = LEFT
    for index, key in enumerate(keys):
        drawing.shape(svg, "rect", f"bar s{index}", x=x, y=bottom + 43, width=14, height=THICK)
        drawing.text(svg, terms.term(key), x + 21, bottom + 54)
        x += 96
    return drawing.finished(svg)


def _told(row: GroupRow, keys: Sequence[str]) -> str:
    return ", ".join(f"{terms.term(key)} {terms.percent(row.metrics[key])} %" for key in keys if key in row.metrics)


def _draw_axis(svg: ET.Element, bottom: float) -> None:
    for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x = x_of(fraction)
        drawing.line(svg, "axis" if fraction == 0 else "grid", x, TOP, x, bottom)
        drawing.text(svg, f"{100 * fraction:.0f}", x, bottom + 17, "middle")
    drawing.text(svg, "%", RIGHT + 22, bottom + 17, "middle")


def _draw_group(svg: ET.Element, row: GroupRow, keys: Sequence[str], top: float) -> None:
    middle = top + len(keys) * (THICK + BETWEEN_BARS) / 2
    drawing.named(svg, row.label, LEFT - 10, middle + 3, "end", LONGEST_LABEL)
    for index, key in enumerate(keys):
        if key in row.metrics:
            _draw_bar(svg, row, key, index, top + index * (THICK + BETWEEN_BARS))


def _draw_bar(svg: ET.Element, row: GroupRow, key: str, index: int, y: float) -> None:
    value = row.metrics[key]
    low, high = row.intervals.get(key, (value, value))
    places = {"x": LEFT, "y": y, "width": x_of(value) - LEFT, "height": THICK}
    bar = drawing.shape(svg, "rect", f"bar s{index}", **places)
    bar.set("data-name", row.label)
    bar.set("data-metric", key)
    ET.SubElement(bar, "title").text = f"{row.label}: {_told(row, [key])}"
    if key in row.intervals:
        left, right = drawing.number(x_of(low)), drawing.number(x_of(high))
        ends = f"M{left} {drawing.number(y + 3)}V{drawing.number(y + THICK - 3)}"
        ends += f"M{left} {drawing.number(y + THICK / 2)}H{right}"
        ends += f"M{right} {drawing.number(y + 3)}V{drawing.number(y + THICK - 3)}"
        for css in ("under", "whisker"):  # a rim, so that it is seen on the bar as well
            ET.SubElement(svg, "path", {"class": css, "d": ends})
    drawing.text(svg, terms.percent(value), x_of(max(value, high)) + 6, y + THICK - 2.5)
