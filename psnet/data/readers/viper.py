"""VIPeR and its published partitions."""

from __future__ import annotations

import re
from pathlib import Path

from psnet.data.readers.layout import Layout, in_order
from psnet.data.samples import DataError, Sample, SampleSet

CAMERAS = {"cam_a": 1, "cam_b": 2}

VIPER = Layout(
    name="VIPeR",
    folder="VIPeR",
    looks="cam_a/ and cam_b/ with images such as cam_a/000_45.bmp and cam_b/000_90.bmp",
    source="Get it from its authors (Gray, Brennan, Tao, PETS 2007): https://vision.soe.ucsc.edu/node/178.",
    example="000_45.bmp (person, angle)",
    pattern=re.compile(r"(?P<pid>\d{3})_\d{1,3}\.bmp"),
)

_EXPERIMENT = re.compile(r"%\s*Experiment Number\s+\d+")
_PAIR = re.compile(r"\d+\s*-\s*(?P<first>cam_a/(?P<pid>\d{3})_\d+\.bmp)\s+(?P<second>cam_b/(?P=pid)_\d+\.bmp)")


def read_viper(root: str | Path, partitions: str | Path | None = None) -> SampleSet:
    """VIPeR: 632 people, one image in each of two cameras. cam_a is camid 1, cam_b camid 2.

    Args:
        root: folder that holds cam_a and cam_b.
        partitions: text file of published random halves, in the form of SDALF's (Farenzena et al., CVPR
            2010): "% Experiment Number 1", then lines such as "1 - cam_a/001_45.bmp  cam_b/001_90.bmp". The
            316 pairs that an experiment lists are taken as the *test* half of a split; everyone else trains.

    Raises:
        DataError: a folder is missing, a file name does not parse, or the partitions do not fit the set.
    """
    root = VIPER.open(root, *CAMERAS)
    samples = in_order(
        Sample(path, pid=int(match["pid"]), camid=camid)
        for folder, camid in CAMERAS.items()
        for path, match in VIPER.files(root, folder)
    )
    test_pids: tuple[frozenset[int], ...] = ()
    if partitions is not None:
        test_pids = read_partitions(Path(partitions).expanduser(), {s.path.as_posix() for s in samples})
    published = {"images": 1_264, "identities": 632, "cameras": 2}
    return SampleSet(VIPER.name, root, samples, published, test_pids)


def read_partitions(path: Path, images: set[str]) -> tuple[frozenset[int], ...]:
    """The people that each experiment of a partitions file lists.

    Args:
        images: of the set, as "cam_a/000_45.bmp".

    Raises:
        DataError: no such file, a line that does not parse, an image that the set lacks, a person listed
            twice in one experiment, or an experiment without pairs.
    """
    if not path.is_file():
        raise DataError(f"there is no partitions file {path}; give another, or none for random halves")
    experiments: list[set[int]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        line, where = text.strip(), f"{path}, line {number}"
        if _EXPERIMENT.fullmatch(line):
            experiments.append(set())
        elif line:
            experiment = _current(experiments, where)
            pid = _pair(line, images, where)
            if pid in experiment:
                raise DataError(f"{where}: person {pid} is listed twice in one experiment; each has one pair")
            experiment.add(pid)
    if not experiments or not all(experiments):
        raise DataError(f"{path}: {'an experiment lists' if experiments else 'it lists'} no pairs; is the file whole?")
    return tuple(frozenset(experiment) for experiment in experiments)


def _current(experiments: list[set[int]], where: str) -> set[int]:
    if not experiments:
        raise DataError(f'{where}: pairs must follow a line such as "% Experiment Number 1"')
    return experiments[-1]


def _pair(line: str, images: set[str], where: str) -> int:
    match = _PAIR.fullmatch(line)
    if match is None:
        raise DataError(f'{where}: {line!r} is not a pair such as "1 - cam_a/001_45.bmp  cam_b/001_90.bmp"')
    for image in (match["first"], match["second"]):
        if image not in images:
            raise DataError(f"{where}: the set has no image {image}; these partitions belong to another copy")
    return int(match["pid"])
