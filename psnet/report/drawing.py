"""What the page's drawings share: SVG elements, the box they are drawn in, legends. Colours and type come from the
style sheet, by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

# user units; the page scales a drawing to its column
WIDTH = 440.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 430.0, 26.0, 250.0
LEGEND_TOP, LEGEND_PITCH = 300.0, 21.0
STYLES = 6
"""Number of line styles (colour and dashes) in the style sheet; further curves begin again."""
LONGEST_NAME = 40


def y_of(fraction: float) -> float:
    """Vertical place of a fraction in 0..1. The axis always runs from 0 to 100 %."""
    return BOTTOM - (BOTTOM - TOP) * fraction


def canvas(css: str, height: float, title: str, label: str) -> ET.Element:
    """An empty drawing, with its title and the words that tell its content to those who do not see it."""
    box = f"0 0 {WIDTH:g} {height:g}"
    svg = ET.Element("svg", {"class": f"chart {css}", "viewBox": box, "role": "img", "aria-label": label})
    ET.SubElement(svg, "title").text = title
    return svg


def number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def shape(parent: ET.Element, tag: str, css: str, **places: float) -> ET.Element:
    """An element with numbers for attributes: line, circle, rect."""
    return ET.SubElement(parent, tag, {"class": css, **{key: number(value) for key, value in places.items()}})


def line(parent: ET.Element, css: str, x1: float, y1: float, x2: float, y2: float) -> ET.Element:
    return shape(parent, "line", css, x1=x1, y1=y1, x2=x2, y2=y2)


def text(parent: ET.Element, words: str, x: float, y: float, anchor: str = "start", css: str = "") -> ET.Element:
    where = {"x": number(x), "y": number(y), "text-anchor": anchor, **({"class": css} if css else {})}
    element = ET.SubElement(parent, "text", where)
    element.text = words
    return element


def points(places: Iterable[Sequence[float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in places)


def percent_axis(svg: ET.Element, heading: str) -> None:
    """Grid and labels of a vertical axis from 0 to 100 %."""
    for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = y_of(fraction)
        line(svg, "axis" if fraction == 0 else "grid", LEFT, y, RIGHT, y)
        text(svg, f"{100 * fraction:.0f}", LEFT - 7, y + 4, "end")
    text(svg, heading, 0, 12)


def curve(svg: ET.Element, index: int, name: str, places: Sequence[Sequence[float]]) -> None:
    css = f"curve s{index % STYLES}"
    ET.SubElement(svg, "polyline", {"class": css, "data-name": name, "points": points(places)})


def height_with_legend(names: int) -> float:
    return LEGEND_TOP + LEGEND_PITCH * (names - 1) + 12


def legend(svg: ET.Element, names: Iterable[str]) -> None:
    """Below the axis, one line a name; what is too long is cut, and whole in its title."""
    for index, name in enumerate(names):
        y = LEGEND_TOP + LEGEND_PITCH * index
        line(svg, f"curve s{index % STYLES}", LEFT, y, LEFT + 34, y)
        named(svg, name, LEFT + 44, y + 4)


def named(svg: ET.Element, name: str, x: float, y: float, anchor: str = "start", longest: int = LONGEST_NAME) -> None:
    """A name of the caller's, cut to `longest` characters."""
    short = name if len(name) <= longest else name[: longest - 1] + "…"
    ET.SubElement(text(svg, short, x, y, anchor), "title").text = name


def finished(svg: ET.Element) -> str:
    return ET.tostring(svg, encoding="unicode")
