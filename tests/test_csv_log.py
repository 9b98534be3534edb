"""One log, however often a run was killed: no step is missing, and none is there twice."""

from __future__ import annotations

import csv
import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from psnet.atomic import WriteError
from psnet.csv_log import CSVLog


def log(folder: Path, steps: range, goes_on: int = 0, **more: float) -> Path:
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


def test_one_that_left_no_checkpoint_begins_anew(tmp_path: Path):
    file = log(tmp_path, range(10))
    assert log(tmp_path, range(20), goes_on=0) == file
    assert steps(file) == list(range(20))


@pytest.mark.parametrize("junk", [b"10,0.5,7\n", b"ten,0.5\n", b"\n", b"\xff\xfe,\x00\n", b"5\n", b'10,"5\n'])
def test_lines_that_a_crash_has_spoilt_are_not_taken_for_written(tmp_path: Path, junk: bytes):
    file = log(tmp_path, range(10))
    file.write_bytes(file.read_bytes() + junk)
    log(tmp_path, range(10, 20), goes_on=10)
    assert steps(file) == list(range(20))
    assert [float(row["loss"]) for row in rows(file)] == [step / 2 for step in range(20)]


@pytest.mark.parametrize("content", [b"", b"\n", b"no log at all\n1\n", b"half a head"])
def test_a_file_that_is_no_log_is_set_aside(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "log" / "metrics.csv"
    file.parent.mkdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        log(tmp_path, range(10, 20), goes_on=10)
    assert steps(file) == list(range(10, 20))
    assert file.with_name("metrics-damaged.csv").read_bytes() == content
    assert "has no column 'step', so it is no log" in caplog.text


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("more", [{}, {"rank1": 0.5}])
def test_what_had_no_room_is_written_when_there_is_some(tmp_path: Path, more: dict[str, float]):
    file = log(tmp_path, range(10))
    whole = file.read_bytes()
    logger = CSVLog(tmp_path, 10)
    for step in range(10, 15):
        logger.log_metrics({"loss": step / 2, **more}, step)
    with room_for(len(whole) + 9), pytest.raises(WriteError, match=r"metrics\.csv cannot be written .*Make room"):
        logger.save()
    assert file.read_bytes() == whole
    logger.finalize("failed")
    assert steps(file) == list(range(15))
    assert [row.get("rank1") for row in rows(file)] == ([""] * 10 + ["0.5"] * 5 if more else [None] * 15)
