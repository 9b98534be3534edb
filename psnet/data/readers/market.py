"""Market-1501 and DukeMTMC-reID, which took over its folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from psnet.data.readers.layout import Layout, in_order
from psnet.data.samples import Sample, SampleSet

PARTS = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
_LOOKS = "bounding_box_train/, query/ and bounding_box_test/ with images such as {}"

# The published set itself has a doubled suffix: 1488_c1s6_023021_00.jpg.jpg.
MARKET1501 = Layout(
    name="Market-1501",
    folder="Market-1501-v15.09.15",
    looks=_LOOKS.format("0002_c1s1_000451_03.jpg"),
    source="Get it from its authors (Zheng et al., ICCV 2015): "
    "https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html.",
    example="0002_c1s1_000451_03.jpg (person, camera and sequence, frame, box)",
    pattern=re.compile(r"(?P<pid>-1|\d{4})_c(?P<camid>[1-6])s\d_\d{6}_\d{2}(\.jpg)+"),
)

DUKEMTMC = Layout(
    name="DukeMTMC-reID",
    folder="DukeMTMC-reID",
    looks=_LOOKS.format("0001_c2_f0046182.jpg"),
    source="Its owners have withdrawn it: it is read for those who have it, and not recommended to anyone.",
    example="0001_c2_f0046182.jpg (person, camera, frame)",
    pattern=re.compile(r"(?P<pid>\d{4})_c(?P<camid>[1-8])_f\d{7}\.jpg"),
)

NAMES = {"market": r"(?:^|/)(?P<pid>-1|\d{4})_c(?P<camid>\d+)[^/]*$"}
"""Patterns of paths that a word stands for, where labels are to be found in anybody's files."""

_HALF_HINT = (
    "; bounding_box_train is there: dataset=mlr_market751 uses the training half alone, "
    "500 identities to train and 251 to test"
)


def read_market1501(root: str | Path) -> SampleSet:
    """Market-1501 as published: 751 training and 750 test identities, 6 cameras.

    Junk boxes (pid -1) and distractors (pid 0) are kept; `has_distractors` says so.

    Args:
        root: folder that holds bounding_box_train, query and bounding_box_test.

    Raises:
        DataError: a folder is missing, or a file name does not parse.
    """
    root = MARKET1501.open(root)
    missing = [name for name in PARTS if not (root / name).is_dir()]
    if missing:
        hint = "" if "bounding_box_train" in missing else _HALF_HINT
        raise MARKET1501.error(f"{root} lacks {', '.join(missing)}{hint}")
    samples = _read(MARKET1501, root, PARTS)
    # Counts: the set's page, and the files themselves. The gallery's 19,732 include junk and distractors.
    published = {
        "images": 36_036,
        "identities": 1_501,
        "cameras": 6,
        "train images": 12_936,
        "train identities": 751,
        "query images": 3_368,
        "query identities": 750,
        "gallery images": 19_732,
        "gallery identities": 750,
    }
    return SampleSet(MARKET1501.name, root, samples, published, has_distractors=True)


def read_market1501_train(root: str | Path) -> SampleSet:
    """The training half of Market-1501 alone, for people who have no more than that. No part is fixed.

    Args:
        root: folder that holds bounding_box_train. Anything else there is passed over.

    Raises:
        DataError: the folder is missing, or a file name does not parse.
    """
    root = MARKET1501.open(root, "bounding_box_train")
    samples = _read(MARKET1501, root, {"bounding_box_train": ""})
    published = {"images": 12_936, "identities": 751, "cameras": 6}
    return SampleSet("Market-1501 (training half)", root, samples, published, has_distractors=True)


def read_dukemtmc(root: str | Path) -> SampleSet:
    """DukeMTMC-reID as published: 702 training and 702 test identities, 8 cameras.

    The gallery also holds 408 people who are never searched for. They have pids like anyone else, so
    `test_pids` names the people of the query folder.

    Args:
        root: folder that holds bounding_box_train, query and bounding_box_test.

    Raises:
        DataError: a folder is missing, or a file name does not parse.
    """
    root = DUKEMTMC.open(root, *PARTS)
    samples = _read(DUKEMTMC, root, PARTS)
    searched = frozenset(s.pid for s in samples if s.part == "query")
    others = {s.pid for s in samples if s.part == "gallery"} - searched
    # Counts: Zheng, Zheng, Yang, ICCV 2017: 1,404 identities in two cameras or more, 408 in one.
    published = {
        "images": 36_411,
        "identities": 1_812,
        "cameras": 8,
        "train images": 16_522,
        "train identities": 702,
        "query images": 2_228,
        "query identities": 702,
        "gallery images": 17_661,
        "gallery identities": 1_110,
    }
    notes = (f"identities that are in the gallery only: {len(others):,}",) if others else ()
    return SampleSet(DUKEMTMC.name, root, samples, published, test_pids=(searched,), notes=notes)


def _read(layout: Layout, root: Path, parts: Mapping[str, str]) -> tuple[Sample, ...]:
    return in_order(
        Sample(path, pid=int(match["pid"]), camid=int(match["camid"]), part=part)
        for folder, part in parts.items()
        for path, match in layout.files(root, folder)
    )
