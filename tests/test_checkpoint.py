"""Checkpoints are whole or not there, and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from psnet.checkpoint import (
    FORM,
    AtomicCheckpointIO,
    CheckpointError,
    git_revision,
    load_part,
    read_checkpoint,
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
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint({"psnet": {"form": FORM, "epoch": 2}}, target)
    assert read_checkpoint(target)["psnet"]["epoch"] == 1
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("form", [{}, {"form": FORM + 1}])
def test_one_in_another_form(tmp_path: Path, form: dict[str, int]):
    file = tmp_path / "last.ckpt"
    torch.save({"psnet": {"seed": 1, **form}}, file)
    with pytest.raises(CheckpointError, match=rf"form {form.get('form', 0)}, and this psnet reads form {FORM}\. Take"):
        read_checkpoint(file)


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
