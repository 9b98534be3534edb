"""CUHK03, published as one MATLAB file."""

from __future__ import annotations

import re
from pathlib import Path

from psnet.data.readers.cuhk03_mat import open_mat, person_id, published_splits, write_images
from psnet.data.readers.layout import Layout, in_order
from psnet.data.samples import DataError, Sample, SampleSet

MAT = "cuhk-03.mat"

CUHK03 = Layout(
    name="CUHK03",
    folder="cuhk03_release",
    looks=f"{MAT}, the MATLAB file of cuhk03_release.zip",
    source="Ask its authors for it (Li et al., CVPR 2014): "
    "https://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html.",
    example="1_001_1_01.png (camera pair, person, view, index)",
    pattern=re.compile(r"(?P<pair>[1-5])_(?P<person>\d{3})_(?P<view>[12])_(?:0[1-9]|10)\.png"),
)


def read_cuhk03(root: str | Path, labeled: bool = False, cache: str | Path | None = None) -> SampleSet:
    """CUHK03: 1,467 people, each seen by one of five pairs of cameras, with the 20 published splits.

    The first reading writes the images as PNG into images_detected or images_labeled, beside the MATLAB file;
    later ones use them. Their pixels are the published ones; their bytes may differ with the version of
    Pillow, so a manifest of CUHK03 fits the PNGs it was made from.

    pid = 1000 * pair + person, both from 1 as in the file. camid = 2 * pair - 1 for the first view and 2 *
    pair for the second: 1 to 10.

    Args:
        root: folder that holds cuhk-03.mat, or the folder cuhk03_release with it.
        labeled: boxes drawn by hand instead of the detector's.
        cache: where to put the folder of images if root cannot be written to.

    Raises:
        DataError: the file is missing, unreadable or another one; h5py is missing; the images cannot be
            written.
    """
    kind = "labeled" if labeled else "detected"
    release = Path(root).expanduser() / CUHK03.folder
    release = CUHK03.open(release if release.is_dir() else root, MAT)
    base = release if cache is None else Path(cache).expanduser()
    images = base / f"images_{kind}"
    with open_mat(release / MAT) as mat:
        test_pids = published_splits(mat, kind)
        if not images.is_dir():
            write_images(mat, kind, images)
    samples = _list(base, images)
    published = {"images": 14_096 if labeled else 14_097, "identities": 1_467, "cameras": 10}
    return SampleSet(f"{CUHK03.name} ({kind})", base, samples, published, test_pids)


def _list(base: Path, images: Path) -> tuple[Sample, ...]:
    if not any(images.iterdir()):
        raise DataError(f"{images} is empty; delete it, and it is written anew from {MAT}")
    return in_order(_sample(path, match) for path, match in CUHK03.files(base, images.name))


def _sample(path: Path, match: re.Match[str]) -> Sample:
    pair, person, view = int(match["pair"]), int(match["person"]), int(match["view"])
    return Sample(path, pid=person_id(pair, person), camid=2 * (pair - 1) + view)
