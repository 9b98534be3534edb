"""psnet index, psnet search and psnet gallery, as people type them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from psnet.cli import main
from psnet.embedder import Embedder
from psnet.gallery import open_gallery

NAMES = r"^cam(?P<camid>\d)/(?P<pid>\d+)_c"


@pytest.fixture
def gallery(checkpoint: Path, crops: Path, tmp_path: Path) -> str:
    uri = str(tmp_path / "gallery")
    main(["index", str(crops), "--gallery", uri, "--model", str(checkpoint), "--names", NAMES])
    return uri


def files(crops: Path) -> list[Path]:
    return sorted(file for file in crops.rglob("*.*") if file.is_file())


def test_an_image_finds_itself(gallery: str, crops: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    query = files(crops)[5]
    main(["search", str(query), "--gallery", gallery, "-k", "3"])  # the gallery knows its model
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert len(lines) == 3
    assert "1.0000" in lines[0]
    assert query.name in lines[0].replace(" ", "")
    embedder = Embedder.from_checkpoint(checkpoint)
    table = embedder.embed(crops)
    scores = np.sort(table.embedding @ embedder.embed(query).embedding[0])[::-1]
    assert [float(line.split("│")[2]) for line in lines] == pytest.approx(scores[:3].tolist(), abs=2e-3)


def test_conditions(gallery: str, crops: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    main(["search", str(files(crops)[0]), "--gallery", gallery, "--where", "camid=1", "--where", "pid>=3"])
    out = capsys.readouterr().out
    assert "cam1" in out
    assert "cam0" not in out
    assert "no yes or no: no threshold is known" in out
    assert len([line for line in out.splitlines() if "│" in line]) == 3  # 3, 5 and 7


def test_answers_of_a_threshold(
    gallery: str,
    crops: Path,
    crops_again: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    copy = tmp_path / "model" / "last.ckpt"
    copy.parent.mkdir()
    shutil.copy(checkpoint, copy)
    for side, folder in (("query", crops), ("gallery", crops_again)):
        out = str(tmp_path / f"{side}.npz")
        main(["embed", str(folder), "--model", str(copy), "--out", out, "--names", NAMES.replace("camid", "place")])
    main(
        ["calibrate", *(str(tmp_path / f"{s}.npz") for s in ("query", "gallery")), "--model", str(copy), "--far", "0.1"]
    )
    capsys.readouterr()
    main(["search", str(files(crops)[0]), "--gallery", gallery, "--model", str(copy), "-k", "8"])
    out = capsys.readouterr().out
    assert "same person" in out
    assert "false and " in out
    assert "no threshold" not in out
    rows = [line.split("│") for line in out.splitlines() if "│" in line]
    value = Embedder.from_checkpoint(copy).threshold.value  # type: ignore[union-attr]
    assert all(
        (row[3].strip() == "yes") == (float(row[2]) >= value) for row in rows if abs(float(row[2]) - value) > 1e-4
    )


def test_what_is_there_is_not_embedded_again(
    gallery: str, crops: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture
):
    again = ["index", str(crops), "--gallery", gallery, "--model", str(checkpoint), "--names", NAMES]
    with caplog.at_level("INFO"):
        main(again)
    assert f"{gallery} holds 8 images, 8 of these" in caplog.text
    assert f"{gallery}: 0 images added, 8 in all" in caplog.text
    changed, *_, gone = files(crops)
    Image.new("RGB", (32, 64), (200, 30, 30)).save(changed)
    shutil.copy(gone, crops / "cam0" / "0100_c1s1_000000_00.png")
    with caplog.at_level("INFO"):
        main(again)
    assert f"{gallery}: 2 images added, 9 in all" in caplog.text
    found = Embedder.from_checkpoint(checkpoint).embed(changed)
    hit = open_gallery(gallery).search(found.embedding, found.made_by, 1)[0][0]
    assert hit.score == pytest.approx(1, abs=2e-3)
    assert hit.columns["sha256"] == found.columns["sha256"][0]


def test_an_image_is_the_same_from_wherever_it_is_named(
    gallery: str,
    crops: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.chdir(crops.parent)
    rest = ["--gallery", gallery, "--model", str(checkpoint), "--names", NAMES.replace("^", "")]
    with caplog.at_level("INFO"):
        main(["index", "crops/../crops", *rest])
        assert "0 images added, 8 in all" in caplog.text
        main(["index", "crops/cam0/0000_c1s1_000000_00.png", *rest])
        monkeypatch.chdir(crops)
        main(["index", "cam0/0000_c1s1_000000_00.png", *rest])
    assert caplog.text.count("0 images added, 8 in all") == 3


def test_what_cannot_be_read_is_named(crops: Path, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (crops / "cam0" / "9999_c1.jpg").write_bytes(b"")
    with caplog.at_level("INFO"):
        main(["index", str(crops), "--gallery", str(tmp_path / "g"), "--model", str(checkpoint), "--names", NAMES])
    assert "1 images could not be read, and are left out:\n    cam0/9999_c1.jpg: empty file" in caplog.text
    assert len(open_gallery(str(tmp_path / "g"))) == 8


def test_nothing_added_is_an_error(gallery: str, crops: Path, checkpoint: Path, tmp_path: Path):
    with pytest.raises(SystemExit, match=r"none of the 1 images that .* does not hold can be read"):
        main(["index", str(crops / "typo.png"), "--gallery", gallery, "--model", str(checkpoint)])
    assert len(open_gallery(gallery)) == 8


def test_a_search_tells_what_it_could_not_read(
    gallery: str, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    asked = tmp_path / "asked"
    asked.mkdir()
    shutil.copy(files(crops)[0], asked / "a.png")
    (asked / "b.png").write_bytes(b"")
    main(["search", str(asked), "--gallery", gallery])
    assert "1 images could not be read, and are left out:\n    b.png: empty file" in caplog.text


def test_what_it_holds_and_deleting(gallery: str, crops: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    main(["gallery", gallery])
    out = capsys.readouterr().out
    assert f"{gallery}: 8 images" in out
    assert "made by PSHRNet, test_resnet, trained on mlr_synthetic (" in out
    assert "camid (int), pid (int)" in out
    main(["gallery", gallery, "--delete", "camid=0"])
    assert capsys.readouterr().out.startswith(f"4 images deleted\n{gallery}: 4 images")


def test_a_picture(gallery: str, crops: Path, tmp_path: Path):
    query, gone = files(crops)[0], files(crops)[-1]
    gone.unlink()
    out = tmp_path / "ranked.png"
    main(["search", str(query), "--gallery", gallery, "--picture", str(out), "-k", "8"])
    picture = np.asarray(Image.open(out).convert("RGB"))
    shown = np.asarray(Image.open(query).convert("RGB").resize((128, 256), Image.Resampling.BILINEAR))
    assert np.array_equal(picture[12 : 12 + 256, 12 : 12 + 128], shown)  # the query
    assert np.array_equal(picture[12 : 12 + 256, 152 : 152 + 128], shown)  # who finds itself
    assert picture.shape == (2 * (256 + 46 + 12) + 12, 6 * (128 + 12) + 12, 3)
    assert (picture[-300:, -400:] == 255).all(axis=2).mean() > 0.5  # the places of who is not there


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "{image}", "--gallery", "nowhere"], "there is no gallery nowhere; make one with psnet index"),
        (["gallery", "nowhere"], "there is no gallery nowhere"),
        (["search", "{image}", "--gallery", "{gallery}", "--where", "cam=3"], "there is no column .cam."),
        (["search", "no.jpg", "--gallery", "{gallery}"], r"none of 1 images can be read: no.jpg \(No such file"),
        (["search", "{crops}", "--gallery", "{gallery}"], "stands for 8 images; search for one"),
        (["search", "{image}", "--gallery", "{gallery}", "-k", "0"], "k=0 must be at least 1"),
        (["search", "{image}", "--gallery", "{gallery}", "--picture", "a.gif"], r"a.gif ends in '.gif'"),
        (["search", "{image}", "--gallery", "{gallery}", "--model", "no.ckpt"], "checkpoint no.ckpt does not exist"),
        (["index", "{crops}", "--gallery", "{gallery}", "--model", "{model}", "--part", "neck"], "cannot be compared"),
        (["index", "{crops}", "--gallery", "{gallery}", "--model", "{model}"], None),
        (["index", "no.jpg", "--gallery", "new", "--model", "{model}"], "none of 1 images can be read"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    gallery: str,
    crops: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list,
    message: str,
):
    monkeypatch.chdir(tmp_path)
    known = {"image": str(files(crops)[0]), "gallery": gallery, "crops": str(crops), "model": str(checkpoint)}
    typed = [word.format(**known) for word in words]
    if message is None:  # nothing new, so nothing to refuse
        main(typed)
        return
    with pytest.raises(SystemExit, match=rf"^error: .*{message}"):
        main(typed)
    assert not (tmp_path / "new").exists()
