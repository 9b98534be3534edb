"""Tiny data sets on disk, in the form in which the real ones are published.

Each builder makes its root and returns what the reader takes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (8, 16)
"""(width, height) of the pictures, unless a builder says otherwise."""


def picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write noise that depends on the path's last two names only; the suffix gives the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(f"{path.parent.name}/{path.name}".encode()))
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pictures(root: Path, names: Iterable[str], size: tuple[int, int] = SIZE) -> Path:
    """A picture for each name, relative to root."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        picture(root / name, size)
    return root


def market1501(
    root: Path, train: Sequence[int] = (2, 7, 10), test: Sequence[int] = (1, 3, 4), half: bool = False
) -> Path:
    """Three cameras, two boxes of each person in each; one query per camera; a junk box and a distractor.

    half: bounding_box_train alone.
    """
    boxes = [(camera, box) for camera in (1, 2, 3) for box in (1, 2)]
    names = [f"bounding_box_train/{pid:04d}_c{c}s1_{pid:06d}_{b:02d}.jpg" for pid in train for c, b in boxes]
    if not half:
        names += [f"bounding_box_test/{pid:04d}_c{c}s1_{pid:06d}_{b:02d}.jpg" for pid in test for c, b in boxes]
        names += ["bounding_box_test/-1_c1s1_000401_03.jpg", "bounding_box_test/0000_c1s1_000151_01.jpg"]
        names += [f"query/{pid:04d}_c{c}s1_{pid:06d}_00.jpg" for pid in test for c in (1, 2, 3)]
    pictures(root, names)
    for folder in {name.split("/")[0] for name in names}:
        (root / folder / "Thumbs.db").write_bytes(b"litter that the published set has")
    return root


def dukemtmc(root: Path, train: Sequence[int] = (1, 5), test: Sequence[int] = (2, 6)) -> Path:
    """Two cameras; one person (7139) who is in the gallery only."""
    names = [f"bounding_box_train/{pid:04d}_c{c}_f0046{pid:03d}.jpg" for pid in train for c in (1, 2)]
    names += [f"bounding_box_test/{pid:04d}_c{c}_f0046{pid:03d}.jpg" for pid in test for c in (1, 2)]
    names += [f"query/{pid:04d}_c1_f0047{pid:03d}.jpg" for pid in test]
    return pictures(root, [*names, "bounding_box_test/7139_c1_f0100000.jpg"])


def viper(root: Path, people: int = 6) -> Path:
    """One image of each person in each camera, and two partitions of all but the first half of the people."""
    pairs = [(f"cam_a/{pid:03d}_45.bmp", f"cam_b/{pid:03d}_90.bmp") for pid in range(people)]
    pictures(root, [name for pair in pairs for name in pair])
    half = people // 2
    return viper_partitions(root, [pairs[half:], pairs[:half]])


def viper_partitions(root: Path, experiments: Sequence[Sequence[tuple[str, str]]]) -> Path:
    """Write root/partitions.txt, in SDALF's form."""
    lines: list[str] = []
    for number, pairs in enumerate(experiments, start=1):
        lines += [f"% Experiment Number {number} ", ""]
        lines += [f"{i} - {a}  {b} " for i, (a, b) in enumerate(pairs, start=1)]
        lines += ["", " "]
    (root / "partitions.txt").write_text("\n".join(lines))
    return root


def caviar(root: Path, two_cameras: int = 4, one_camera: int = 1) -> Path:
    """Twenty images of the people in both cameras, ten of the others, who come first. Far is smaller."""
    for pid in range(1, one_camera + two_cameras + 1):
        images = 10 if pid <= one_camera else 20
        for image in range(1, images + 1):
            picture(root / f"{pid:04d}{image:03d}.jpg", (8, 16) if image <= 10 else (4, 9))
    return root


def cuhk01(root: Path, people: int = 4) -> Path:
    """Two images of each person in each camera."""
    return pictures(root, [f"campus/{pid:04d}{i:03d}.png" for pid in range(1, people + 1) for i in (1, 2, 3, 4)])


def pku(root: Path, people: int = 3) -> Path:
    """Eight directions of each person in each camera."""
    return pictures(
        root, [f"{pid:03d}_{c}_{d}.png" for pid in range(1, people + 1) for c in (1, 2) for d in range(1, 9)]
    )


