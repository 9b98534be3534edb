"""A trained model on anybody's images."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import evaluate
import psnet
from psnet.checkpoint import CheckpointError, read_checkpoint
from psnet.data.dataset import RowImages
from psnet.data.images import read_image, to_pillow
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder, EmbedderError
from psnet.embeddings import read_embeddings
from psnet.engines import EngineError
from tests.checkpoints import write_checkpoint
from tests.composed import composed
from tests.tiny import TINY

TOLERANCE = {"rtol": 0, "atol": 2e-6}
"""Sums of 32 bits in another order, in a batch of another size."""


def test_it_embeds_as_evaluation_does(checkpoint: Path, embedder: Embedder, tiny: Manifest, tmp_path: Path):
    """Whole path of both: an image that is low, at its own size, and sharp ones."""
    settings = [*TINY, f"dataset.source.reader.root={tiny.roots[tiny.rows[0].source]}"]
    dataset = [word for word in settings if word.startswith("dataset")]
    cfg = composed(f"checkpoint={checkpoint}", *dataset, "loader.workers=0", job="evaluate")
    cfg.embeddings, cfg.trainer.precision, cfg.untrained = str(tmp_path / "e.npz"), "32-true", False
    evaluate.evaluate_checkpoint(checkpoint, cfg, tmp_path / "out", manifest=tiny)
    expected = read_embeddings([tmp_path / "e.npz"])
    images = RowImages(tiny, embedder.preprocess)
    assert expected.made_by == embedder.made_by
    for side, rows in (("query", tiny.split("query")), ("gallery", tiny.split("gallery"))):
        found = embedder.embed([images.low_native(row) for row in rows], batch_size=3)
        np.testing.assert_allclose(found.embedding, getattr(expected, side).embedding, **TOLERANCE)
    assert any(images.low_native(row).shape[1:] == (32, 16) for row in tiny.split("query"))


def test_the_embedding_is_that_of_the_method(embedder: Embedder, crops: Path):
    """Restored, described, and the same of the mirror image; their sum, of unit length."""
    task, file = embedder.engine.task, sorted(crops.rglob("*.*"))[0]
    image = np.asarray(Image.open(file).convert("RGB").resize((32, 64), Image.Resampling.BILINEAR))
    plain = torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255

    def described(x: Tensor) -> Tensor:
        features = task.reid(task.sr(x))  # type: ignore[operator]
        return torch.cat([*features.branches, features.neck], dim=1)

    with torch.no_grad():
        expected = described(plain) + described(torch.flip(plain, [3]))
    found = embedder.embed(file).embedding
    np.testing.assert_allclose(found, expected / expected.norm(), **TOLERANCE)
    assert found.dtype == np.float32


def test_the_neck_is_the_last_part_by_itself(checkpoint: Path, embedder: Embedder, crops: Path):
    neck = Embedder.from_checkpoint(checkpoint, precision="32-true", part="neck")
    whole = torch.from_numpy(embedder.embed(crops).embedding)
    found = neck.embed(crops)
    width = neck.engine.task.reid.fc1.out_features  # type: ignore[union-attr]
    assert found.embedding.shape == (8, width)
    np.testing.assert_allclose(found.embedding, F.normalize(whole[:, -width:], dim=1), **TOLERANCE)
    assert neck.made_by.digest == embedder.made_by.digest
    assert neck.made_by != embedder.made_by


# What can be given


def test_a_folder(embedder: Embedder, crops: Path):
    (crops / "notes.txt").write_text("litter")
    (crops / ".hidden.png").write_bytes(b"")
    found = embedder.embed(crops)
    files = sorted(file for file in crops.rglob("*") if file.is_file() and "_c" in file.name)
    assert found.columns["path"].tolist() == [file.relative_to(crops).as_posix() for file in files]
    assert found.root == str(crops)
    assert found.columns["sha256"].tolist() == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    sizes = [Image.open(file).size for file in files]
    assert list(zip(found.columns["width"].tolist(), found.columns["height"].tolist(), strict=True)) == sizes
    assert np.allclose(np.linalg.norm(found.embedding, axis=1), 1, atol=1e-6)


def test_every_way_to_give_an_image(embedder: Embedder, crops: Path):
    file = sorted(crops.rglob("*.*"))[0]
    image = read_image(file)
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    expected = embedder.embed(str(file)).embedding
    ways = {
        "path": embedder.embed(file),
        "list": embedder.embed([file]),
        "pattern": embedder.embed(str(file.with_name(f"{file.stem[:6]}*"))),
        "pillow": embedder.embed(to_pillow(image)),
        "rgb": embedder.embed(array, color="rgb"),
        "bgr": embedder.embed(array[:, :, ::-1], color="bgr"),
        "bytes": embedder.embed(image),
        "floats": embedder.embed(image / 255),
        "double": embedder.embed((image / 255).double()[None]),
        "generator": embedder.embed(one for one in [image]),
    }
    for name, found in ways.items():
        np.testing.assert_array_equal(found.embedding, expected, name)
    assert ways["path"].columns["path"].tolist() == [file.as_posix()]
    assert ways["pillow"].columns["path"].tolist() == ["image 0"]


def test_a_batch_of_tensors_and_other_things_keep_their_order(embedder: Embedder, crops: Path):
    files = sorted(crops.rglob("*.*"))
    pair = torch.stack([embedder.preprocess(read_image(file)) for file in files[:2]])
    found = embedder.embed([files[2], pair, Image.open(files[3])])
    assert found.columns["path"].tolist() == [files[2].as_posix(), "image 1", "image 2", "image 3"]
    whole = embedder.embed(files[:4]).embedding
    np.testing.assert_allclose(found.embedding, whole[[2, 0, 1, 3]], **TOLERANCE)


def test_any_size_and_any_kind(embedder: Embedder, tmp_path: Path):
    """Upright, wide, tiny, grey, four colours; each as Pillow would make it the network's input."""
    random = np.random.default_rng(0)
    for number, (height, width, mode) in enumerate([(300, 20, "RGB"), (9, 90, "L"), (1, 1, "RGB"), (50, 30, "CMYK")]):
        pixels = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
        pixels.save(tmp_path / f"{number}.jpg", quality=95)
    expected = []
    for file in sorted(tmp_path.iterdir()):
        image = Image.open(file).convert("RGB").resize((32, 64), Image.Resampling.BILINEAR)
        expected.append(embedder.embed(np.array(image), color="rgb").embedding[0])
    np.testing.assert_allclose(embedder.embed(tmp_path).embedding, expected, **TOLERANCE)


