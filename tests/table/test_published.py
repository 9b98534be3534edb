"""Published figures, against the sums that a slip of the pen would change."""

from __future__ import annotations

import pytest

from psnet.table.published import TITLES, read_published


def test_the_paper_has_three_rows_per_set_but_two_of_caviar():
    rows = {dataset: [one.row for one in read_published() if one.dataset == dataset and one.row] for dataset in TITLES}
    assert rows.pop("caviar") == ["ID", "ID+SR"]
    assert all(found == ["ID", "ID+SR", "ID+SR+PS"] for found in rows.values())


@pytest.mark.parametrize(
    ("row", "sums"),
    [("ID", (333.1, 422.2, 454.5)), ("ID+SR", (349.0, 434.1, 463.5)), ("ID+SR+PS", (315.1, 358.9, 371.8))],
)
def test_sums_over_the_sets(row: str, sums: tuple[float, ...]):
    found = [one.figures for one in read_published() if one.row == row]
    assert [sum(figures[name] for figures in found) for name in ("rank1", "rank5", "rank10")] == pytest.approx(sums)


def test_every_figure_is_a_percentage_with_a_source():
    for one in read_published():
        assert one.source
        assert one.shots in ("single", "multi")
        assert all(10 < value < 100 for value in one.figures.values())


def test_a_figure_of_another_protocol_says_so():
    (other,) = [one for one in read_published() if one.method == "VersReID"]
    assert other.shots == "multi"
    assert "another protocol" in other.remark
