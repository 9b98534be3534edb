"""Published sets whose images lie in one folder: CAVIAR4REID, CUHK01, PKU-Reid."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from psnet.data.readers.layout import Layout, in_order
from psnet.data.samples import Sample, SampleSet

CAVIAR = Layout(
    name="CAVIAR4REID",
    folder="CAVIAR4REID",
    looks="images such as 0001001.jpg",
    source="Get it from its authors (Cheng et al., BMVC 2011): http://www.lorisbazzani.info/caviar4reid.html.",
    example="0001001.jpg (person in 4 digits, image 001 to 020)",
    pattern=re.compile(r"(?P<pid>\d{4})(?P<image>0(?:0[1-9]|1\d|20))\.jpg"),
)

CUHK01 = Layout(
    name="CUHK01",
    folder="CUHK01",
    looks="campus/ with images such as campus/0001001.png",
    source="Ask its authors for it (Li, Zhao, Wang, ACCV 2012): "
    "https://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html.",
    example="0001001.png (person in 4 digits, image 001 to 004)",
    pattern=re.compile(r"(?P<pid>\d{4})00(?P<image>[1-4])\.png"),
)

PKU = Layout(
    name="PKU-Reid",
    folder="PKU-Reid",
    looks="images such as 001_1_1.png",
    source="Get it from its authors (Ma et al., arXiv 1605.02464): https://github.com/charliememory/PKU-Reid-Dataset.",
    example="001_1_1.png (person, camera 1 or 2, direction 1 to 8)",
    pattern=re.compile(r"(?P<pid>\d{3})_(?P<camid>[12])_[1-8]\.png"),
)


def read_caviar(root: str | Path, two_cameras_only: bool = True) -> SampleSet:
    """CAVIAR4REID: 72 people, 50 of them in both cameras; 10 images of each person by each camera.

    The camera is not in the name: image 001 to 010 is camid 1 (near, high), 011 to 020 camid 2 (far, low as
    it is).

    Args:
        root: folder that holds the images.
        two_cameras_only: leave out the people that one camera alone has seen, as the usual protocol does. How
            many that are is said in the notes.

    Raises:
        DataError: the folder is missing, or a file name does not parse.
    """
    root = CAVIAR.open(root)
    samples = in_order(_caviar_sample(path, match) for path, match in CAVIAR.files(root))
    if not two_cameras_only:
        published = {"images": 1_220, "identities": 72, "cameras": 2}
        return SampleSet(CAVIAR.name, root, samples, published)
    kept = _seen_twice(samples)
    left_out = len(samples) - len(kept)
    people = len({s.pid for s in samples} - {s.pid for s in kept})
    note = f"left out: {left_out:,} images of {people:,} identities that one camera alone has seen"
    published = {"images": 1_000, "identities": 50, "cameras": 2}  # 50 people x 2 cameras x 10 images
    return SampleSet(CAVIAR.name, root, kept, published, notes=(note,) if left_out else ())


def _caviar_sample(path: Path, match: re.Match[str]) -> Sample:
    far = int(match["image"]) > 10
    return Sample(path, pid=int(match["pid"]), camid=2 if far else 1, native_low=far)


def _seen_twice(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    cameras: dict[int, set[int]] = defaultdict(set)
    for s in samples:
        cameras[s.pid].add(s.camid)
    return tuple(s for s in samples if len(cameras[s.pid]) > 1)


def read_cuhk01(root: str | Path) -> SampleSet:
    """CUHK01: 971 people, two images by each of two cameras.

    Images 001 and 002 are camid 1, 003 and 004 camid 2.

    Args:
        root: folder that holds campus.

    Raises:
        DataError: the folder is missing, or a file name does not parse.
    """
    root = CUHK01.open(root, "campus")
    samples = in_order(
        Sample(path, pid=int(match["pid"]), camid=1 if int(match["image"]) <= 2 else 2)
        for path, match in CUHK01.files(root, "campus")
    )
    published = {"images": 3_884, "identities": 971, "cameras": 2}
    return SampleSet(CUHK01.name, root, samples, published)


def read_pku(root: str | Path) -> SampleSet:
    """PKU-Reid: 114 people, one image from each of eight directions by each of two cameras.

    Args:
        root: folder that holds the images.

    Raises:
        DataError: the folder is missing, or a file name does not parse.
    """
    root = PKU.open(root)
    samples = in_order(
        Sample(path, pid=int(match["pid"]), camid=int(match["camid"])) for path, match in PKU.files(root)
    )
    published = {"images": 1_824, "identities": 114, "cameras": 2}
    return SampleSet(PKU.name, root, samples, published)