def test_names_of_ones_own(embedder: Embedder, crops: Path):
    frames = [torch.zeros(3, 9, 9), torch.ones(3, 9, 9)]
    assert embedder.embed(frames, names=["a", "b"]).columns["path"].tolist() == ["a", "b"]
    for names in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(EmbedderError, match="different names are given for 2 images"):
            embedder.embed(frames, names=names)


def test_what_is_lazy_or_comes_in_the_same_memory(embedder: Embedder, crops: Path):
    """A file that Pillow has only opened, several times; and frames that a reader writes over the last one."""
    first, second, *_ = files = sorted(crops.rglob("*.*"))
    expected = embedder.embed(files[:2]).embedding
    for _ in range(5):
        lazy = Image.open(first)
        found = embedder.embed([lazy] * 6)
        assert not found.failed
        np.testing.assert_allclose(found.embedding, np.stack([expected[0]] * 6), **TOLERANCE)

    def frames(reversed_: bool):  # type: ignore[no-untyped-def]
        buffer = np.empty((64, 32, 3), np.uint8)
        for file in (first, second):
            buffer[:] = np.asarray(Image.open(file).convert("RGB"))[:, :, :: -1 if reversed_ else 1]
            yield buffer

    for color in ("rgb", "bgr"):
        found = embedder.embed(frames(color == "bgr"), color=color)
        np.testing.assert_allclose(found.embedding, expected, **TOLERANCE)


def test_a_broken_pillow_image_is_one_that_failed(embedder: Embedder, crops: Path):
    first, second, *_ = sorted(crops.rglob("*.*"))
    broken = first.with_name("half.png")
    broken.write_bytes(first.read_bytes()[:-200])
    found = embedder.embed([Image.open(broken), second])
    assert [one.path for one in found.failed] == ["image 0"]
    assert len(found) == 1


def test_names_with_brackets_and_names_that_are_no_text(embedder: Embedder, crops: Path):
    (crops / "cam0").rename(crops / "cam[0]")
    assert len(embedder.embed(str(crops / "cam*"))) == 8
    file = next((crops / "cam1").iterdir())
    odd = os.fsdecode(os.fsencode(str(crops)) + b"/J\xf6rg.png")
    os.rename(file, odd)
    assert "J\\xf6rg.png" in embedder.embed(crops).columns["path"].tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_batches_change_nothing(embedder: Embedder, crops: Path, batch_size: int):
    found = embedder.embed(crops, batch_size=batch_size)
    np.testing.assert_allclose(found.embedding, embedder.embed(crops, batch_size=4).embedding, **TOLERANCE)


