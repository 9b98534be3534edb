"""One log, however often a run was killed: no step is missing, and none is there twice."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from psnet.atomic import WriteError
from psnet.csv_log import CSVLog


def log(folder: Path, steps: range, goes_on: int | None = None, **more: float) -> Path:
    """As training does it; what was not flushed is lost."""
    logger = CSVLog(folder, goes_on)
    for step in steps:
        logger.log_metrics({"loss": step / 2, **more}, step)
    return Path(logger.log_dir) / "metrics.csv"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def steps(file: Path) -> list[int]:
    return [int(row["step"]) for row in rows(file)]


def test_what_came_after_the_checkpoint_is_logged_again(tmp_path: Path):
    unbroken = log(tmp_path / "unbroken", range(40))
    log(tmp_path / "killed", range(30))  # the checkpoint was that of 20 steps
    killed = log(tmp_path / "killed", range(20, 40), goes_on=20)
    assert killed == tmp_path / "killed" / "log" / "metrics.csv"
    assert rows(killed) == rows(unbroken)
    assert len(rows(killed)) == 40


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_line_that_was_half_written(tmp_path: Path, missing: int):
    file = log(tmp_path, range(20))
    file.write_bytes(file.read_bytes()[:-missing])
    log(tmp_path, range(19, 30), goes_on=19)
    assert steps(file) == list(range(30))


def test_another_column(tmp_path: Path):
    log(tmp_path, range(10))
    file = log(tmp_path, range(10, 20), goes_on=10, rank1=0.5)
    assert [row["rank1"] for row in rows(file)] == [""] * 10 + ["0.5"] * 10
    assert [float(row["loss"]) for row in rows(file)] == [step / 2 for step in range(20)]


def test_another_run_in_the_same_folder_leaves_the_log_alone(tmp_path: Path):
    first, second = log(tmp_path, range(10)), log(tmp_path, range(20))
    assert (first.parent.name, second.parent.name) == ("log", "log_2")
    assert (len(rows(first)), len(rows(second))) == (10, 20)
    assert log(tmp_path, range(20, 30), goes_on=20) == second  # the one that goes on is the last
    assert steps(second) == list(range(30))


def test_one_that_left_no_checkpoint_begins_anew(tmp_path: Path):
    file = log(tmp_path, range(10))
    assert log(tmp_path, range(20), goes_on=0) == file
    assert steps(file) == list(range(20))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full, a device without room, is not there")
def test_no_room(tmp_path: Path):
    logger = CSVLog(tmp_path)
    logger.log_metrics({"loss": 1.0}, 0)
    (tmp_path / "log" / "metrics.csv").symlink_to("/dev/full")
    with pytest.raises(WriteError, match=r"log cannot be written \(No space left on device\)\. Make room"):
        logger.save()
