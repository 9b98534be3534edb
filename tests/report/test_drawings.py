"""ROC, bars and histogram: what is drawn, read back by the labels of the axes, is what went in."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from psnet.report import GroupRow, Roc
from psnet.report.bars import bars_svg
from psnet.report.histogram import ap_svg, count_ticks
from psnet.report.roc import roc_svg
from tests.report.examples import HOSTILE


def scale(one: tuple[float, float], other: tuple[float, float], at: float) -> float:
    """The value at a place, from two labelled places (place, value)."""
    (a, va), (b, vb) = one, other
    return va + (at - a) * (vb - va) / (b - a)


def labels(svg: ET.Element, anchor: str, axis: str) -> dict[str, float]:
    found = [e for e in svg.iter("text") if e.get("text-anchor") == anchor]
    return {"".join(e.itertext()).strip(): float(e.get(axis, "")) for e in found}


def roc_points(svg: ET.Element, name: str) -> list[tuple[float, float]]:
    powers = {k: x for k, x in labels(svg, "middle", "x").items() if k[:2] == "10"}
    (first, x1), one = next(iter(powers.items())), (labels(svg, "middle", "x")["1"], 0.0)
    decade = (x1, -float(first[3:]))
    ys = labels(svg, "end", "y")
    line = next(e for e in svg.iter("polyline") if e.get("data-name") == name)
    pairs = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    return [(scale(decade, one, x), scale((ys["0"] - 4, 0), (ys["100"] - 4, 100), y)) for x, y in pairs]


def test_roc_points_are_the_numbers() -> None:
    far, tar = [1e-5, 1e-4, 0.003, 0.25, 1.0], [0.05, 0.2, 0.6, 0.9, 1.0]
    svg = ET.fromstring(roc_svg({"trained": Roc(far, tar), "chance": Roc([0.01, 1.0], [0.01, 1.0])}))
    back = roc_points(svg, "trained")
    assert [x for x, _ in back] == pytest.approx(np.log10(far), abs=1e-3)
    assert [y for _, y in back] == pytest.approx([100 * t for t in tar], abs=0.01)
    assert roc_points(svg, "chance")[0] == pytest.approx((-2, 1), abs=0.01)


def test_what_the_axis_does_not_reach_stands_on_its_edge() -> None:
    svg = ET.fromstring(roc_svg({"a": Roc([0.0, 1e-9, 1e-8, 0.1, 1.0], [0.1, 0.2, 0.3, 0.5, 1.0])}))
    back = roc_points(svg, "a")
    assert [x for x, _ in back] == pytest.approx([-7, -1, 0], abs=1e-3)
    assert back[0][1] == pytest.approx(30, abs=0.01)


def test_the_axis_has_the_rates_of_the_table_even_if_no_curve_begins_there() -> None:
    svg = ET.fromstring(roc_svg({"a": Roc([0.5, 1.0], [0.7, 1.0], {0.5: 0.7})}))
    assert "10−4" in labels(svg, "middle", "x")  # noqa: RUF001
    assert "a: TAR 70.0 % at FAR 0.5" in svg.get("aria-label", "")


def test_bars_are_the_numbers() -> None:
    rows = [
        GroupRow("2", 10, {"rank1": 0.61, "mAP": 0.5, "rank5": 0.9}, {"rank1": (0.55, 0.66)}),
        GroupRow("native", 4, {"rank1": 0.25}),
        GroupRow(HOSTILE, 4, {"rank1": 1.0, "mAP": 0.0}),
    ]
    svg = ET.fromstring(bars_svg(rows, "By rate"))
    xs = labels(svg, "middle", "x")
    ends = (xs["0"], 0.0), (xs["100"], 1.0)
    found = {
        (bar.get("data-name"), bar.get("data-metric")): scale(*ends, xs["0"] + float(bar.get("width", "")))
        for bar in svg.iter("rect")
        if bar.get("data-name")
    }
    expected = {(row.label, key): row.metrics[key] for row in rows for key in ("rank1", "mAP") if key in row.metrics}
    assert found == {key: pytest.approx(value, abs=1e-4) for key, value in expected.items()}
    (whisker,) = [e for e in svg.iter("path") if e.get("class") == "whisker"]
    places = [part.split()[0] for part in whisker.get("d", "").split("M")[1:]]
    assert [scale(*ends, float(places[k])) for k in (0, 2)] == pytest.approx([0.55, 0.66], abs=1e-4)
    assert "native: Rank-1 25.0 %" in svg.get("aria-label", "")
    assert all(0 <= float(e.get("x", "")) <= 440 for e in svg.iter("text"))


def test_no_bars_without_their_figures() -> None:
    assert bars_svg([GroupRow("2", 10, {"rank5": 0.61})], "By rate") == ""


def test_the_histogram_counts() -> None:
    values = [*np.random.default_rng(0).beta(0.5, 0.7, 1000).tolist(), 0.0, 1.0, 1.0, 0.05]
    svg = ET.fromstring(ap_svg(values))
    columns = list(svg.iter("rect"))
    expected, _ = np.histogram(values, bins=20, range=(0, 1))
    assert [int(e.get("data-count", "")) for e in columns] == expected.tolist()
    heights = [float(e.get("height", "")) for e in columns]
    ys = labels(svg, "end", "y")
    top = max(int(k) for k in ys if k.isdigit())
    per_query = (ys["0"] - ys[str(top)]) / top
    assert heights == pytest.approx([per_query * count for count in expected], abs=0.01)
    mean = next(e for e in svg.iter("line") if e.get("class") == "mean")
    xs = labels(svg, "middle", "x")
    assert scale((xs["0"], 0), (xs["100"], 1), float(mean.get("x1", ""))) == pytest.approx(np.mean(values), abs=1e-4)
    assert f"mean {100 * math.fsum(values) / len(values):.1f} %" in svg.get("aria-label", "")


@pytest.mark.parametrize("value", [0.0, 0.3, 0.3 - 1e-12, 0.75, 1.0])
def test_one_query(value: float) -> None:
    svg = ET.fromstring(ap_svg([value]))
    counts = [int(e.get("data-count", "")) for e in svg.iter("rect")]
    assert sum(counts) == 1
    assert counts[min(19, round(20 * value))] == 1


@pytest.mark.parametrize("most", [1, 2, 5, 6, 17, 99, 316, 3368, 1_000_000])
def test_ticks_of_counts(most: int) -> None:
    ticks = count_ticks(most)
    assert ticks[0] == 0
    assert ticks[-2] < most <= ticks[-1]
    assert 2 <= len(ticks) <= 6
    assert len(set(np.diff(ticks))) == 1


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="no ROC curve"):
        roc_svg({})
    with pytest.raises(ValueError, match="no average precision"):
        ap_svg([])