def test_what_cannot_be_read_is_named_and_the_rest_goes_through(embedder: Embedder, crops: Path):
    whole = embedder.embed(crops, columns={"number": list(range(8))})
    first, *_, last = sorted(crops.rglob("*.*"))
    first.write_bytes(first.read_bytes()[:300])
    last.write_bytes(b"")
    (crops / "zip.jpg").write_bytes(b"PK\x03\x04" + bytes(30))
    found = embedder.embed(crops, columns={"number": [*range(8), 99]})
    assert [one.path for one in found.failed] == [*(p.relative_to(crops).as_posix() for p in (first, last)), "zip.jpg"]
    assert [one.reason for one in found.failed][1:] == ["empty file", "not an image"]
    np.testing.assert_allclose(found.embedding, whole.embedding[1:-1], **TOLERANCE)
    assert found.columns["number"].tolist() == list(range(1, 7))


@pytest.mark.parametrize(
    ("given", "how", "message"),
    [
        (3, {}, "int is no image: give paths"),
        ([], {}, "there is no image in what is given"),
        ("no/where.jpg", {}, r"none of 1 images can be read: no/where.jpg \(No such file or directory\)"),
        ("no/*.jpg", {}, r"no file is named like no/\*.jpg"),
        (np.zeros((4, 4, 3), np.uint8), {}, "does not say in which order its colours are"),
        (np.zeros((4, 4, 3), np.uint8), {"color": "gbr"}, "color='gbr' must be one of rgb, bgr"),
        (np.zeros((4, 4, 3)), {"color": "rgb"}, r"an array of float64 \(4, 4, 3\) is no image"),
        (np.zeros((3, 4, 4), np.uint8), {"color": "rgb"}, r"an array of uint8 \(3, 4, 4\) is no image"),
        (np.zeros((0, 4, 3), np.uint8), {"color": "rgb"}, "is an empty image"),
        (torch.zeros(4, 4, 3), {}, r"a tensor of shape \(4, 4, 3\) is no image"),
        (torch.full((3, 4, 4), 255.0), {}, r"floats from 255 to 255 is no image; give values in \[0, 1\]"),
        (torch.full((3, 4, 4), float("nan")), {}, "floats from nan to nan"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), {}, "a tensor of torch.int64 is no image"),
        (torch.zeros(3, 4, 4), {"batch_size": 0}, "batch_size=0 must be at least 1"),
        (torch.zeros(3, 4, 4), {"columns": {"pid": [1, 2]}}, r"column 'pid' has shape \(2,\), and there are 1 images"),
        ("", {}, "the path of an image is empty"),
        (torch.zeros(3, 4, 4), {"columns": {"place": [None]}}, "column 'place' holds objects, such as None"),
        (torch.zeros(3, 4, 4), {"columns": {"file": ["a"]}}, "columns has 'file', which means something else"),
        (torch.zeros(3, 4, 4), {"columns": {"path": ["a"]}}, "columns has 'path', which means something else"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input(embedder: Embedder, given: object, how: dict, message: str):
    with pytest.raises(EmbedderError, match=message):
        embedder.embed(given, **how)  # type: ignore[arg-type]


# Which model


def test_its_name_says_what_it_is(embedder: Embedder):
    text = str(embedder.made_by)
    assert text.startswith("PSHRNet, test_resnet, trained on mlr_synthetic (")
    assert "64 x 32 bilinear" in text


def test_other_weights_are_another_model(tiny: Manifest, embedder: Embedder, tmp_path: Path):
    same = write_checkpoint(tmp_path / "same.ckpt", tiny, "ps_hrnet_demo", "seed=5")
    other = write_checkpoint(tmp_path / "other.ckpt", tiny, "ps_hrnet_demo", seed=1)
    assert Embedder.from_checkpoint(same).made_by == embedder.made_by  # trained otherwise, to the same weights
    assert Embedder.from_checkpoint(other).made_by.digest != embedder.made_by.digest


@pytest.mark.parametrize(("model", "parts"), [("hrnet_reid_small", "ReID"), ("hrnet_reid_sr_small", "PSHRNet")])
def test_other_models(tiny: Manifest, crops: Path, tmp_path: Path, model: str, parts: str):
    size = "model.recipe.image_size=[96,64]"
    embedder = Embedder.from_checkpoint(write_checkpoint(tmp_path / "m.ckpt", tiny, model, size))
    assert embedder.embed(crops).embedding.shape == (8, embedder.made_by.dimensions)
    assert str(embedder.made_by).startswith(parts)
    restored = embedder.restore(torch.zeros(3, 40, 20, dtype=torch.uint8))
    assert (restored is None) if parts == "ReID" else (restored.shape == (3, 96, 64) and restored.dtype == torch.uint8)


def test_a_restorer_describes_nothing(tiny: Manifest, tmp_path: Path):
    file = write_checkpoint(tmp_path / "sr.ckpt", tiny, "vdsr_ca_small")
    with pytest.raises(EmbedderError, match="restores images and describes none"):
        Embedder.from_checkpoint(file)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"part": "tail"}, "part='tail' must be one of whole, neck"),
        ({"precision": "8"}, "precision='8' must be auto or one of 32-true, bf16-mixed"),
        ({"device": "nowhere"}, "device='nowhere' cannot be used"),
        ({"device": "cuda:99"}, "device='cuda:99' cannot be used"),
    ],
)
def test_bad_settings(checkpoint: Path, how: dict, message: str):
    with pytest.raises((EmbedderError, EngineError), match=message):
        Embedder.from_checkpoint(checkpoint, **how)


