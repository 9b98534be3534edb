"""Realistic degradation: what is drawn, from what, and how far it goes."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from psnet.data.realistic import BLUR, JPEG, NOISE, realistic

PATTERNS = {
    "blur": r"blur\((\d+\.\d\d)\)",
    "noise": r"noise\((\d\.\d),(\d+)\)",
    "jpeg": r"jpeg\((\d+)\)",
    "bicubic": r"(bicubic)",
}


def read(text: str) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """(order, arguments by step), by other means than the parser's."""
    steps = text.split(" ")
    names = [step.split("(")[0] for step in steps]
    found = {name: list(re.fullmatch(PATTERNS[name], step).groups()) for name, step in zip(names, steps, strict=True)}  # type: ignore[union-attr]
    return tuple(names), found


MANY = [(f"{i:05d}.png", 2.0 + i % 3) for i in range(4_800)]


def test_a_known_draw():
    """Written down once: the same on every machine and in every version, or it is another data set."""
    assert realistic(0, "a/1.png", 3, "bicubic") == KNOWN[0]
    assert realistic(1, "a/1.png", 3, "bicubic") == KNOWN[1]
    assert realistic(0, "a/2.png", 8, "lanczos") == KNOWN[2]


KNOWN = [
    "blur(0.52) jpeg(73) bicubic noise(7.4,130974036)",
    "noise(4.9,1809178084) bicubic jpeg(51) blur(0.56)",
    "jpeg(72) blur(3.33) noise(6.7,2381311309) lanczos",
]


def test_the_24_orders_have_equal_chances():
    orders = Counter(read(realistic(0, path, rate, "bicubic"))[0] for path, rate in MANY)
    assert len(orders) == 24
    assert all(abs(count - 200) < 5 * (200 * 23 / 24) ** 0.5 for count in orders.values())


def test_strengths_fill_their_ranges_and_no_more():
    texts = [read(realistic(0, path, rate, "bicubic")) for path, rate in MANY]
    rates = [rate for _, rate in MANY]
    blurs = [
        float(found["blur"][0]) / (rate if order.index("blur") < order.index("bicubic") else 1)
        for (order, found), rate in zip(texts, rates, strict=True)
    ]
    noises = [float(found["noise"][0]) for _, found in texts]
    jpegs = [float(found["jpeg"][0]) for _, found in texts]
    for values, (low, high), rounding in ((blurs, BLUR, 0.005), (noises, NOISE, 0.05), (jpegs, JPEG, 0.5)):
        assert low - rounding - 1e-9 <= min(values) < low + 0.02 * (high - low) + rounding
        assert high - 0.02 * (high - low) - rounding < max(values) <= high + rounding + 1e-9
        assert sum(values) / len(values) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert len({found["noise"][1] for _, found in texts}) > len(MANY) - 5


def test_no_strength_goes_with_another():
    texts = [read(realistic(0, path, 2.0, "bicubic")) for path, _ in MANY]
    after = [found for order, found in texts if order.index("blur") > order.index("bicubic")]
    columns = [[float(found[name][0]) for found in after] for name in ("blur", "noise", "jpeg")]
    for i, one in enumerate(columns):
        for other in columns[:i]:
            assert abs(correlation(one, other)) < 4 / len(after) ** 0.5


def correlation(one: list[float], other: list[float]) -> float:
    n = len(one)
    a, b = ([x - sum(v) / n for x in v] for v in (one, other))
    return sum(x * y for x, y in zip(a, b, strict=True)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
