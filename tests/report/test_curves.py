"""The CMC drawing: its points read back are the numbers that went in."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from psnet.report import Band
from psnet.report.curves import cmc_svg, rank_ticks


def numbers(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def ticks(svg: ET.Element, anchor: str) -> dict[int, ET.Element]:
    found = [element for element in svg.iter("text") if element.get("text-anchor") == anchor]
    return {int(e.text): e for e in found if e.text and e.text.isdigit()}


def read_back(svg: ET.Element) -> dict[str, list[tuple[float, float]]]:
    """(rank, percent) of every point, by nothing but the labels of the axes as a reader would use them."""
    ys, xs = ticks(svg, "end"), ticks(svg, "middle")
    y0, y100 = float(ys[0].get("y", "")), float(ys[100].get("y", ""))
    (first, x1), (last, x2) = ((r, float(e.get("x", ""))) for r, e in (min(xs.items()), max(xs.items())))
    return {
        line.get("data-name", ""): [
            (
                first + (x - x1) * (last - first) / (x2 - x1),
                100 * (y - (y0 - 4)) / (y100 - y0),
            )
            for x, y in numbers(line.get("points", ""))
        ]
        for line in svg.iter("polyline")
    }


@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 50, 137])
def test_points_are_the_numbers(length: int) -> None:
    curve = [((k + 1) / length) ** 0.5 for k in range(length)]
    other = [0.25]
    back = read_back(ET.fromstring(cmc_svg({"trained": curve, "chance": other})))
    assert list(back) == ["chance", "trained"]  # the first one is drawn last: on top
    for given, found in ((curve, back["trained"]), (other, back["chance"])):
        assert [rank for rank, _ in found] == pytest.approx(range(1, len(given) + 1), abs=0.01)
        assert [percent for _, percent in found] == pytest.approx([100 * v for v in given], abs=0.01)


def test_a_band_is_its_two_edges() -> None:
    curve, low, high = [0.2, 0.5, 0.9], [0.1, 0.45, 0.8], [0.3, 0.6, 1.0]
    svg = ET.fromstring(cmc_svg({"trained": curve, "chance": [0.1, 0.1, 0.1]}, {"trained": Band(low, high)}))
    (band,) = svg.iter("polygon")
    assert band.get("data-name") == "trained"
    middle = next(line for line in svg.iter("polyline") if line.get("data-name") == "trained")
    assert band.get("class", "").split()[1] == middle.get("class", "").split()[1]  # one colour
    band.tag = "polyline"  # read by the same axes
    around = read_back(svg)["trained"] if middle.set("data-name", "curve") is None else []
    assert [rank for rank, _ in around] == pytest.approx([1, 2, 3, 3, 2, 1], abs=0.01)
    assert [percent for _, percent in around] == pytest.approx([10, 45, 80, 100, 60, 30], abs=0.01)


def test_axes_run_right_and_up_from_rank_1() -> None:
    svg = ET.fromstring(cmc_svg({"a": [0.1, 0.5, 1.0]}))
    (line,) = svg.iter("polyline")
    xs, ys = zip(*numbers(line.get("points", "")), strict=True)
    frame = [float(e.get("x1", "")) for e in svg.iter("line") if e.get("class") == "grid"]
    assert xs[0] == frame[0]
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys, reverse=True)  # SVG counts from the top


def test_it_speaks_to_those_who_do_not_see_it() -> None:
    svg = ET.fromstring(cmc_svg({"trained": [0.4213, 0.5], "chance": [0.003, 0.006]}))
    assert svg.get("role") == "img"
    label = svg.get("aria-label") or ""
    assert "trained: 42.1 % at rank 1" in label
    assert "chance: 0.3 % at rank 1" in label
    assert svg[0].tag == "title"


def test_curves_differ_in_more_than_colour() -> None:
    svg = ET.fromstring(cmc_svg({str(k): [0.1 * k] for k in range(6)}))
    assert len({line.get("class") for line in svg.iter("polyline")}) == 6


def test_dots_tell_the_ranks_of_the_table() -> None:
    svg = ET.fromstring(cmc_svg({"a": [k / 100 for k in range(1, 13)]}))
    told = [title.text for dot in svg.iter("circle") for title in dot]
    assert told == ["a: Rank-1 1.0 %", "a: Rank-5 5.0 %", "a: Rank-10 10.0 %"]


def test_everything_lies_inside_the_picture() -> None:
    svg = ET.fromstring(cmc_svg({f"curve {k}": [0.0, 1.0] for k in range(9)}))
    _, _, width, height = (float(v) for v in svg.get("viewBox", "").split())
    places = [p for line in svg.iter("polyline") for p in numbers(line.get("points", ""))]
    places += [(float(t.get("x", "")), float(t.get("y", ""))) for t in svg.iter("text")]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_hostile_and_long_names() -> None:
    name = '<b>"&' + "x" * 100
    svg = ET.fromstring(cmc_svg({name: [0.5]}))
    legend = [t for t in svg.iter("text") if len(t)][-1]
    assert legend.text is not None
    assert len(legend.text) <= 40
    assert legend[0].text == name


@pytest.mark.parametrize("last", [2, 3, 5, 6, 9, 10, 20, 50, 60, 61, 100, 316, 1000, 15913])
def test_ticks_are_few_rising_and_inside(last: int) -> None:
    found = rank_ticks(last)
    assert found[0] == 1
    assert found == sorted(set(found))
    assert found[-1] <= last
    assert 2 <= len(found) <= 9


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "no CMC curve"),
        ({"a": []}, "'a' is empty"),
        ({"a": [0.2, 61.4]}, "61.4 at rank 2"),
        ({"a": [-0.1]}, "-0.1 at rank 1"),
        ({"a": [float("nan")]}, "nan at rank 1"),
        ({"a": [0.1, 0.5, 0.4]}, r"falls from 0.5 to 0.4 at rank 3"),
    ],
)
def test_what_is_no_cmc_is_refused(curves: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cmc_svg(curves)
