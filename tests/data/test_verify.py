"""Broken images are found before training, by name."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from psnet import progress
from psnet.data.readers import read_caviar, read_viper
from psnet.data.samples import DataError, Sample, SampleSet
from psnet.data.verify import verify_images
from tests.data import trees
from tests.data.real import real_set

SUFFIXES = (".jpg", ".png", ".bmp", ".webp", ".tif")


def cut(path: Path, share: float = 0.7) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def a_set(root: Path, *names: str) -> SampleSet:
    trees.pictures(root, names, size=(24, 40))
    return SampleSet("Toy", root, tuple(Sample(Path(name), pid=1) for name in names), {})


def test_sizes_and_checksums_by_relative_path(tmp_path: Path) -> None:
    toy = a_set(tmp_path, "x/a.png", "b.jpg")
    sizes, sha256, skipped = verify_images(toy)
    assert sizes == {Path("x/a.png"): (24, 40), Path("b.jpg"): (24, 40)}
    assert sha256 == {p: hashlib.sha256((tmp_path / p).read_bytes()).hexdigest() for p in sizes}
    assert skipped == []


def test_paths_as_they_are_given(tmp_path: Path) -> None:
    toy = a_set(tmp_path, "a.png", "b.jpg")
    paths = [tmp_path / s.path for s in toy.samples]
    assert list(verify_images(iter(paths)).sizes) == paths
    assert verify_images([]) == ({}, {}, [])


def test_relative_paths_begin_where_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_set(tmp_path, "x/a.png")
    monkeypatch.chdir(tmp_path)
    assert verify_images([Path("x/a.png")]).sizes == {Path("x/a.png"): (24, 40)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_images_are_unreadable_in_every_format(suffix: str, tmp_path: Path) -> None:
    toy = a_set(tmp_path, f"cut{suffix}", f"whole{suffix}")
    cut(tmp_path / f"cut{suffix}")
    with pytest.raises(DataError, match=rf"1 of 2 images cannot be read: cut{suffix} \(.+\)"):
        verify_images(toy)


@pytest.mark.parametrize(
    ("data", "fault"),
    [(b"", "empty file"), (b"hello", "not an image"), (None, "No such file"), (b"\x89PNG\r\n\x1a\n", ".+")],
)
def test_other_faults(data: bytes | None, fault: str, tmp_path: Path) -> None:
    toy = a_set(tmp_path, "a.png", "b.png")
    (tmp_path / "a.png").unlink()
    if data is not None:
        (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.png \({fault}"):
        verify_images(toy)


def test_a_name_that_is_not_in_utf8(tmp_path: Path) -> None:
    """Nothing could be drawn for it, and no manifest could name it."""
    toy = a_set(tmp_path, "a.png")
    odd = Path(os.fsdecode(b"caf\xe9.png"))
    (tmp_path / odd).write_bytes((tmp_path / "a.png").read_bytes())
    toy = replace(toy, samples=(*toy.samples, replace(toy.samples[0], path=odd)))
    with pytest.raises(
        DataError, match=r"1 of 2 images cannot be read: caf\\udce9\.png \(its name is not in UTF-8; rename"
    ) as caught:
        verify_images(toy)
    str(caught.value).encode()
    assert verify_images(toy, "skip").skipped == [odd]


def test_a_damaged_png_with_a_good_header(tmp_path: Path) -> None:
    toy = a_set(tmp_path, "a.png", "b.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = b"\0" * 8
    (tmp_path / "a.png").write_bytes(data)
    assert Image.open(tmp_path / "a.png").size == (24, 40)  # opening alone sees nothing
    with pytest.raises(DataError, match=r"a\.png"):
        verify_images(toy)


def test_one_error_names_five_counts_all_and_says_the_remedy(tmp_path: Path) -> None:
    toy = a_set(tmp_path, *(f"{i}.png" for i in range(9)))
    for i in range(7):
        (tmp_path / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        verify_images(toy)
    text = str(caught.value)
    assert text.startswith("7 of 9 images cannot be read: 0.png (empty file), 1.png")
    assert "4.png" in text
    assert "5.png" not in text
    assert "and 2 more" in text
    assert "dataset.source.on_unreadable=skip" in text


def test_skip_leaves_out_and_returns_them(tmp_path: Path) -> None:
    toy = a_set(tmp_path, "a.png", "b.png", "c.png")
    cut(tmp_path / "c.png")
    (tmp_path / "a.png").write_bytes(b"")
    sizes, sha256, skipped = verify_images(toy, on_unreadable="skip")
    assert set(sizes) == set(sha256) == {Path("b.png")}
    assert skipped == [Path("a.png"), Path("c.png")]


def test_skip_cannot_skip_everything(tmp_path: Path) -> None:
    toy = a_set(tmp_path, "a.png")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 1 images cannot be read") as caught:
        verify_images(toy, on_unreadable="skip")
    assert "on_unreadable" not in str(caught.value)


def test_unknown_word(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="on_unreadable='ignore' must be error or skip"):
        verify_images(a_set(tmp_path, "a.png"), on_unreadable="ignore")


def test_a_low_image_goes_with_its_unreadable_twin(tmp_path: Path) -> None:
    trees.pictures(tmp_path, ["low1.png", "low2.png", "high1.png", "high2.png"])
    twins = [Sample(Path(f"low{i}.png"), i, rate=2, high=Path(f"high{i}.png"), native_low=True) for i in (1, 2)]
    toy = SampleSet("Toy", tmp_path, tuple(twins), {})
    cut(tmp_path / "high1.png", 0.3)
    with pytest.raises(DataError, match=r"1 of 4 images cannot be read: high1\.png"):
        verify_images(toy)
    found = verify_images(toy, on_unreadable="skip")
    assert found.skipped == [Path("high1.png"), Path("low1.png")]
    assert set(found.sha256) == {Path("low2.png"), Path("high2.png")}


def test_workers_do_not_change_the_answer(tmp_path: Path) -> None:
    toy = read_caviar(trees.caviar(tmp_path / "c"))
    assert verify_images(toy, workers=1) == verify_images(toy, workers=4)


def test_truncated_files_stay_errors_for_everyone_else(tmp_path: Path) -> None:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    verify_images(a_set(tmp_path, "a.png"), on_unreadable="skip")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is before is False


def test_progress_appears_only_when_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = a_set(tmp_path, "a.png", "b.png", "c.png")
    verify_images(toy)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "SLOW_SECONDS", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the captured stream for a terminal
    verify_images(toy)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading every image once" in err


def test_grey_palette_and_alpha_are_images_too(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((5, 3), 7, np.uint8))
    paths = []
    for mode in ("L", "P", "RGBA", "1"):
        paths.append(tmp_path / f"{mode}.png")
        grey.convert(mode).save(paths[-1])
    assert set(verify_images(paths).sizes.values()) == {(3, 5)}


def test_real_viper_is_whole() -> None:
    found = verify_images(read_viper(real_set("VIPeR")))
    assert len(found.sizes) == 1_264
    assert set(found.sizes.values()) == {(48, 128)}
    # every file is a picture of its own
    assert len(set(found.sha256.values())) == 1_264
