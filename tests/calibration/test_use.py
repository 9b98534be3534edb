"""A threshold with its model, and yes or no."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from psnet.calibration import CalibrationError
from psnet.calibration.kept import kept_thresholds as read_thresholds
from psnet.calibration.kept import place_of
from psnet.cli import main
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder, EmbedderError

NAMES = r"^cam\d/(?P<pid>\d+)_c"


@pytest.fixture
def model(checkpoint: Path, tmp_path: Path) -> Path:
    """One of its own, as thresholds lie beside it."""
    file = tmp_path / "model" / "last.ckpt"
    file.parent.mkdir()
    file.write_bytes(checkpoint.read_bytes())
    return file


@pytest.fixture
def files(model: Path, crops: Path, crops_again: Path, tmp_path: Path) -> list[str]:
    """Embeddings of the same people in query and gallery: each is found again."""
    for side, folder in (("query", crops), ("gallery", crops_again)):
        main(["embed", str(folder), "--model", str(model), "--out", str(tmp_path / f"{side}.npz"), "--names", NAMES])
    return [str(tmp_path / f"{side}.npz") for side in ("query", "gallery")]


def test_calibrate_and_compare(model: Path, files: list[str], crops: Path, capsys: pytest.CaptureFixture[str]):
    main(["calibrate", *files, "--model", str(model), "--far", "0.1"])
    said = " ".join(capsys.readouterr().out.split())
    assert "FAR" in said
    assert "Only 4 of 56 false pairs lie above it" in said  # of a tenth, pairs of mirror images come in twos
    assert str(place_of(model)) in said
    one, other = sorted(str(file) for file in crops.rglob("*.*"))[:2]
    main(["compare", one, one, "--model", str(model)])
    assert capsys.readouterr().out.startswith("the same person: ")
    embedder = Embedder.from_checkpoint(model)
    answer = embedder.compare(one, other)
    table = embedder.embed([one, other])
    assert answer.score == pytest.approx(float(table.embedding[0] @ table.embedding[1]), abs=2e-3)
    assert answer.same == (answer.score >= answer.threshold.value)
    assert answer.threshold.found.false_pairs == 8 * 7


def test_what_was_calibrated_on_an_exported_model_stays(
    model: Path, files: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "exported"
    for place, far in ((model, "0.5"), (folder, "0.1")):
        if place == folder:
            main(["export", str(model), str(folder)])
            assert read_thresholds(folder) == read_thresholds(model)
        main(["calibrate", *files, "--model", str(place), "--far", far])
    ours = read_thresholds(folder)
    assert [one.asked for one in ours] == [0.1]
    main(["export", str(model), str(folder)])
    assert read_thresholds(folder) == ours
    assert f"{folder} keeps its own threshold, {ours[0].value:.4f}, where" in caplog.text


def test_images_that_say_nothing(model: Path, files: list[str], tiny: Manifest, tmp_path: Path):
    """Those that were trained on, and an image beside itself."""
    with pytest.raises(SystemExit, match=r"8 images of .* are in query and gallery: that an image is like itself"):
        main(["calibrate", files[0], copied(files[0], tmp_path / "gallery.npz"), "--model", str(model), "--far", "0.1"])
    trained = [str(tiny.path(row)) for row in tiny.split("train")]
    for side, half in (("query", trained[::2]), ("gallery", trained[1::2])):
        out = str(tmp_path / f"{side}.npz")
        main(["embed", *half, "--model", str(model), "--out", out, "--names", r"/(?P<pid>\d+)[^/]*$"])
    with pytest.raises(SystemExit, match=rf"{len(trained)} of the {len(trained)} images of .* were trained on"):
        main(
            [
                "calibrate",
                *(str(tmp_path / f"{s}.npz") for s in ("query", "gallery")),
                "--model",
                str(model),
                "--far",
                "0.1",
            ]
        )


def copied(file: str, to: Path) -> str:
    return str(shutil.copy(file, to))


def test_without_a_threshold_there_is_no_answer(model: Path, crops: Path):
    image = str(next(crops.rglob("*.*")))
    with pytest.raises(SystemExit, match=r"^error: no threshold is known for PSHRNet.* neither yes nor no"):
        main(["compare", image, image, "--model", str(model)])


def test_it_holds_for_one_way_to_embed(
    model: Path, files: list[str], crops: Path, crops_again: Path, capsys: pytest.CaptureFixture[str]
):
    main(["calibrate", *files, "--model", str(model), "--far", "0.1"])
    neck = Embedder.from_checkpoint(model, part="neck")
    assert Embedder.from_checkpoint(model).threshold is not None
    assert neck.threshold is None
    with pytest.raises(SystemExit, match="was made by another model or preprocessing"):
        main(["calibrate", *files, "--model", str(model), "--far", "0.1", "--part", "neck"])
    for file, folder in zip(files, (crops, crops_again), strict=True):
        main(["embed", str(folder), "--model", str(model), "--out", file, "--names", NAMES, "--part", "neck"])
    main(["calibrate", *files, "--model", str(model), "--far", "0.2", "--part", "neck"])
    main(["calibrate", *files, "--model", str(model), "--far", "0.3", "--part", "neck"])
    assert "It takes the place of " in capsys.readouterr().out
    kept = [one["asked"] for one in json.loads(place_of(model).read_text())]
    assert kept == [0.1, 0.3]


def test_it_goes_with_a_folder(model: Path, files: list[str], tmp_path: Path):
    main(["calibrate", *files, "--model", str(model), "--far", "0.1"])
    main(["export", str(model), str(tmp_path / "folder")])
    found = Embedder.from_pretrained(tmp_path / "folder").threshold
    assert found == Embedder.from_checkpoint(model).threshold is not None


def test_a_damaged_file(model: Path, files: list[str]):
    for content in ("{", "[3]", "3", "[{}]"):
        place_of(model).write_text(content)
        with pytest.raises(CalibrationError, match=r"last\.thresholds\.json is damaged"):
            assert Embedder.from_checkpoint(model).threshold
        with pytest.raises(SystemExit, match="is damaged"):
            main(["calibrate", *files, "--model", str(model), "--far", "0.1"])


def test_one_image_with_one(model: Path, files: list[str], crops: Path):
    main(["calibrate", *files, "--model", str(model), "--far", "0.1"])
    with pytest.raises(EmbedderError, match="8 images are given where one is compared with one"):
        Embedder.from_checkpoint(model).compare(crops, np.zeros((9, 9), np.uint8))
