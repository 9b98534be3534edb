"""The CMC curves as one inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from psnet.report import drawing
from psnet.report.drawing import BOTTOM, LEFT, RIGHT, y_of
from psnet.report.points import Band

MARKED_RANKS = (1, 5, 10, 20)
"""The ranks of the table of results: a dot stands on the curve there."""


def x_of(rank: float, last_rank: int) -> float:
    """Horizontal place of a rank; rank 1 stands on the left edge, last_rank (at least 2) on the right one."""
    return LEFT + (RIGHT - LEFT) * (rank - 1) / (last_rank - 1)


def rank_ticks(last_rank: int) -> list[int]:
    """At most nine ranks worth naming: 1, 5, 10, then round steps.

    >>> rank_ticks(50), rank_ticks(3)
    ([1, 5, 10, 20, 30, 40, 50], [1, 2, 3])
    """
    if last_rank <= 5:
        return list(range(1, last_rank + 1))
    step = next(s * 10**e for e in range(12) for s in (1, 2, 5) if s * 10**e * 6 >= last_rank)
    early = [1, 5] if step == 10 else [1]
    return early + [r for r in range(step, last_rank + 1, step) if r > early[-1]]


def check_cmc(curves: Mapping[str, Sequence[float]]) -> None:
    """Raises ValueError for an empty curve, a value outside 0..1 and a curve that falls."""
    for name, curve in curves.items():
        if len(curve) == 0:
            raise ValueError(f"the CMC curve {name!r} is empty; leave it out")
        before = 0.0
        for rank, value in enumerate(curve, start=1):
            if not 0 <= value <= 1 + 1e-9:
                raise ValueError(f"CMC curve {name!r}: {value} at rank {rank}; give fractions in 0..1")
            if value < before - 1e-9:
                raise ValueError(
                    f"CMC curve {name!r} falls from {before} to {value} at rank {rank}; "
                    "give the share of queries with a hit at this rank or before"
                )
            before = value


def cmc_svg(curves: Mapping[str, Sequence[float]], bands: Mapping[str, Band] | None = None) -> str:
    """Draw the curves.

    Args:
        curves: for each name the fractions of queries with a hit at rank 1, 2, 3, ... or before; lengths may
            differ.
        bands: drawn behind the curves, by their names; as long as their curve.

    Returns:
        An `<svg>` element. Each curve is a polyline with `data-name`, one point per rank; each band a polygon with
        it, its lower edge from left to right and then the upper one back.

    Raises:
        ValueError: without a curve, and as `check_cmc` does.
    """
    if not curves:
        raise ValueError("no CMC curve is given; leave the drawing out")
    check_cmc(curves)
    last_rank = max(2, *(len(curve) for curve in curves.values()))
    first = "; ".join(f"{name}: {100 * curve[0]:.1f} % at rank 1" for name, curve in curves.items())
    label = f"CMC curves up to rank {last_rank}. {first}."
    height = drawing.height_with_legend(len(curves))
    svg = drawing.canvas("cmc", height, "Cumulative matching characteristic", label)
    _draw_axes(svg, last_rank)
    for index, name in enumerate(curves):
        if bands and name in bands:
            _draw_band(svg, index, name, bands[name], last_rank)
    for index, (name, curve) in reversed(list(enumerate(curves.items()))):  # the first lies on top
        _draw_curve(svg, index, name, curve, last_rank)
    drawing.legend(svg, curves)
    return drawing.finished(svg)


def _draw_axes(svg: ET.Element, last_rank: int) -> None:
    drawing.percent_axis(svg, "% of queries with a hit at rank k or before")
    for rank in rank_ticks(last_rank):
        x = x_of(rank, last_rank)
        drawing.line(svg, "axis", x, BOTTOM, x, BOTTOM + 4)
        drawing.text(svg, str(rank), x, BOTTOM + 18, "middle")
    drawing.text(svg, "rank k", RIGHT, BOTTOM + 34, "end")


def _places(curve: Sequence[float], last_rank: int) -> list[tuple[float, float]]:
    return [(x_of(rank, last_rank), y_of(value)) for rank, value in enumerate(curve, start=1)]


def _draw_band(svg: ET.Element, index: int, name: str, band: Band, last_rank: int) -> None:
    around = _places(band.low, last_rank) + _places(band.high, last_rank)[::-1]
    css = f"band s{index % drawing.STYLES}"
    ET.SubElement(svg, "polygon", {"class": css, "data-name": name, "points": drawing.points(around)})


def _draw_curve(svg: ET.Element, index: int, name: str, curve: Sequence[float], last_rank: int) -> None:
    places = _places(curve, last_rank)
    drawing.curve(svg, index, name, places)
    for rank in (rank for rank in MARKED_RANKS if rank <= len(curve)):
        x, y = places[rank - 1]
        dot = drawing.shape(svg, "circle", f"s{index % drawing.STYLES}", cx=x, cy=y, r=3)
        ET.SubElement(dot, "title").text = f"{name}: Rank-{rank} {100 * curve[rank - 1]:.1f} %"
