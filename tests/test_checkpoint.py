"""Checkpoints are whole or not there, and say what is wrong with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from psnet.atomic import WriteError
from psnet.checkpoint import (
    FORM,
    AtomicCheckpointIO,
    Begun,
    CheckpointError,
    DamagedError,
    before,
    git_revision,
    is_checkpoint,
    load_part,
    newest,
    read_begun,
    read_checkpoint,
    set_aside,
    versions,
)


def test_what_is_written_is_read(tmp_path: Path):
    content = {"psnet": {"form": FORM, "seed": 1}, "state_dict": {"reid.weight": torch.arange(3.0)}}
    AtomicCheckpointIO().save_checkpoint(content, tmp_path / "new" / "last.ckpt")
    again = read_checkpoint(tmp_path / "new" / "last.ckpt")
    assert again["psnet"] == content["psnet"]
    assert torch.equal(again["state_dict"]["reid.weight"], torch.arange(3.0))


def test_a_writer_that_dies_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"psnet": {"form": FORM, "epoch": 1}}, target)

    def half(content: object, file: Path) -> None:
        file.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(WriteError, match=r"\(No space left on device\); the checkpoint before it is whole: "):
        AtomicCheckpointIO().save_checkpoint({"psnet": {"form": FORM, "epoch": 2}}, target)
    assert read_checkpoint(target)["psnet"]["epoch"] == 1
    assert list(tmp_path.iterdir()) == [target]


FULL_DISK = """
import resource, sys, torch
from psnet.checkpoint import FORM, AtomicCheckpointIO
content = {"psnet": {"form": FORM, "epoch": 2}, "state_dict": {"weight": torch.zeros(100_000)}}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
AtomicCheckpointIO().save_checkpoint(content, sys.argv[1])
"""


def test_a_file_system_that_takes_no_more(tmp_path: Path):
    target = epochs(tmp_path, 1)
    ended = subprocess.run([sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, check=False)
    assert "WriteError: no checkpoint could be written to" in ended.stderr
    assert newest_file(tmp_path) == target
    assert read_checkpoint(target)["psnet"]["epoch"] == 1
    assert list(tmp_path.iterdir()) == [target]


def epochs(folder: Path, *numbers: int) -> Path:
    for number in numbers:
        content = {"psnet": {"form": FORM, "epoch": number}, "epoch": number, "global_step": 10 * number}
        AtomicCheckpointIO().save_checkpoint(content, folder / "last.ckpt")
    return folder / "last.ckpt"


def newest_file(folder: Path) -> Path:
    begun = newest(folder)
    assert begun is not None
    return begun.file


def test_the_one_before_is_kept(tmp_path: Path):
    last = epochs(tmp_path, 1)
    assert not before(last).exists()
    epochs(tmp_path, 2, 3)
    assert read_checkpoint(last)["psnet"]["epoch"] == 3
    assert read_checkpoint(before(last))["psnet"]["epoch"] == 2
    assert len(list(tmp_path.iterdir())) == 2
    assert newest_file(tmp_path) == last


def test_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert read_checkpoint(before(epochs(tmp_path, 1, 2)))["psnet"]["epoch"] == 1


def test_killed_after_the_older_one_was_kept_and_before_the_new_one_was_there(tmp_path: Path):
    last = epochs(tmp_path, 1)
    os.link(last, before(last))
    epochs(tmp_path, 2)
    assert read_checkpoint(before(last))["psnet"]["epoch"] == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_one_is_named_and_the_one_before_it_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    last = epochs(tmp_path, 1, 2)
    last.write_bytes(last.read_bytes()[:-100])
    found = newest(tmp_path)
    assert found == Begun(before(last), epochs=2, steps=10, meta={"form": FORM, "epoch": 1})
    assert f"{last} cannot be read as a checkpoint" in caplog.text
    before(last).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"can be read; remove last\.ckpt and last-before\.ckpt to start anew"):
        newest(tmp_path)
    assert newest(tmp_path / "none") is None


def test_one_that_is_whole_and_of_no_use_is_not_passed_over(tmp_path: Path):
    last = epochs(tmp_path, 1, 2)
    last.unlink()
    torch.save({"psnet": {"form": FORM + 1}}, last)
    with pytest.raises(CheckpointError, match=rf"in form {FORM + 1}"):
        newest(tmp_path)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MemoryError()])
def test_one_that_cannot_be_opened_now_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    epochs(tmp_path, 1, 2)

    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises((CheckpointError, MemoryError)) as raised:
        newest(tmp_path)
    if isinstance(error, OSError):
        assert (
            str(raised.value) == f"checkpoint {tmp_path / 'last.ckpt'} cannot be opened (Permission denied); see to it"
        )
    assert not isinstance(raised.value, DamagedError)


@pytest.mark.parametrize(
    ("goes_on_from", "stay"),
    [
        ("last.ckpt", {"last.ckpt", "last-before.ckpt"}),
        ("last-before.ckpt", {"last-before.ckpt", "last-aside2.ckpt"}),
        ("mine.ckpt", {"mine.ckpt", "last-aside2.ckpt", "last-aside3.ckpt"}),
    ],
)
def test_later_ones_are_set_aside(tmp_path: Path, goes_on_from: str, stay: set[str]):
    last = epochs(tmp_path, 1, 2)
    (tmp_path / "last-aside.ckpt").write_text("of another time")
    shutil.copy(last, tmp_path / "mine.ckpt")
    contents = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    set_aside(tmp_path, read_begun(tmp_path / goes_on_from))
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(left) == stay | {"mine.ckpt", "last-aside.ckpt"}
    assert sorted(left.values()) == sorted(contents.values())
    assert left[goes_on_from] == contents[goes_on_from]


@pytest.mark.parametrize("form", [{}, {"form": FORM + 1}])
def test_one_in_another_form(tmp_path: Path, form: dict[str, int]):
    file = tmp_path / "last.ckpt"
    torch.save({"psnet": {"seed": 1, **form}}, file)
    with pytest.raises(CheckpointError, match=rf"form {form.get('form', 0)}, and this psnet reads form {FORM}\. Take"):
        read_checkpoint(file)
    with pytest.raises(CheckpointError):  # it is one of ours, whose training images nobody knows
        is_checkpoint(file)


def test_other_weights_are_none_of_ours(tmp_path: Path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "official.pth")
    assert not is_checkpoint(tmp_path / "official.pth")


def test_a_missing_one(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt does not exist; give the path"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_truncated_one(tmp_path: Path):
    file = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"psnet": {"epoch": 1}, "weight": torch.zeros(10_000)}, file)
    file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read as a checkpoint"):
        read_checkpoint(file)


@pytest.mark.parametrize("content", [b"", b"<html>a page</html>", b"\x80\x02 half a pickle"])
def test_any_other_file_in_one_line(tmp_path: Path, content: bytes):
    """PyTorch's own message has a dozen lines, about options that nobody here has."""
    (tmp_path / "page.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"page\.ckpt cannot be read .* Give a \.ckpt file") as error:
        read_checkpoint(tmp_path / "page.ckpt")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2]])
def test_somebody_elses(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="is not a checkpoint of psnet"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_one_network_of_several():
    torch.manual_seed(0)
    both = nn.ModuleDict({"sr": nn.Linear(2, 2), "reid": nn.Linear(3, 2)})
    own = nn.Linear(3, 2)
    load_part(own, {"state_dict": both.state_dict()}, "reid")
    assert torch.equal(own.weight, both["reid"].weight)
    assert torch.equal(own.bias, both["reid"].bias)


def test_where_it_comes_from():
    assert versions()["torch"] == torch.__version__
    revision = git_revision().removesuffix("-dirty")
    assert not revision or len(revision) >= 12
