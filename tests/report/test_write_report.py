"""The file on disk: whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from psnet.report import Report, render, write_report
from tests.report.examples import full_report


@pytest.fixture
def full() -> Report:
    return full_report()


def test_the_same_report_gives_the_same_bytes(full: Report) -> None:
    assert render(full) == render(full)


def test_written_whole_in_new_folders(full: Report, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.html"
    assert write_report(full, str(path)) == path
    assert path.read_text(encoding="utf-8") == render(full)
    assert list(path.parent.iterdir()) == [path]


def test_undecodable_file_names_are_shown_with_escapes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    path = write_report(Report("t", notes=[name]), tmp_path / "r.html")
    assert r"caf\udce9.jpg" in path.read_text(encoding="utf-8")


def test_an_old_report_survives_a_failure(full: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="falls"):
        write_report(replace(full, cmc={"a": [0.5, 0.4]}, cmc_band={}), path)

    def full_disk(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_report(full, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_leaves_nothing_behind(full: Report, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(full, tmp_path / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
