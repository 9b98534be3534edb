"""A model as a folder, here and on a hub."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from psnet.atomic import WriteError, write_whole
from psnet.checkpoint import read_checkpoint
from psnet.cli import main
from psnet.embedder import Embedder, EmbedderError, model_folder
from psnet.embedder.model_folder import read_folder, write_folder

FILES = {"README.md", "config.json", "model.safetensors", "trained_images.txt"}


@pytest.fixture(scope="module")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "mine"
    main(["export", str(checkpoint), str(folder)])
    return folder


def test_it_is_the_same_model(folder: Path, embedder: Embedder, crops: Path):
    assert {file.name for file in folder.iterdir()} == FILES
    found = Embedder.from_pretrained(folder, precision="32-true")
    assert found.made_by == embedder.made_by
    assert np.array_equal(found.embed(crops).embedding, embedder.embed(crops).embedding)


def test_nothing_is_lost(folder: Path, checkpoint: Path):
    there, kept = read_checkpoint(checkpoint), read_folder(folder)
    assert kept["psnet"] == {"library_name": "psnet", **there["psnet"]}
    assert kept["state_dict"].keys() == there["state_dict"].keys()
    assert len(kept["psnet"]["trained_images"]) > 0


def test_a_folder_is_exported_again(folder: Path, tmp_path: Path):
    main(["export", str(folder), str(tmp_path / "copy")])
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_the_card(folder: Path, checkpoint: Path, tmp_path: Path):
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: psnet\n")
    assert 'Embedder.from_pretrained("mine")' in card
    shutil.copy(checkpoint, tmp_path / "last.ckpt")
    (tmp_path / "card.md").write_text(f"# What evaluation has found\nof {(tmp_path / 'last.ckpt').resolve()}\n")
    main(["export", str(tmp_path / "last.ckpt"), str(tmp_path / "with")])
    assert "# What evaluation has found\nof last.ckpt\n" in (tmp_path / "with" / "README.md").read_text()
    (tmp_path / "card.md").write_text("# Of something else\n")
    main(["export", str(tmp_path / "with"), str(tmp_path / "again")])
    again = (tmp_path / "again" / "README.md").read_text()
    assert again == (tmp_path / "with" / "README.md").read_text().replace('("with")', '("again")')


def test_from_the_hub(folder: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the hub's client keeps what it has fetched; there is no network where tests run."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    kept = tmp_path / "models--someone--ps-hrnet"
    shutil.copytree(folder, kept / "snapshots" / "abc")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    assert len(Embedder.from_pretrained("someone/ps-hrnet").embed(crops)) == 8
    with pytest.raises(EmbedderError, match="no folder someone/other here, and the hub does not give"):
        Embedder.from_pretrained("someone/other")


@pytest.mark.parametrize("name", ["nowhere", "a/b/c", "./no/where", "/no/where"])
def test_no_such_model(name: str):
    with pytest.raises(EmbedderError, match=f"there is no folder {name}, nor is it a name on the hub"):
        Embedder.from_pretrained(name)


def test_damaged_folders(folder: Path, tmp_path: Path):
    for name, spoil, message in (
        ("model.safetensors", lambda file: file.write_bytes(file.read_bytes()[:-100]), "is damaged"),
        ("model.safetensors", lambda file: file.write_bytes(b""), "is damaged"),
        ("config.json", lambda file: file.write_text("{"), "is damaged"),
        ("config.json", lambda file: file.write_text("[]"), "does not describe a model of psnet"),
        ("config.json", lambda file: file.write_text('{"library_name": "timm"}'), "does not describe a model of psnet"),
        ("config.json", lambda file: file.unlink(), r"is no folder of a model .*No such file"),
        ("trained_images.txt", lambda file: file.unlink(), "is no folder of a model"),
        ("config.json", set_form, "says what it is in form 1, and this psnet reads form"),
    ):
        shutil.rmtree(tmp_path / "spoilt", ignore_errors=True)
        shutil.copytree(folder, tmp_path / "spoilt")
        spoil(tmp_path / "spoilt" / name)
        with pytest.raises(EmbedderError, match=message):
            Embedder.from_pretrained(tmp_path / "spoilt")


def test_one_that_was_killed_is_written_again(folder: Path, checkpoint: Path, tmp_path: Path):
    """Anew, or over another model: in between it is no model."""
    other, content = tmp_path / "other", read_folder(folder)
    write_folder(
        {**content, "state_dict": {name: 2 * value for name, value in content["state_dict"].items()}}, other, ""
    )
    for half in (tmp_path / "new", other):
        written: list[Path] = []

        def until_killed(path: Path, content: str | bytes, written: list[Path] = written) -> Path:
            if len(written) == 2:
                raise RuntimeError("killed")
            written.append(path)
            return write_whole(path, content)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model_folder, "write_whole", until_killed)
            with pytest.raises(RuntimeError, match="killed"):
                write_folder(read_checkpoint(checkpoint), half, "")
        (half / ".model.safetensors.1.part").write_bytes(b"half")
        with pytest.raises(EmbedderError, match="was not written to its end; do it again with psnet export"):
            Embedder.from_pretrained(half)
        main(["export", str(checkpoint), str(half)])
        assert {file.name for file in half.iterdir()} == FILES
        assert read_folder(half)["psnet"] == read_folder(folder)["psnet"]


def test_a_model_that_is_written_over_itself_is_never_lost(folder: Path, tmp_path: Path):
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    with pytest.MonkeyPatch.context() as patch:
        for number in range(3):
            left = iter(range(number))
            patch.setattr(model_folder, "write_whole", lambda *of, left=left: (next(left), write_whole(*of)))
            with pytest.raises(StopIteration):
                write_folder(read_folder(own), own, "")
            assert read_folder(own)["psnet"] == read_folder(folder)["psnet"]


def test_a_model_stays_where_another_finds_no_room(folder: Path, checkpoint: Path, tmp_path: Path):
    other, content = tmp_path / "other", read_folder(folder)
    weights = {name: 2 * value for name, value in content["state_dict"].items()}
    write_folder({**content, "state_dict": weights}, other, "")
    before = read_folder(other)["state_dict"]

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="No space left"):
            write_folder(read_checkpoint(checkpoint), other, "")
    after = read_folder(other)["state_dict"]
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def set_form(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "form": 1}))


def test_other_peoples_folders_are_left_alone(checkpoint: Path, tmp_path: Path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(SystemExit, match=r"^error: .* is there already, and is no folder of a model"):
        main(["export", str(checkpoint), str(tmp_path)])
    assert [file.name for file in tmp_path.iterdir()] == ["holiday.jpg"]


def test_nothing_is_removed_from_other_people_s_folders(checkpoint: Path, tmp_path: Path):
    for name in ("engines.json", "model.onnx"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(SystemExit, match=r"^error: .* is there already, and is no folder of a model"):
        main(["export", str(checkpoint), str(tmp_path)])
    assert {file.name for file in tmp_path.iterdir()} == {"engines.json", "model.onnx"}


def test_a_graph_of_nobody_knows_what_is_removed(
    folder: Path, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """As one that was killed before it wrote down what it had made leaves it."""
    shutil.copytree(folder, tmp_path / "mine")
    (tmp_path / "mine" / "model.onnx").write_bytes(b"of other weights")
    main(["export", str(checkpoint), str(tmp_path / "mine")])
    assert {file.name for file in (tmp_path / "mine").iterdir()} == FILES
    assert "engines of other weights are removed: model.onnx" in caplog.text