def test_a_checkpoint_that_would_run_other_code(checkpoint: Path, tmp_path: Path):
    content = read_checkpoint(checkpoint)
    content["psnet"]["model"]["sr"] = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "was here")}
    torch.save(content, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match=r"built by pathlib\.Path\.touch, which is no network of psnet"):
        Embedder.from_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("sr", "${oc.create:{_target_: pathlib.Path.touch, self: HERE}}", "is to be worked out when it is read"),
        ("view", "${oc.env:HOME}", "is to be worked out when it is read"),
        ("${oc.env:HOME}", 1, "is to be worked out when it is read"),
        ("sr", {"_target_": "psnet.models.VDSRCA", "_args_": [1]}, "have _args_"),
        ("reid", {"_target_": "psnet.models.HRNetReID", "backbone": {"_target_": "os.getcwd"}}, "built by os.getcwd"),
    ],
)
def test_settings_that_would_run_something(checkpoint: Path, tmp_path: Path, setting: str, value: object, message: str):
    content = read_checkpoint(checkpoint)
    if isinstance(value, str):
        value = value.replace("HERE", str(tmp_path / "was here"))
    content["psnet"]["model"][setting] = value
    torch.save(content, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match=message):
        Embedder.from_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "was here").exists()


def test_what_does_not_fit_is_told(checkpoint: Path, tmp_path: Path):
    for change, error, message in (
        (lambda content: content["state_dict"].pop("reid.fc1.weight"), CheckpointError, "the weights do not fit"),
        (lambda content: content["psnet"]["model"].pop("recipe"), EmbedderError, "does not describe a model"),
        (
            lambda content: content["psnet"]["model"]["recipe"].update(upsampling="nearest"),
            ValueError,
            "upsampling='ne",
        ),
        (
            lambda content: content["psnet"]["model"]["recipe"].update(image_size=[0, 3]),
            ValueError,
            r"image_size=\[0, 3\]",
        ),
    ):
        content = read_checkpoint(checkpoint)
        change(content)
        torch.save(content, tmp_path / "odd.ckpt")
        with pytest.raises(error, match=message):
            Embedder.from_checkpoint(tmp_path / "odd.ckpt")


def test_a_network_of_ones_own_is_trusted_by_name(checkpoint: Path, crops: Path, tmp_path: Path):
    content, own = read_checkpoint(checkpoint), "psnet.models.vdsr_ca.VDSRCA"  # by another name than ours
    content["psnet"]["model"]["sr"]["_target_"] = own
    torch.save(content, tmp_path / "own.ckpt")
    with pytest.raises(CheckpointError, match="trusted="):
        Embedder.from_checkpoint(tmp_path / "own.ckpt")
    assert len(Embedder.from_checkpoint(tmp_path / "own.ckpt", trusted=[own]).embed(crops)) == 8


def test_importing_psnet_is_quick():
    code = "import sys, psnet; print('torch' in sys.modules); psnet.Embedder; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
    assert psnet.Embedder is Embedder
    with pytest.raises(AttributeError, match="no attribute 'Embeder'"):
        psnet.Embeder  # noqa: B018


def test_progress_is_shown_where_it_takes_long(
    embedder: Embedder, crops: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("psnet.progress.SLOW_SECONDS", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    embedder.embed(crops)
    assert "Embedding" in capsys.readouterr().err
    embedder.embed(crops, progress=False)
    assert not capsys.readouterr().err
