"""The MLR protocol: from a set of sharp images to train, query and gallery at several resolutions.

No two public generators agree on it, so this one is seeded and written down (`Manifest`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psnet.data.degrade import INTERPOLATIONS
from psnet.data.draws import shuffled, uniform
from psnet.data.manifest import Manifest, Row, posix
from psnet.data.samples import DISTRACTOR, JUNK, DataError, Sample, SampleSet


@dataclass(frozen=True)
class MLRProtocol:
    """How a set becomes an MLR set.

    Low images are those of `low_cameras`, or, where nobody recorded cameras, `low_fraction` of each person's
    images; native low images are low whatever is said here. Each draws its rate from `rates`. Query = the low
    images of the test identities, gallery = their other images.

    Args:
        low_cameras: camids whose images are made low.
        low_fraction: share of each identity's images to make low, for sets without cameras. Under published roles
            that is of its training images; all query images are made low, and none of the gallery.
        rates: down-sampling factors, drawn per image with equal chances.
        interpolation: of the down-sampling, a name of `psnet.data.degrade.INTERPOLATIONS`.
        seed: of rates and random splits.
        split: number of the random or published split, from 0.
        train_identities: how many identities train (an int, or a share of all as a float below 1); None where the
            layout or its publisher fixes it, and refused there.
        sorted_identities: take the first identities by pid instead of a random draw.
        test_parts: which published parts make up the test set where roles go by resolution.
        published_roles: query and gallery are as published, not by resolution.
        distractors: keep images of nobody (pid 0) in the gallery.
        train_low_share: share of the *sharp* training images that are made low as well. For sets whose low images
            are native and have no high twin, so that L_SR has something to learn from (ours, for CAVIAR).
    """

    low_cameras: Sequence[int] = ()
    low_fraction: float = 0.0
    rates: Sequence[float] = (2, 3, 4)
    interpolation: str = "bicubic"
    seed: int = 0
    split: int = 0
    train_identities: int | float | None = None
    sorted_identities: bool = False
    test_parts: Sequence[str] = ("test", "query", "gallery")
    published_roles: bool = False
    distractors: bool = False
    train_low_share: float = 0.0

    def __post_init__(self) -> None:
        for name, example in (("low_cameras", "[2]"), ("rates", "[2,3,4]")):
            if not isinstance(getattr(self, name), (list, tuple)):
                raise DataError(
                    f"dataset.source.protocol.{name}={getattr(self, name)!r} must be a list, such as {example}"
                )
        if self.interpolation not in INTERPOLATIONS:
            raise DataError(
                f"dataset.source.protocol.interpolation={self.interpolation!r} is unknown; "
                f"take one of {sorted(INTERPOLATIONS)}"
            )
        if not self.rates or not all(isinstance(rate, (int, float)) and rate >= 1 for rate in self.rates):
            raise DataError(
                f"dataset.source.protocol.rates={list(self.rates)} must be down-sampling factors of 1 or more, "
                "such as [2,3,4]"
            )
        for name in ("low_fraction", "train_low_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"dataset.source.protocol.{name}={getattr(self, name)} must be a share between 0 and 1")


def build_manifest(found: SampleSet, protocol: MLRProtocol, sha256: Mapping[Path, str]) -> Manifest:
    """Apply the protocol to what a reader found.

    Args:
        sha256: of each source file and sharp twin, by the samples' paths. Samples without one were skipped as
            unreadable.

    Raises:
        DataError: the protocol does not fit the set (no such camera, no such split, too few identities, ...).
    """
    samples = [s for s in found.samples if s.path in sha256 and _plays(s, found, protocol)]
    train_pids, test_pids = _identities(found, samples, protocol)
    low = _low_images(found, samples, protocol)
    rows = []
    for sample in samples:
        is_low = sample.path in low
        distractor = found.has_distractors and sample.pid == DISTRACTOR
        split = _split_of(sample, is_low, distractor, train_pids, test_pids, protocol)
        if split:
            rows.append(_row(sample, split, is_low, protocol, sha256, found.name))
    return Manifest(tuple(rows), {found.name: found.root})


def _plays(sample: Sample, found: SampleSet, protocol: MLRProtocol) -> bool:
    if not found.has_distractors or sample.pid not in (JUNK, DISTRACTOR):
        return True
    return protocol.distractors and sample.pid == DISTRACTOR


def _identities(found: SampleSet, samples: list[Sample], protocol: MLRProtocol) -> tuple[set[int], set[int]]:
    """(train, test) pids, which never meet."""
    everyone = {s.pid for s in samples if not (found.has_distractors and s.pid <= DISTRACTOR)}
    if protocol.train_identities is not None:
        if found.test_pids or any(s.part for s in samples):
            raise DataError(
                f"train_identities={protocol.train_identities}: {found.name} itself says who trains; say "
                "dataset.source.protocol.train_identities=null"
            )
        return _drawn_identities(found.name, everyone, protocol)
    if found.test_pids:
        if not 0 <= protocol.split < len(found.test_pids):
            raise DataError(
                f"split={protocol.split}: {found.name} has published splits 0 to {len(found.test_pids) - 1}; "
                "give dataset.source.protocol.split in that range"
            )
        test = set(found.test_pids[protocol.split]) & everyone
        return everyone - test, test
    if not any(s.part for s in samples):
        raise DataError(
            f"{found.name} does not say which identities train: give dataset.source.protocol.train_identities "
            "(a number or a share such as 0.5), or mark each image train, query or gallery"
        )
    train = {s.pid for s in samples if s.part == "train"}
    test = {s.pid for s in samples if s.part in protocol.test_parts}
    if train & test:
        both = sorted(train & test)
        raise DataError(
            f"{found.name}: {len(both)} identities are in train and test, e.g. pid {both[0]}; keep them apart"
        )
    return train, test


def _drawn_identities(name: str, everyone: set[int], protocol: MLRProtocol) -> tuple[set[int], set[int]]:
    wanted = protocol.train_identities
    assert wanted is not None
    count = round(wanted * len(everyone)) if isinstance(wanted, float) and wanted <= 1 else int(wanted)
    if not 0 < count <= len(everyone):
        raise DataError(f"train_identities={wanted}: {name} has {len(everyone)} identities; ask for 1 to that many")
    order = sorted(everyone)
    if not protocol.sorted_identities:
        order = shuffled(order, protocol.seed, f"split {protocol.split}")
    return set(order[:count]), set(order[count:])


def _low_images(found: SampleSet, samples: list[Sample], protocol: MLRProtocol) -> set[Path]:
    low = {s.path for s in samples if s.native_low}
    cameras = {s.camid for s in samples}
    unknown = set(protocol.low_cameras) - cameras
    if unknown:
        raise DataError(
            f"low_cameras={list(protocol.low_cameras)}: {found.name} has no camera {sorted(unknown)[0]}, "
            f"only {sorted(cameras)}; give dataset.source.protocol.low_cameras from these, "
            "or low_fraction without cameras"
        )
    low |= {s.path for s in samples if s.camid in protocol.low_cameras}
    if protocol.low_fraction:
        low |= _share_of_each(samples, protocol)
    if not low:
        raise DataError(
            f"{found.name} has no low image: give dataset.source.protocol.low_cameras (cameras: {sorted(cameras)}), "
            "dataset.source.protocol.low_fraction, or files with a rate above 1"
        )
    return low


def _share_of_each(samples: list[Sample], protocol: MLRProtocol) -> set[Path]:
    """The images that `low_fraction` makes low."""
    by_role = protocol.published_roles
    low = {s.path for s in samples if by_role and s.part == "query"}
    by_pid: dict[int, list[Path]] = defaultdict(list)
    for s in samples:
        if not (by_role and s.part in ("query", "gallery")):
            by_pid[s.pid].append(s.path)
    for paths in by_pid.values():
        # an identity keeps at least one image of each kind, or it could not be searched for
        count = min(max(1, round(protocol.low_fraction * len(paths))), len(paths) - 1)
        low |= set(shuffled(paths, protocol.seed, "low")[:count])
    return low


def _split_of(
    sample: Sample, is_low: bool, distractor: bool, train: set[int], test: set[int], protocol: MLRProtocol
) -> str:
    fixed = bool(sample.part)
    if fixed and sample.part == "train":
        return "train"
    if not fixed and sample.pid in train:
        return "train"
    if fixed and protocol.published_roles:
        return sample.part if sample.part in ("query", "gallery") else ("query" if is_low else "gallery")
    if fixed and sample.part not in protocol.test_parts:
        return ""
    if distractor:
        return "" if is_low else "gallery"
    return ("query" if is_low else "gallery") if sample.pid in test else ""


def _row(
    sample: Sample, split: str, is_low: bool, protocol: MLRProtocol, sha256: Mapping[Path, str], source: str
) -> Row:
    path = posix(sample.path)
    make_low = is_low and not sample.native_low
    if split == "train" and not is_low:
        make_low = uniform(protocol.seed, "train low", path) < protocol.train_low_share
    rates = [float(r) for r in protocol.rates]
    rate = rates[int(uniform(protocol.seed, "rate", path) * len(rates))] if make_low else float(sample.rate)
    return Row(
        path=path,
        pid=sample.pid,
        camid=sample.camid,
        split=split,
        rate=rate,
        interpolation=protocol.interpolation if make_low else "",
        seed=protocol.seed,
        sha256=sha256[sample.path],
        high=posix(sample.high),
        high_sha256=sha256[sample.high] if sample.high else "",
        native_low=sample.native_low,
        source=source,
    )
