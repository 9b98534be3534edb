"""What is written as good, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from psnet.cli import main
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.embedder import Embedder
from psnet.embedder.given import files
from psnet.engines import EngineError
from psnet.engines.exported import ExportedEngine
from psnet.engines.graph import traced
from psnet.engines.kept import Check
from psnet.engines.pt2_file import open_pt2, write_pt2
from psnet.export import wish
from psnet.export.check import Labelled, check_unseen, compared
from psnet.export.engines import export_engines
from psnet.export.model import export_model
from psnet.export.refuse import EXACT, RESIZED, refuse_inexact, refuse_loss
from psnet.export.wish import Wish

CHECK = Check(12, (1, 12), "32-true", 0.0, 0.0, 1.0)


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    export_model(str(checkpoint), tmp_path / "model")
    return tmp_path / "model"


def test_how_far_embeddings_are_apart_is_found():
    """A graph that turns each embedding by a known angle; nearest neighbours by a slow twin."""
    random = torch.Generator().manual_seed(0)
    wanted = F.normalize(torch.randn(14, 3, generator=random), dim=1)
    images = [torch.full((3, 8, 4), row, dtype=torch.uint8) for row in range(14)]
    angle = 0.1
    turn = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    turn[:2, :2] = torch.tensor([[torch.tensor(angle).cos(), -torch.tensor(angle).sin()], [0.0, 0.0]])
    turn[1, :2] = torch.tensor([torch.tensor(angle).sin(), torch.tensor(angle).cos()])

    def run(given):  # type: ignore[no-untyped-def]
        rows = torch.from_numpy(given)[:, 0, 0, 0].long()
        off = wanted[rows].clone()
        off[rows == 5] = wanted[rows[rows == 5]] @ turn.T
        return [off.numpy()]

    check = compared(ExportedEngine("onnx", run, "32-true", True), Preprocess((8, 4)), images, wanted)
    moved = torch.cat([wanted[:5], wanted[5:6] @ turn.T, wanted[6:]]).double()
    assert check.cosine == pytest.approx(float(1 - moved[5] @ wanted[5].double()), abs=1e-6)
    shared = 0
    for row in range(14):
        sides = [sorted(set(range(14)) - {row}, key=lambda o: -float(e[row] @ e[o]))[:10] for e in (moved, wanted)]
        shared += len(set(sides[0]) & set(sides[1]))
    assert check.agreement == pytest.approx(shared / 140)
    assert (check.images, check.batches) == (14, (1, 14))


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_graph_that_is_wrong_in_batches_alone_is_seen(wrong: float):
    wanted = F.normalize(torch.randn(14, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    images = [torch.full((3, 8, 4), row, dtype=torch.uint8) for row in range(14)]

    def run(given):  # type: ignore[no-untyped-def]
        found = wanted[torch.from_numpy(given)[:, 0, 0, 0].long()].clone()
        if len(found) > 1:
            found[-1, 0] = wrong
        return [found.numpy()]

    with pytest.raises(EngineError, match="openvino gives embeddings that are no numbers"):
        compared(ExportedEngine("openvino", run, "32-true", True), Preprocess((8, 4)), images, wanted)


@pytest.mark.parametrize(("figure", "most"), [("cosine", EXACT), ("own_size", RESIZED)])
def test_a_graph_that_is_not_exact_is_refused(figure: str, most: float):
    refuse_inexact("onnx", replace(CHECK, **{figure: most}))
    with pytest.raises(EngineError, match="onnx is not exact"):
        refuse_inexact("onnx", replace(CHECK, **{figure: 2 * most}))


def test_int8_that_loses_too_much_is_refused():
    refuse_loss(CHECK, 0.005)
    refuse_loss(replace(CHECK, scored={"Rank-1": [0.5, 0.495]}), 0.005)
    with pytest.raises(EngineError, match="int8 has little of the checkpoint"):
        refuse_loss(replace(CHECK, cosine=0.2), 0.005)
    with pytest.raises(EngineError, match=r"from 50.0% to 49.0%, more than --most-loss 0.5 points; it was not written"):
        refuse_loss(replace(CHECK, scored={"Rank-1": [0.5, 0.49]}), 0.005)


def test_a_graph_without_preprocessing(embedder: Embedder, tiny: Manifest, tmp_path: Path):
    """Takes what the network takes, and no other size."""
    write_pt2(traced(embedder.engine.task, embedder.preprocess, inside=False), tmp_path / "model.pt2")  # type: ignore[attr-defined]
    engine = open_pt2(tmp_path / "model.pt2", "cpu", "auto", inside=False)
    other = Embedder(engine, embedder.preprocess, embedder.made_by, tmp_path)
    images = [tiny.path(row) for row in tiny.split("query")]
    found, wanted = other.embed(images).embedding, embedder.embed(images).embedding
    assert float((found * wanted).sum(axis=1).min()) > 1 - 1e-6
    with pytest.raises(Exception, match=r"shape|size|64"):
        engine.run(torch.zeros(1, 3, 20, 10).numpy())


def test_a_score_of_trained_images_hides_what_is_lost(embedder: Embedder, tiny: Manifest):
    train, gallery = (files([tiny.path(row) for row in tiny.split(split)]) for split in ("train", "gallery"))
    check_unseen(Labelled(gallery, gallery), embedder.trained_images)
    for labelled in (Labelled(train, gallery), Labelled(gallery, train)):
        with pytest.raises(EngineError, match="has been trained on"):
            check_unseen(labelled, embedder.trained_images)


def test_what_cannot_be_compared_is_not_begun(folder: Path, tiny: Manifest, tmp_path: Path):
    embedder = Embedder.from_pretrained(folder, device="cpu", precision="32-true")
    listing = files([tiny.path(row) for row in tiny.rows])
    (folder / ".export-killed").mkdir()  # by a process that was
    with pytest.raises(EngineError, match=r"12 images or more are needed to compare on, and 3 of 3 can be read"):
        export_engines(embedder, Wish(["onnx"], listing.rows(range(3)), listing))
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(EngineError, match=r"12 images or more are needed to compare on, and 0 of 20 can be read"):
        export_engines(embedder, Wish(["onnx"], files([tmp_path / "empty"] * 20), listing))
    assert not (folder / "engines.json").exists()
    assert not list(folder.glob(".export-*"))


UNSEEN = ["--query", ".", "--gallery", ".", "--names", "(?P<pid>cam)"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "onnx,coreml", "--images", "."], "--to coreml must be of onnx, openvino, int8, pt2"),
        (["--to", "onnx"], "--to needs --images"),
        (["--images", "."], "--images is for other engines, and none is asked for"),
        (["--to", "int8", "--images", ".", "--query", "."], "--query, --gallery and --names go together"),
        (
            ["--to", "int8", "--images", ".", *UNSEEN, "--most-loss", "nan"],
            "--most-loss nan must be a number of points",
        ),
        (["--to", "int8", "--images", ".", "--most-loss", "1"], "--most-loss is of Rank-1, which is found by --query"),
        (["--to", "int8 , coreml", "--images", ".", "--calibrate", "."], "--to coreml must be of onnx"),
        (["--to", "onnx", "--images", ".", "--calibrate", "."], "--calibrate is for int8, which --to does not ask for"),
        (["--without-preprocessing"], "--without-preprocessing is for other engines, and none is asked for"),
        (["--most-loss", "0"], "--most-loss is for other engines, and none is asked for"),
        (["--most-loss", "1"], "--most-loss is for other engines, and none is asked for"),
        (
            ["--to", "onnx", "--images", ".", *UNSEEN],
            "--to has no int8",
        ),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_written(
    checkpoint: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
):
    monkeypatch.chdir(crops)
    with pytest.raises(SystemExit, match=message):
        main(["export", str(checkpoint), str(tmp_path / "new"), *words])
    assert not (tmp_path / "new").exists()


def test_a_library_that_is_missing_is_named(
    checkpoint: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wish, "find_spec", lambda name: None if name == "nncf" else name)
    with pytest.raises(SystemExit, match=r"--to int8 needs nncf; install with pip install -e '\.\[int8\]'"):
        main(["export", str(checkpoint), str(tmp_path / "new"), "--to", "int8", "--images", str(crops)])
    assert not (tmp_path / "new").exists()
