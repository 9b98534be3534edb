"""Files appear whole or not at all, and what cannot be written is said with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from psnet.atomic import WriteError, remove_halves, whole, write_whole


def test_a_full_disk_leaves_the_older_file(tmp_path: Path):
    file = write_whole(tmp_path / "metrics.json", "old")

    def fails() -> None:
        with whole(file) as beside:
            beside.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match=r"metrics\.json cannot be written \(No space left on device\)\. Make room"):
        fails()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_cannot_be_written_to(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        WriteError, match=r"file/new\.txt cannot be written \((Not a directory|File exists)\)\. Give a place"
    ):
        write_whole(tmp_path / "file" / "new.txt", "text")


def test_halves_are_removed_where_a_run_writes(tmp_path: Path):
    places = [tmp_path, tmp_path / "log", tmp_path / "wandb", tmp_path / "another" / "run"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".last.ckpt.7.part").write_text("half")
        (place / "whole.txt").write_text("whole")
    remove_halves(tmp_path)
    left = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.part"))
    assert left == ["another/run/.last.ckpt.7.part"]
    assert len(list(tmp_path.rglob("whole.txt"))) == 4
