"""CUHK03's MATLAB file, built with h5py as MATLAB writes it."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from psnet.data.readers import cuhk03_mat, describe, read_cuhk03
from psnet.data.samples import DataError
from tests.data import trees


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return trees.cuhk03(tmp_path)


def expected(kind: str) -> dict[str, np.ndarray]:
    """Pixels by file name, counted out by hand: each pair, person and place."""
    images = {}
    for pair, people in enumerate(trees.CUHK03_PEOPLE, start=1):
        for person in range(1, people + 1):
            for column in range(1, 11):
                pixels = trees.cuhk03_pixels(kind, pair, person, column)
                if pixels is not None:
                    images[f"{pair}_{person:03d}_{1 if column < 6 else 2}_{column:02d}.png"] = pixels
    return images


@pytest.mark.parametrize("labeled", [False, True])
def test_every_pixel_is_where_matlab_has_it(labeled: bool, release: Path) -> None:
    kind = "labeled" if labeled else "detected"
    found = read_cuhk03(release, labeled=labeled)
    images = expected(kind)
    assert [s.path.as_posix() for s in found.samples] == [f"images_{kind}/{name}" for name in sorted(images)]
    for name, pixels in images.items():
        with Image.open(release / f"images_{kind}" / name) as image:
            assert np.array_equal(np.asarray(image), pixels), name


def test_pids_and_cameras(release: Path) -> None:
    found = read_cuhk03(release)
    labels = {s.path.name: (s.pid, s.camid) for s in found.samples}
    assert labels["1_003_1_01.png"] == (1003, 1)
    assert labels["1_003_2_06.png"] == (1003, 2)
    assert labels["5_001_1_03.png"] == (5001, 9)
    assert labels["5_001_2_09.png"] == (5001, 10)
    assert {s.camid for s in found.samples} == set(range(1, 11))
    assert len({s.pid for s in found.samples}) == sum(trees.CUHK03_PEOPLE)


def test_published_splits(release: Path) -> None:
    assert read_cuhk03(release).test_pids == (frozenset({1001, 2002}), frozenset({1003, 5001}))


def test_twenty_splits_of_a_hundred(tmp_path: Path) -> None:
    """In the real form: 20 x 1 cells of 100 x 2, which a missing transposition would turn round."""
    splits = [[(1, 1 + (i + s) % 110) for i in range(100)] for s in range(20)]
    release = trees.cuhk03(tmp_path, people=(110, 1, 1, 1, 1), test_sets=splits)
    with cuhk03_mat.open_mat(release / "cuhk-03.mat") as mat:
        assert mat["testsets"].shape == (1, 20)
        found = cuhk03_mat.published_splits(mat, "detected")
    assert found == tuple(frozenset(1000 + person for _, person in split) for split in splits)


def test_root_may_be_the_folder_above(release: Path) -> None:
    assert read_cuhk03(release.parent) == read_cuhk03(release)


def test_images_are_written_once(release: Path) -> None:
    first = read_cuhk03(release)
    image = release / first.samples[0].path
    image.write_bytes(b"mark")
    assert read_cuhk03(release) == first
    assert image.read_bytes() == b"mark"


def test_detected_and_labeled_keep_apart(release: Path) -> None:
    names = {read_cuhk03(release, labeled=flag).name for flag in (False, True)}
    assert names == {"CUHK03 (detected)", "CUHK03 (labeled)"}
    assert sorted(p.name for p in release.iterdir() if p.is_dir()) == ["images_detected", "images_labeled"]


def test_cache_takes_the_images_and_leaves_root_alone(release: Path, tmp_path: Path) -> None:
    found = read_cuhk03(release, cache=tmp_path / "elsewhere" / "cuhk03")
    assert found.root == tmp_path / "elsewhere" / "cuhk03"
    assert (found.root / found.samples[0].path).is_file()
    assert [p.name for p in release.iterdir()] == ["cuhk-03.mat"]
    # paths do not tell where the images lie, so manifests of both agree
    assert found.samples == read_cuhk03(release).samples


def test_a_stop_in_the_middle_leaves_nothing(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    write = cuhk03_mat._write_person

    def stopped(mat: Any, folder: Path, name: str, references: Any) -> None:
        if len(seen) == 3:
            raise KeyboardInterrupt
        write(mat, folder, name, references)
        seen.append(folder)

    monkeypatch.setattr(cuhk03_mat, "_write_person", stopped)
    with pytest.raises(KeyboardInterrupt):
        read_cuhk03(release)
    assert seen[0].name != "images_detected"
    assert [p.name for p in release.iterdir()] == ["cuhk-03.mat"]
    monkeypatch.undo()
    assert len(read_cuhk03(release).samples) == len(expected("detected"))


def test_what_a_killed_run_left_is_not_taken_for_the_images(release: Path) -> None:
    trees.picture(release / "images_detected.part-0123abcd" / "1_001_1_01.png")
    assert len(read_cuhk03(release).samples) == len(expected("detected"))


def test_another_process_may_be_first(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = cuhk03_mat._write_person

    def overtaken(mat: Any, folder: Path, name: str, references: Any) -> None:
        write(mat, folder, name, references)
        shutil.copytree(folder, release / "images_detected", dirs_exist_ok=True)

    monkeypatch.setattr(cuhk03_mat, "_write_person", overtaken)
    assert len(read_cuhk03(release).samples) == len(expected("detected"))
    assert not list(release.glob("*.part-*"))


def test_a_place_that_cannot_be_written_to(release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"cannot write .*dataset\.source\.reader\.cache="):
        read_cuhk03(release, cache=tmp_path / "file")


def test_an_emptied_folder_of_images(release: Path) -> None:
    (release / "images_detected").mkdir()
    with pytest.raises(DataError, match="is empty; delete it"):
        read_cuhk03(release)


def test_a_stray_file_among_the_images(release: Path) -> None:
    read_cuhk03(release)
    trees.picture(release / "images_detected" / "6_001_1_01.png")
    with pytest.raises(DataError, match=r"6_001_1_01\.png"):
        read_cuhk03(release)


def test_tiny_set_is_partial(release: Path) -> None:
    assert "of 14,097 images, 9 of 1,467 identities" in describe(read_cuhk03(release))
    assert "of 14,096 images, 9 of 1,467 identities" in describe(read_cuhk03(release, labeled=True))


def test_missing_file_says_where_to_ask(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"CUHK03: .*cuhk-03\.mat.*CVPR 2014.*PSNET_DATA"):
            read_cuhk03(root)


def test_truncated_download(release: Path) -> None:
    mat = release / "cuhk-03.mat"
    mat.write_bytes(mat.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"cuhk-03\.mat is not a readable MATLAB 7\.3 file.*get it again"):
        read_cuhk03(release)


def test_another_mat_file(release: Path) -> None:
    with h5py.File(release / "cuhk-03.mat", "r+") as mat:
        del mat["testsets"]
    with pytest.raises(DataError, match="lacks 'testsets'"):
        read_cuhk03(release)


def test_four_pairs_are_not_the_published_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not 5 of people x 10"):
        read_cuhk03(trees.cuhk03(tmp_path, people=(2, 2, 1, 1), test_sets=[[(1, 1)]]))


@pytest.mark.parametrize("person", [(6, 1), (0, 1), (2, 3), (1, 0)])
def test_a_split_of_people_who_are_not_there(person: tuple[int, int], tmp_path: Path) -> None:
    release = trees.cuhk03(tmp_path, test_sets=[[(1, 1)], [person]])
    with pytest.raises(DataError, match=f"test set 2 names person {person[1]} of pair {person[0]}"):
        read_cuhk03(release)


def test_a_grey_image_is_refused_by_its_place(release: Path) -> None:
    with h5py.File(release / "cuhk-03.mat", "r+") as mat:
        cell = mat[mat["detected"][0, 1]]  # pair 2
        name = mat[cell[0, 1]].name  # person 2, column 1
        del mat[name]
        references = cell[()]
        references[0, 1] = mat.create_dataset(name, data=np.zeros((1, 9, 9), np.uint8)).ref
        cell[...] = references
    with pytest.raises(DataError, match=r"person 2_002, column 1 holds uint8 \(9, 9, 1\)"):
        read_cuhk03(release)
    assert not (release / "images_detected").exists()


def test_without_h5py_the_extra_is_named(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_h5py(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_h5py)
    with pytest.raises(DataError, match=r"pip install -e '\.\[cuhk03\]'"):
        read_cuhk03(release)
