"""What the records refuse, and how numbers are written."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from psnet.report import Crop, RateRow, Row, terms
from tests.report.examples import example, picture, ranked_list


def test_percent_in_place_of_fractions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'trained': rank1 is 61\.4; give a fraction"):
        Row("trained", {"rank1": 61.4})
    with pytest.raises(ValueError, match=r"mAP is -0\.1"):
        RateRow(2, 1, {"mAP": -0.1})


@pytest.mark.parametrize("key", ["rank0", "rank", "rank-1", "map", "accuracy"])
def test_unknown_metric(key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}'.*known: rank<k>, mAP"):
        Row("trained", {key: 0.5})


@pytest.mark.parametrize(("first_hit", "fits"), [(2, True), (None, True), (1, False), (5, False), (11, False)])
def test_first_hit_must_agree_with_the_entries(first_hit: int | None, fits: bool) -> None:
    ranked = ranked_list("best", hit=2)
    if fits:
        assert replace(ranked, first_hit=first_hit).first_hit == first_hit
    else:
        with pytest.raises(ValueError, match=f"first_hit is {first_hit}.*stands at 2"):
            replace(ranked, first_hit=first_hit)


def test_first_hit_may_lie_beyond_the_entries_but_not_among_wrong_ones() -> None:
    assert ranked_list("worst", hit=37).first_hit == 37
    with pytest.raises(ValueError, match="stands at None"):
        replace(ranked_list("worst", hit=37), first_hit=10)


def test_restoration_needs_one_size() -> None:
    with pytest.raises(ValueError, match=r"\(64, 32\).*\(65, 32\)"):
        replace(example(), high=picture(65, 32))
    assert replace(example(), high=None).high is None


def test_pictures_are_checked_where_they_enter() -> None:
    with pytest.raises(ValueError, match=r"'pid 3' has shape \(3, 8, 4\) and type float32"):
        Crop(np.zeros((3, 8, 4), np.float32), "pid 3")
    with pytest.raises(ValueError, match="low of restoration 'pid 7'"):
        replace(example(), low=np.zeros((8, 4), np.uint8))


@pytest.mark.parametrize(
    ("number", "places", "sign", "text"),
    [
        (2.4, 2, True, "+2.40"),
        (-2.4, 2, True, "−2.40"),  # noqa: RUF001
        (-0.0004, 3, True, "0.000"),
        (0.0, 1, True, "0.0"),
        (-0.5, 3, False, "−0.500"),  # noqa: RUF001
        (math.inf, 2, False, "∞"),
        (math.inf, 2, True, "+∞"),
        (math.nan, 2, True, "nan"),
        (None, 2, False, "–"),  # noqa: RUF001
        (100.0, 0, False, "100"),
        (0.0, 0, False, "0"),
    ],
)
def test_decimals(number: float | None, places: int, sign: bool, text: str) -> None:
    assert terms.decimals(number, places, sign=sign) == text


def test_order_and_terms() -> None:
    keys = ["queries", "mINP", "rank20", "mAP", "rank1", "rank5", "mAP_trapezoid", "rank1"]
    assert [terms.term(key) for key in terms.order(keys)] == [
        "Rank-1", "Rank-5", "Rank-20", "mAP", "mAP, trapezoid", "mINP", "queries",
    ]  # fmt: skip


def test_each_term_is_explained_once() -> None:
    assert list(terms.definitions(["rank1", "rank5", "mAP"])) == ["Rank-k", "mAP"]
    assert list(terms.definitions(["queries"])) == ["queries"]
