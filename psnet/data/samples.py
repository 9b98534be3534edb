"""What a reader returns: images on disk with their labels, before any protocol has been applied.

>>> s = Sample(Path("cam_a/000_45.bmp"), pid=0, camid=1)
>>> s.part, s.rate
('', 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NO_CAMERA = -1
"""camid of an image whose camera nobody recorded."""

JUNK = -1
"""pid of Market-1501's junk boxes: neither hit nor miss."""

DISTRACTOR = 0
"""pid of Market-1501's distractors: stay in the gallery as wrong answers. (In sets with `has_distractors` only.)"""


class DataError(ValueError):
    """The data cannot be used as given. The message names the thing, its value and the remedy."""


class NoSuchSplit(DataError):
    """A set has no split of the number that is asked for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image.

    path: relative to the set's root, so that nothing that is derived from it depends on the machine.
    pid: identity as published. camid: from 1, or NO_CAMERA.
    part: "train", "test", "query" or "gallery" where the layout fixes it, "" where a protocol has to split.
    rate: down-sampling factor the file has already undergone, 1 for a sharp image.
    high: path (relative to root) of the sharp twin of a file that is low already, where there is one.
    native_low: the file is a low-resolution image as it is, whatever its rate; nothing degrades it again.
    """

    path: Path
    pid: int
    camid: int = NO_CAMERA
    part: str = ""
    rate: float = 1.0
    high: Path | None = None
    native_low: bool = False


@dataclass(frozen=True, slots=True)
class SampleSet:
    """What a reader found.

    name: as people know the set. published: the counts its authors give, by words ("images", "identities",
    "train images", ...), empty where the set is anybody's own. test_pids: the published test identities, one set
    per split, empty where there is none. has_distractors: pid 0 and pid -1 mean DISTRACTOR and JUNK.
    notes: what a person should know about this reading, a sentence each (what was left out, for example).
    """

    name: str
    root: Path
    samples: tuple[Sample, ...]
    published: dict[str, int]
    test_pids: tuple[frozenset[int], ...] = ()
    has_distractors: bool = False
    notes: tuple[str, ...] = ()
