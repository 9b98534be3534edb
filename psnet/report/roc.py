"""The ROC curves as one inline SVG: true accept rate against false accept rate, which has a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from psnet.report import drawing
from psnet.report.drawing import BOTTOM, LEFT, RIGHT, y_of
from psnet.report.points import Roc

TABLE_RATES = (1e-4, 1e-3, 1e-2, 1e-1)
"""False accept rates of the table; a dot stands on the curve there."""

LEAST_DECADE, FIRST_DECADE = -7, -4
"""The axis begins at 1e-4, or earlier where a curve does, but not before 1e-7."""


def first_decade(curves: Mapping[str, Roc]) -> int:
    """Power of ten at which the axis begins."""
    least = min((far for roc in curves.values() for far in roc.far if far > 0), default=1.0)
    return max(LEAST_DECADE, min(FIRST_DECADE, math.floor(math.log10(least) + 1e-9)))


def x_of(far: float, decade: int) -> float:
    """Horizontal place of a false accept rate on an axis from 10 ** decade to 1."""
    return RIGHT + (LEFT - RIGHT) * math.log10(far) / decade


def roc_svg(curves: Mapping[str, Roc]) -> str:
    """Draw the curves.

    Returns:
        An `<svg>` element. Each curve is a polyline with `data-name`; what lies before the axis' begin is not drawn.

    Raises:
        ValueError: without a curve.
    """
    if not curves:
        raise ValueError("no ROC curve is given; leave the drawing out")
    decade = first_decade(curves)
    told = [
        f"{name}: TAR " + ", ".join(f"{100 * tar:.1f} % at FAR {far:g}" for far, tar in sorted(roc.tar_at.items()))
        for name, roc in curves.items()
        if roc.tar_at
    ]
    label = "; ".join(["ROC curves: true accept rate against false accept rate", *told]) + "."
    height = drawing.height_with_legend(len(curves))
    svg = drawing.canvas("roc", height, "Receiver operating characteristic", label)
    _draw_axes(svg, decade)
    for index, (name, roc) in reversed(list(enumerate(curves.items()))):
        drawing.curve(svg, index, name, _places(roc, decade))
        _draw_dots(svg, index, name, roc, decade)
    drawing.legend(svg, curves)
    return drawing.finished(svg)


def _draw_axes(svg: ET.Element, decade: int) -> None:
    drawing.percent_axis(svg, "true accept rate, % of pairs of one person")
    for power in range(decade, 1):
        x = x_of(10.0**power, decade)
        drawing.line(svg, "grid", x, drawing.TOP, x, BOTTOM)
        drawing.line(svg, "axis", x, BOTTOM, x, BOTTOM + 4)
        ten = drawing.text(svg, "1" if power == 0 else "10", x, BOTTOM + 18, "middle")
        if power:
            ET.SubElement(ten, "tspan", {"dy": "-5", "class": "power"}).text = f"\N{MINUS SIGN}{-power}"
    drawing.text(svg, "false accept rate", RIGHT, BOTTOM + 34, "end")


def _places(roc: Roc, decade: int) -> list[tuple[float, float]]:
    """The points on the axis; what was reached before it begins stands on its left edge."""
    start = 10.0**decade
    points = [(far, tar) for far, tar in zip(roc.far, roc.tar, strict=True) if far >= start * (1 - 1e-9)]
    before = [tar for far, tar in zip(roc.far, roc.tar, strict=True) if far < start * (1 - 1e-9)]
    edge = [(LEFT, y_of(before[-1]))] if before else []
    return edge + [(x_of(far, decade), y_of(tar)) for far, tar in points]


def _draw_dots(svg: ET.Element, index: int, name: str, roc: Roc, decade: int) -> None:
    for far in TABLE_RATES:
        if far in roc.tar_at:
            tar = roc.tar_at[far]
            css = f"s{index % drawing.STYLES}"
            dot = drawing.shape(svg, "circle", css, cx=x_of(far, decade), cy=y_of(tar), r=3)
            ET.SubElement(dot, "title").text = f"{name}: TAR {100 * tar:.1f} % at FAR {far:g}"
