"""engines.json: what was exported into a model's folder, of which weights, and how it compared with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psnet.atomic import write_whole
from psnet.engines.errors import EngineError

NAME = "engines.json"

FILES = {
    "onnx": ("model.onnx",),
    "openvino": ("openvino.xml", "openvino.bin"),
    "int8": ("int8.xml", "int8.bin"),
    "pt2": ("model.pt2",),
}
"""Of each form a model is exported to, in its folder; the first is the one that is opened."""

AGAIN = "make it again with psnet export --to {}"


@dataclass(frozen=True)
class Check:
    """An exported model beside its checkpoint in float32, on the same images.

    images: their number. batches: so many at once. precision: in which it computed, by Lightning's names. cosine: the
    largest 1 - cos of the two embeddings of an image. agreement: the share of the nearest ten of each image among the
    others that are the same. scored: Rank-1 and mAP, each (before, after) in [0, 1], with the number of queries; None
    where no labelled images were given. made: versions and processor.
    """

    images: int
    batches: tuple[int, ...]
    precision: str
    cosine: float
    agreement: float
    scored: Mapping[str, Any] | None = None
    made: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Kept:
    """inside: preprocessing is part of the graph. files: sha256 of each. checks: how good it is, in each precision that
    was tried."""

    inside: bool
    files: Mapping[str, str]
    checks: Sequence[Check]

    @property
    def rank1_loss(self) -> float | None:
        """From 0 to 1; below 0 where Rank-1 rose; None where nobody knows."""
        scored = [check.scored["Rank-1"] for check in self.checks if check.scored is not None]
        return max((before - after for before, after in scored), default=None)


def read_kept(folder: Path, digest: str) -> dict[str, Kept]:
    """What there is in a model's folder, by name.

    Args:
        digest: of the model's weights and settings, see `MadeBy`.

    Raises:
        EngineError: the file is damaged, or was made of other weights.
    """
    file = folder / NAME
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        model, engines = content["model"], content["engines"]
        kept = {
            name: Kept(**{**one, "checks": [_check(check) for check in one["checks"]]}) for name, one in engines.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(f"{file} is damaged ({error!r}); {AGAIN.format('...')}") from error
    if model != digest:
        raise EngineError(
            f"{folder} has engines of other weights ({model}) than its own ({digest}): {', '.join(kept)}; "
            f"{AGAIN.format(','.join(kept))}"
        )
    return {name: one for name, one in kept.items() if name in FILES}


def _check(content: Mapping[str, Any]) -> Check:
    return Check(**{**content, "batches": tuple(content["batches"])})


def keep(folder: Path, digest: str, name: str, inside: bool, checks: Sequence[Check]) -> None:
    """Write down what lies in the folder already, beside what was kept of the same model."""
    try:
        others = read_kept(folder, digest)
    except EngineError:  # of another model, or damaged: those engines are no more
        others = {}
    one = Kept(inside, {file: _sha256(folder / file) for file in FILES[name]}, checks)
    engines = {name: asdict(kept) for name, kept in {**others, name: one}.items()}
    write_whole(folder / NAME, json.dumps({"model": digest, "engines": engines}, indent=2) + "\n")


def check_files(folder: Path, name: str, kept: Kept) -> None:
    """
    Raises:
        EngineError: a file is missing, or not the one that was checked.
    """
    for file, sha256 in kept.files.items():
        if not (folder / file).is_file() or _sha256(folder / file) != sha256:
            raise EngineError(f"{folder / file} is missing, or not what was checked; {AGAIN.format(name)}")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        found = hashlib.sha256()
        while block := content.read(2**20):
            found.update(block)
    return found.hexdigest()
