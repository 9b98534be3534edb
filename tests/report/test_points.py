"""What no band, no ROC curve and no interval is, and what the report's parts must have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psnet.report import Band, GroupRow, RateRow, Report, Roc, Row
from tests.report.examples import browser, full_report, with_pictures


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0.1], [0.2, 0.3], "1 low and 2 high"),
        ([0.1, 0.4], [0.2, 0.3], "0.4 to 0.3 at rank 2"),
        ([-0.1], [0.2], "-0.1 to 0.2 at rank 1"),
        ([0.1], [61.4], "0.1 to 61.4"),
        ([float("nan")], [0.2], "nan to 0.2"),
    ],
)
def test_what_is_no_band(low: list[float], high: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Band(low, high)


def test_a_band_belongs_to_a_curve_of_its_length() -> None:
    with pytest.raises(ValueError, match=r"band 'other' has 1 ranks.*length|band 'other' has 1 ranks.*\['a'\]"):
        Report("t", cmc={"a": [0.5]}, cmc_band={"other": Band([0.1], [0.9])})
    with pytest.raises(ValueError, match="band 'a' has 2 ranks, and the CMC curve of that name 1"):
        Report("t", cmc={"a": [0.5]}, cmc_band={"a": Band([0.1, 0.1], [0.9, 0.9])})


@pytest.mark.parametrize(
    ("far", "tar", "message"),
    [
        ([], [], "0 FAR and 0 TAR"),
        ([0.1], [0.1, 0.2], "1 FAR and 2 TAR"),
        ([0.2, 0.1], [0.1, 0.2], r"from FAR, TAR = \(0.2, 0.1\) to \(0.1, 0.2\)"),
        ([0.1, 0.2], [0.5, 0.4], r"to \(0.2, 0.4\)"),
        ([0.1, 1.2], [0.5, 1.0], r"to \(1.2, 1.0\)"),
        ([0.1, float("nan")], [0.5, 1.0], "nan"),
    ],
)
def test_what_is_no_roc(far: list[float], tar: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Roc(far, tar)


def test_the_table_must_agree_with_its_curve() -> None:
    far, tar = [0.0, 0.001, 0.1, 1.0], [0.1, 0.3, 0.8, 1.0]
    assert Roc(far, tar, {0.001: 0.3, 0.01: 0.5, 0.1: 0.8}).tar_at[0.01] == 0.5
    with pytest.raises(ValueError, match=r"TAR 0.9 at FAR 0.01 .* between 0.3 and 0.8"):
        Roc(far, tar, {0.01: 0.9})
    with pytest.raises(ValueError, match=r"TAR 0.2 at FAR 0.001"):
        Roc(far, tar, {0.001: 0.2})


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ({"mAP": (0.1, 0.2)}, "'mAP', which is no fraction among its metrics"),
        ({"queries": (1.0, 2.0)}, "'queries', which is no fraction"),
        ({"rank1": (0.6, 0.4)}, "rank1 is 0.6 to 0.4"),
        ({"rank1": (39.8, 44.5)}, "rank1 is 39.8 to 44.5"),
    ],
)
def test_what_is_no_interval(interval: dict[str, tuple[float, float]], message: str) -> None:
    metrics = {"rank1": 0.5, "queries": 3}
    for make in (lambda: Row("a", metrics, interval), lambda: RateRow(2, 3, metrics, interval)):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(ValueError, match=f"'camera 3'.*{message.split()[-1]}"):
        GroupRow("camera 3", 3, metrics, interval)


def test_ap_is_of_queries_with_a_match() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 values of ap .* nan; leave queries without a match out"):
        replace(full_report(), ap=[0.5, float("nan")])


def test_what_no_browser_is() -> None:
    own = browser()
    with pytest.raises(ValueError, match="no query to browse"):
        replace(own, queries=[])
    with pytest.raises(ValueError, match="query 2 shows image 99, and there are 18"):
        replace(own, queries=[own.queries[0], replace(own.queries[1], image=99)])
    with pytest.raises(ValueError, match=r"query 1: first_hit is 3, but the first match .* stands at 1"):
        replace(own, queries=[replace(own.queries[0], first_hit=3)])
    with pytest.raises(ValueError, match="query 1: first_hit is None"):
        replace(own, queries=[replace(own.queries[0], first_hit=None)])
    with pytest.raises(ValueError, match=r"query 1: ap is 61\.4"):
        replace(own, queries=[replace(own.queries[0], ap=61.4)])
    with pytest.raises(ValueError, match="18 thumbnails of 19 images"):
        replace(with_pictures(own), images=[*own.images, own.images[0]])
