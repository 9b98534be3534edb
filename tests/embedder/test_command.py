"""psnet embed, as people type it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

import pytest

from psnet.atomic import WriteError
from psnet.cli import main
from psnet.embedder import Embedder, EmbedderError, read_table
from psnet.embedder.command import embed, listing_of
from psnet.embeddings.part import FileError


def test_a_folder(checkpoint: Path, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (crops / "broken.jpg").write_bytes(b"")
    out = tmp_path / "e.npz"
    with caplog.at_level("INFO"):
        main(
            ["embed", str(crops), "--model", str(checkpoint), "--out", str(out), "--names", r"(?P<pid>\d+)_c|(?P<x>b)"]
        )
    assert "PSHRNet, test_resnet, trained on mlr_synthetic" in caplog.text
    assert f"{out}: 8 images" in caplog.text
    assert "1 images could not be read, and are left out:\n    broken.jpg: empty file" in caplog.text
    assert len(read_table(out)) == 8


def test_published_names_and_parquet(checkpoint: Path, crops: Path, tmp_path: Path):
    out = tmp_path / "e.parquet"
    main(["embed", str(crops), "--model", str(checkpoint), "--out", str(out), "--names", "market", "--part", "neck"])
    found = read_table(out)
    assert found.columns["pid"].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    assert found.columns["camid"].tolist() == [1] * 4 + [2] * 4
    assert found.made_by.part == "neck"


def test_a_list(checkpoint: Path, crops: Path, tmp_path: Path):
    files = sorted(file.relative_to(crops).as_posix() for file in crops.rglob("*.*"))
    (crops / "list.csv").write_text("path,place\n" + "".join(f"{file},{file[:4]}\n" for file in files[:3]))
    main(["embed", str(crops / "list.csv"), "--model", str(checkpoint), "--out", str(tmp_path / "e.npz")])
    assert read_table(tmp_path / "e.npz").columns["place"].tolist() == ["cam0"] * 3


def test_each_row_of_a_list_is_one_image(
    checkpoint: Path, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A folder in it is none, and brackets are no pattern, or labels would go to other images."""
    one, *_ = sorted((crops / "cam0").iterdir())
    one.rename(one.with_name("img1.png"))
    (crops / "list.csv").write_text("path,pid\ncam1,1\ncam0/img[1].png,7\ncam0/img1.png,2\n")
    main(["embed", str(crops / "list.csv"), "--model", str(checkpoint), "--out", str(tmp_path / "e.npz")])
    assert read_table(tmp_path / "e.npz").columns["pid"].tolist() == [2]
    assert "2 images could not be read" in caplog.text
    assert "cam1: Is a directory" in caplog.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no/where"], r"none of 1 images can be read: no/where \(No such file"),
        (["{crops}", "--out", "e.txt"], "e.txt ends in '.txt'"),
        (["{crops}", "--names", "markt"], "has no named group"),
        (["{crops}", "--model", "no.ckpt"], "checkpoint no.ckpt does not exist"),
        (["{crops}", "--model", "none"], "there is no folder none, nor is it a name on the hub"),
        (["{crops}", "--precision", "half"], "precision='half' must be auto or one of"),
        (["{crops}", "--out", "/proc/e.npz"], "/proc/e.npz cannot be written"),
    ],
)
def test_errors_are_one_line(
    checkpoint: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=rf"^error: .*{message}") as stop:
        main(["embed", "--model", str(checkpoint), *(word.format(crops=crops) for word in words)])
    assert "\n" not in str(stop.value)
    assert [file.name for file in tmp_path.iterdir()] == ["crops"]


def test_where_nothing_can_be_written_nothing_is_computed(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The model is not even asked: there is none."""
    (tmp_path / "there.npz").mkdir()
    for out, message in (("there.npz", "is a folder; give the name of a file"), ("/proc/e.npz", "cannot be written")):
        with pytest.raises((EmbedderError, WriteError), match=message):
            embed([str(crops)], cast("Embedder", None), tmp_path / out, None, 32)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FileError, match="need pyarrow"):
        embed([str(crops)], cast("Embedder", None), tmp_path / "e.parquet", None, 32)


def test_what_is_no_image_is_not_read(checkpoint: Path, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A pipe would be waited for, a film would fill the memory."""
    os.mkfifo(crops / "cam0" / "pipe.png")
    with (crops / "cam1" / "film.mp4").open("wb") as film:
        film.truncate(2**29 + 1)
    main(["embed", str(crops), "--model", str(checkpoint), "--out", str(tmp_path / "e.npz")])
    assert "cam0/pipe.png: no file, but a pipe or a device" in caplog.text
    assert "cam1/film.mp4: 512 MiB, more than the 512 of an image" in caplog.text
    assert len(read_table(tmp_path / "e.npz")) == 8


def test_a_column_is_taken_from_one_place(crops: Path, tmp_path: Path):
    one, *_ = sorted((crops / "cam0").iterdir())
    (crops / "list.csv").write_text(f"path,pid\ncam0/{one.name},ann\n")
    with pytest.raises(EmbedderError, match=r"list\.csv has a column 'pid', and so has --names"):
        listing_of([str(crops / "list.csv")], r"/(?P<pid>\d+)_")