def folder(root: Path, images: Mapping[str, Sequence[str]]) -> Path:
    """images: names by folder, such as {"train/anna": ["c1_0.png"]}."""
    return pictures(root, [f"{base}/{name}" for base, names in images.items() for name in names])


def table(path: Path, rows: Sequence[Mapping[str, object]], draw: bool = True) -> Path:
    """A CSV file with the columns of its first row, and its pictures beside it if `draw`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    if draw:
        pictures(path.parent, [str(row[c]) for row in rows for c in ("path", "high") if row.get(c)])
    return path


CUHK03_PEOPLE = (3, 2, 2, 1, 1)
"""People of each of the five pairs (843, 440, 77, 58 and 49 in the real set)."""


def cuhk03_pixels(kind: str, pair: int, person: int, column: int) -> NDArray[np.uint8] | None:
    """What MATLAB would show as x.detected{pair}{person, column}: H x W x 3, all from 1. None if empty.

    Height, width and colours tell all numbers apart, and no axis can be mistaken for another.
    """
    if column in (4, 8) or (kind == "labeled" and column == 9):
        return None
    height, width = 20 + person, 9 + column
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 10 * np.arange(height)[:, None] % 256  # red counts rows
    pixels[..., 1] = 20 * np.arange(width)[None, :] % 256  # green counts columns
    pixels[..., 2] = 40 * pair + column + (1 if kind == "labeled" else 0)
    return pixels


def cuhk03(
    root: Path,
    people: Sequence[int] = CUHK03_PEOPLE,
    test_sets: Sequence[Sequence[tuple[int, int]]] = (((1, 1), (2, 2)), ((1, 3), (5, 1))),
) -> Path:
    """cuhk03_release/cuhk-03.mat. `test_sets`: (pair, person) of each split.

    MATLAB 7.3 is HDF5 after a block of 512 bytes; arrays are stored transposed, cells as references into
    #refs#, and an empty array as the vector of its dimensions with the attribute MATLAB_empty.
    """
    release = root / "cuhk03_release"
    release.mkdir(parents=True)
    path = release / "cuhk-03.mat"
    with h5py.File(path, "w", userblock_size=512) as mat:
        for kind in ("detected", "labeled"):
            cells = [_cuhk03_pair(mat, kind, pair, n) for pair, n in enumerate(people, start=1)]
            _cell(mat, kind, np.array(cells, h5py.ref_dtype)[:, None])
        splits = [_numbers(mat, np.array(rows, np.float64)) for rows in test_sets]
        _cell(mat, "testsets", np.array(splits, h5py.ref_dtype)[:, None])
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    return release


def _cuhk03_pair(mat: h5py.File, kind: str, pair: int, people: int) -> h5py.Reference:
    references = np.empty((people, 10), h5py.ref_dtype)
    for person, column in np.ndindex(references.shape):
        pixels = cuhk03_pixels(kind, pair, person + 1, column + 1)
        references[person, column] = _empty(mat) if pixels is None else _numbers(mat, pixels)
    return _cell(mat, _next(mat), references).ref


def _cell(mat: h5py.File, name: str, references: NDArray[np.object_]) -> h5py.Dataset:
    stored = mat.create_dataset(name, data=references.T, dtype=h5py.ref_dtype)
    stored.attrs["MATLAB_class"] = np.bytes_("cell")
    return stored


def _numbers(mat: h5py.File, values: NDArray[np.generic]) -> h5py.Reference:
    stored = mat.create_dataset(_next(mat), data=values.T)
    stored.attrs["MATLAB_class"] = np.bytes_("double" if values.dtype == np.float64 else "uint8")
    return stored.ref


def _empty(mat: h5py.File) -> h5py.Reference:
    stored = mat.create_dataset(_next(mat), data=np.zeros(2, np.uint64))
    stored.attrs["MATLAB_class"] = np.bytes_("double")
    stored.attrs["MATLAB_empty"] = np.uint8(1)
    return stored.ref


def _next(mat: h5py.File) -> str:
    return f"#refs#/{len(mat.require_group('#refs#'))}"
