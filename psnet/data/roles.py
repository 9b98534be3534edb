"""The MLR protocol applied: from what a reader found to train, query and gallery at several resolutions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from psnet.data.draws import shuffled, uniform
from psnet.data.manifest import Manifest, Row, posix
from psnet.data.protocol import SETTING, MLRProtocol
from psnet.data.realistic import realistic
from psnet.data.samples import DISTRACTOR, JUNK, DataError, NoSuchSplit, Sample, SampleSet


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
            person = None if distractor else sample.pid
            rows.append(_row(sample, split, is_low, person, protocol, sha256, found.name))
    if protocol.test_rates is not None and not any(row.degradation for row in rows if row.split != "train"):
        raise DataError(
            f"test_rates={list(protocol.test_rates)}: no test image of {found.name} is made low, only found so, and "
            f"nothing draws from them; say {SETTING}.test_rates=null"
        )
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
        _check_split(protocol, found.name, len(found.test_pids))
        test = set(found.test_pids[protocol.split]) & everyone
        return everyone - test, test
    if not any(s.part for s in samples):
        raise DataError(
            f"{found.name} does not say which identities train: give dataset.source.protocol.train_identities "
            "(a number or a share such as 0.5), or mark each image train, query or gallery"
        )
    _check_split(protocol, found.name, 1)
    train = {s.pid for s in samples if s.part == "train"}
    test = {s.pid for s in samples if s.part in protocol.test_parts}
    unmarked = [s for s in samples if not s.part and s.pid not in train | test]
    if unmarked:
        raise DataError(
            f"{found.name}: nothing says whether {len(unmarked)} of {len(samples)} images are to train on or to test "
            f"with, e.g. {unmarked[0].path}; mark an image of each person, or leave them out"
        )
    if train & test:
        both = sorted(train & test)
        raise DataError(
            f"{found.name}: {len(both)} identities are in train and test, e.g. pid {both[0]}; keep them apart"
        )
    return train, test


def _check_split(protocol: MLRProtocol, name: str, published: int) -> None:
    if protocol.split >= published:
        there = f"published splits 0 to {published - 1}" if published > 1 else "one published split, number 0"
        raise NoSuchSplit(f"split={protocol.split}: {name} has {there}; give {SETTING}.split in that range")


def _drawn_identities(name: str, everyone: set[int], protocol: MLRProtocol) -> tuple[set[int], set[int]]:
    wanted = protocol.train_identities
    assert wanted is not None
    count = round(wanted * len(everyone)) if isinstance(wanted, float) else wanted
    if not 0 < count <= len(everyone):
        raise DataError(f"train_identities={wanted}: {name} has {len(everyone)} identities; ask for 1 to that many")
    order = sorted(everyone)
    if protocol.sorted_identities and protocol.split:
        raise NoSuchSplit(
            f"split={protocol.split}: the first {count} identities of {name} train, whatever the split; say "
            f"{SETTING}.split=0, or {SETTING}.sorted_identities=false for random splits"
        )
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
    sample: Sample,
    split: str,
    is_low: bool,
    person: int | None,
    protocol: MLRProtocol,
    sha256: Mapping[Path, str],
    source: str,
) -> Row:
    path = posix(sample.path)
    make_low = is_low and not sample.native_low
    if not is_low:
        share = {"train": protocol.train_low_share, "gallery": protocol.gallery_low_share}.get(split, 0)
        make_low = uniform(protocol.seed, f"{split} low", path) < share
    rate = _drawn_rate(path, split, person, protocol) if make_low else float(sample.rate)
    return Row(
        path=path,
        pid=sample.pid,
        camid=sample.camid,
        split=split,
        rate=rate,
        degradation=_drawn_degradation(path, rate, protocol) if make_low else "",
        seed=protocol.seed,
        sha256=sha256[sample.path],
        high=posix(sample.high),
        high_sha256=sha256[sample.high] if sample.high else "",
        native_low=sample.native_low,
        source=source,
    )


def _drawn_rate(path: str, split: str, person: int | None, protocol: MLRProtocol) -> float:
    """person: None of a distractor, who is nobody, so that each of its images draws for itself."""
    rates = protocol.rates if split == "train" or protocol.test_rates is None else protocol.test_rates
    draw = uniform(protocol.seed, "rate", path)
    if protocol.rate_per == "identity" and person is not None:
        draw = uniform(protocol.seed, "rate of identity", person)
    return float(rates[int(draw * len(rates))])


def _drawn_degradation(path: str, rate: float, protocol: MLRProtocol) -> str:
    if protocol.degradation == "clean":
        return protocol.interpolation
    return realistic(protocol.seed, path, rate, protocol.interpolation)
