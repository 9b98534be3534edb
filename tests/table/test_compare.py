"""Neighbouring rows, run against run."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from psnet.table.compare import Comparison, compare, t_quantile
from psnet.table.lines import build_lines
from psnet.table.runs import find_runs
from tests.table.examples import write


def comparisons(folder: Path) -> list[Comparison]:
    return compare(build_lines(find_runs([folder]).runs, [])[0])


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 19, 49, 1000])
def test_quantile_of_t(freedom: int):
    relative = 1e-9 if freedom < 3 else 1.3e-3 if freedom == 3 else 4e-4
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=relative)


def test_pairs_share_split_and_seed(tmp_path: Path):
    rng = np.random.default_rng(0)
    lower, upper = rng.uniform(0.3, 0.5, 10), rng.uniform(0.4, 0.6, 10)
    for split in range(10):
        write(tmp_path / f"id{split}", "ID", lower[split], split)
        write(tmp_path / f"sr{split}", "ID+SR", upper[split], split)
    write(tmp_path / "alone", "ID", 0.9, split=20)
    write(tmp_path / "other_seed", "ID+SR", 0.1, split=0, seed=5)
    (found,) = comparisons(tmp_path)
    test = stats.ttest_rel(upper, lower)
    interval = test.confidence_interval(0.95)
    assert found.difference.size == 10
    assert found.difference.mean == pytest.approx(statistics.mean(upper - lower))
    assert found.difference.std == pytest.approx(statistics.stdev(upper - lower))
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-4)
    assert found.verdict == ("better" if interval.low > 0 else "undecided")
    assert found.rank1(False).mean == pytest.approx(statistics.mean(lower))
    assert found.also_differ == {}


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ((0.05, 0.06, 0.055), "better"),
        ((-0.05, -0.06, -0.055), "worse"),
        ((0.05, -0.06, 0.01), "undecided"),
        ((0.0, 0.0), "undecided"),
        ((0.05,), "one pair: no spread"),
    ],
)
def test_verdicts(tmp_path: Path, differences: tuple[float, ...], verdict: str):
    for split, difference in enumerate(differences):
        write(tmp_path / f"sr{split}", "ID+SR", 0.4, split)
        write(tmp_path / f"ps{split}", "ID+SR+PS", 0.4 + difference, split)
    (found,) = comparisons(tmp_path)
    assert (found.lower.row, found.upper.row) == ("ID+SR", "ID+SR+PS")
    assert found.verdict == verdict


def test_other_data_and_stopped_runs_make_no_pair(tmp_path: Path):
    write(tmp_path / "id", "ID", 0.4)
    write(tmp_path / "sr", "ID+SR", 0.5, data_hash="f" * 64)
    assert comparisons(tmp_path) == []
    write(tmp_path / "sr", "ID+SR", 0.5, epochs=3, steps=60)
    assert comparisons(tmp_path) == []
    write(tmp_path / "sr", "ID+SR", 0.5, protocol__rates=[8])
    assert comparisons(tmp_path) == []
    write(tmp_path / "sr", "ID+SR", 0.5)
    assert len(comparisons(tmp_path)) == 1


def test_each_line_is_set_against_the_one_most_like_it(tmp_path: Path):
    for backbone in ("resnet50", "hrnet_w32"):
        write(tmp_path / f"id{backbone}", "ID", 0.4, model__reid__backbone=backbone)
        write(tmp_path / f"sr{backbone}", "ID+SR", 0.5, model__reid__backbone=backbone)
    write(tmp_path / "third", "ID+SR", 0.6, model__reid__backbone="hrnet_w32", weights="ImageNet")
    found = comparisons(tmp_path)
    backbones = [[line.settings["model"]["reid"]["backbone"] for line in (one.lower, one.upper)] for one in found]
    assert all(lower == upper for lower, upper in backbones)
    assert len(found) == 3
    assert [dict(one.also_differ) for one in found if one.also_differ] == [{"weights": ("random", "ImageNet")}]


def test_the_teachers_weight_is_the_step_itself(tmp_path: Path):
    write(tmp_path / "sr", "ID+SR", 0.4)
    write(tmp_path / "ps", "ID+SR+PS", 0.5, model__ps_weight=0.2)
    assert comparisons(tmp_path)[0].also_differ == {}
