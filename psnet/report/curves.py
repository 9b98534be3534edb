"""The CMC curves as one inline SVG. Colours and type come from the page's style sheet, by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

# user units; the page scales the drawing to its column
WIDTH = 440.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 430.0, 26.0, 250.0
LEGEND_TOP, LEGEND_PITCH = 300.0, 21.0
STYLES = 6
"""Number of line styles (colour and dashes) in the style sheet; further curves begin again."""
MARKED_RANKS = (1, 5, 10, 20)
"""The ranks of the table of results: a dot stands on the curve there."""
LONGEST_NAME = 40


def x_of(rank: float, last_rank: int) -> float:
    """Horizontal place of a rank; rank 1 stands on the left edge, last_rank (at least 2) on the right one."""
    return LEFT + (RIGHT - LEFT) * (rank - 1) / (last_rank - 1)


def y_of(fraction: float) -> float:
    """Vertical place of a fraction in 0..1. The axis always runs from 0 to 100 %."""
    return BOTTOM - (BOTTOM - TOP) * fraction


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


def cmc_svg(curves: Mapping[str, Sequence[float]]) -> str:
    """Draw the curves.

    Args:
        curves: for each name the fractions of queries with a hit at rank 1, 2, 3, ... or before; lengths may
            differ.

    Returns:
        An `<svg>` element. Each curve is a polyline with `data-name`, one point per rank.

    Raises:
        ValueError: without a curve, and as `check_cmc` does.
    """
    if not curves:
        raise ValueError("no CMC curve is given; leave the drawing out")
    check_cmc(curves)
    last_rank = max(2, *(len(curve) for curve in curves.values()))
    height = LEGEND_TOP + LEGEND_PITCH * (len(curves) - 1) + 12
    first = "; ".join(f"{name}: {100 * curve[0]:.1f} % at rank 1" for name, curve in curves.items())
    label = f"CMC curves up to rank {last_rank}. {first}."
    svg = ET.Element(
        "svg", {"class": "cmc", "viewBox": f"0 0 {WIDTH:g} {height:g}", "role": "img", "aria-label": label}
    )
    ET.SubElement(svg, "title").text = "Cumulative matching characteristic"
    _draw_axes(svg, last_rank)
    for index, (name, curve) in reversed(list(enumerate(curves.items()))):  # the first lies on top
        _draw_curve(svg, index, name, curve, last_rank)
    for index, name in enumerate(curves):
        _draw_legend(svg, index, name)
    return ET.tostring(svg, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _line(parent: ET.Element, css: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ET.SubElement(parent, "line", {"class": css, **{key: _number(value) for key, value in ends.items()}})


def _text(parent: ET.Element, text: str, x: float, y: float, anchor: str = "start") -> ET.Element:
    where = {"x": _number(x), "y": _number(y), "text-anchor": anchor}
    element = ET.SubElement(parent, "text", where)
    element.text = text
    return element


def _draw_axes(svg: ET.Element, last_rank: int) -> None:
    for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = y_of(fraction)
        _line(svg, "axis" if fraction == 0 else "grid", LEFT, y, RIGHT, y)
        _text(svg, f"{100 * fraction:.0f}", LEFT - 7, y + 4, "end")
    for rank in rank_ticks(last_rank):
        x = x_of(rank, last_rank)
        _line(svg, "axis", x, BOTTOM, x, BOTTOM + 4)
        _text(svg, str(rank), x, BOTTOM + 18, "middle")
    _text(svg, "% of queries with a hit at rank k or before", 0, 12)
    _text(svg, "rank k", RIGHT, BOTTOM + 34, "end")


def _draw_curve(svg: ET.Element, index: int, name: str, curve: Sequence[float], last_rank: int) -> None:
    places = [(x_of(rank, last_rank), y_of(value)) for rank, value in enumerate(curve, start=1)]
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in places)
    style = f"s{index % STYLES}"
    ET.SubElement(svg, "polyline", {"class": f"curve {style}", "data-name": name, "points": points})
    for rank in (rank for rank in MARKED_RANKS if rank <= len(curve)):
        x, y = places[rank - 1]
        dot = ET.SubElement(svg, "circle", {"class": style, "cx": _number(x), "cy": _number(y), "r": "3"})
        ET.SubElement(dot, "title").text = f"{name}: Rank-{rank} {100 * curve[rank - 1]:.1f} %"


def _draw_legend(svg: ET.Element, index: int, name: str) -> None:
    y = LEGEND_TOP + LEGEND_PITCH * index
    _line(svg, f"curve s{index % STYLES}", LEFT, y, LEFT + 34, y)
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    ET.SubElement(_text(svg, short, LEFT + 44, y + 4), "title").text = name
