"""A set in a few lines: what was found, and whether that is all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from psnet.data.readers.layout import PARTS
from psnet.data.samples import DISTRACTOR, JUNK, NO_CAMERA, Sample, SampleSet


def describe(s: SampleSet, sizes: Mapping[Path, tuple[int, int]] | None = None) -> str:
    """Identities, images and cameras, in all and per part, and how they compare with the published counts.

    Args:
        sizes: (width, height) in pixels by the samples' paths, for the range of sizes.
    """
    lines = [f"{s.name}: {_facts(s, s.samples)}, from {s.root}"]
    for part in PARTS:
        members = [sample for sample in s.samples if sample.part == part]
        if members:
            lines.append(f"  {part}: {_facts(s, members)}")
    if sizes:
        lines.append(f"  sizes: {_size_range([sizes[x.path] for x in s.samples if x.path in sizes])}")
    lines += [f"  {note}" for note in s.notes]
    if s.published:
        lines.append(f"  {completeness(s)}")
    return "\n".join(lines)


def completeness(s: SampleSet) -> str:
    """One phrase: complete, partial (and how much there is), or different from what was published."""
    pairs = [(count(s, what), expected, what) for what, expected in s.published.items()]
    wrong = [(found, expected, what) for found, expected, what in pairs if found != expected]
    if not wrong:
        return "complete: agrees with the published counts"
    if all(found < expected for found, expected, _ in wrong):
        return "partial: " + ", ".join(f"{found:,} of {expected:,} {what}" for found, expected, what in wrong)
    differences = ", ".join(f"{found:,} {what} instead of {expected:,}" for found, expected, what in wrong)
    return f"differs from the published counts: {differences}"


def count(s: SampleSet, what: str) -> int:
    """A number by its words: "images", "identities" or "cameras", of all or of a part ("train images").

    Junk and distractors are images, but no identities.

    Raises:
        ValueError: other words.
    """
    part, _, unit = what.rpartition(" ")
    members = [sample for sample in s.samples if not part or sample.part == part]
    if unit == "images":
        return len(members)
    if unit == "identities":
        return len(_people(s, members))
    if unit == "cameras":
        return len({m.camid for m in members} - {NO_CAMERA})
    raise ValueError(f"a count of {what!r} is unknown; take images, identities or cameras, after a part if need be")


def _people(s: SampleSet, members: Iterable[Sample]) -> set[int]:
    nobody = {JUNK, DISTRACTOR} if s.has_distractors else set()
    return {m.pid for m in members} - nobody


def _facts(s: SampleSet, members: Iterable[Sample]) -> str:
    members = list(members)
    cameras = {m.camid for m in members}
    facts = [
        _number(len(_people(s, members)), "identity", "identities"),
        _number(len(members), "image", "images"),
    ]
    known = cameras - {NO_CAMERA}
    facts.append(_number(len(known), "camera", "cameras") if known else "no cameras recorded")
    tallies = {
        "images without a camera": sum(m.camid == NO_CAMERA for m in members) if known else 0,
        "low images as they are": sum(m.native_low for m in members),
        "distractors": sum(m.pid == DISTRACTOR for m in members) if s.has_distractors else 0,
        "junk boxes": sum(m.pid == JUNK for m in members) if s.has_distractors else 0,
    }
    told = [f"{what}: {number:,}" for what, number in tallies.items() if number]
    return ", ".join(facts) + (f" ({'; '.join(told)})" if told else "")


def _number(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _size_range(sizes: list[tuple[int, int]]) -> str:
    if not sizes:
        return "unknown"
    if len(set(sizes)) == 1:
        return f"{sizes[0][0]} x {sizes[0][1]} pixels (width x height)"
    widths, heights = zip(*sizes, strict=True)
    return f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels"
