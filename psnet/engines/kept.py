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
    largest 1 - cos of the two embeddings of an image, as psnet prepares it; own_size: of images in their own sizes,
    which the graph resizes, None of a graph without preprocessing. agreement: the share of the nearest ten of each
    image among the others that are the same. scored: Rank-1 and mAP, each (before, after) in [0, 1], with the number of
    queries; None where no labelled images were given. made: versions and processor.
    """

    images: int
    batches: tuple[int, ...]
    precision: str
    cosine: float
    own_size: float | None
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
        model, kept = content["model"], {name: _kept(name, one) for name, one in content["engines"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(f"{file} is damaged ({error!r}); {AGAIN.format('...')}") from error
    if model != digest:
        raise EngineError(
            f"{folder} has engines of other weights ({model}) than its own ({digest}): {', '.join(kept)}; "
            f"{AGAIN.format(','.join(kept))}"
        )
    return kept


def keep(folder: Path, digest: str, name: str, kept: Kept) -> None:
    """Write down what lies in the folder already, beside what was kept of the same model."""
    engines = {name: asdict(one) for name, one in {**read_kept(folder, digest), name: kept}.items()}
    write_whole(folder / NAME, json.dumps({"model": digest, "engines": engines}, indent=2) + "\n")


def drop_others(folder: Path, digest: str) -> list[str]:
    """Remove engines of other weights than those that are going to lie in a model's folder, or of nobody knows which.
    Returns the names of the files that were removed."""
    try:
        known, listed = read_kept(folder, digest), []
    except EngineError:
        known, listed = {}, [NAME]
    unknown = [file for name, files in FILES.items() if name not in known for file in files]
    there = [name for name in (*unknown, *listed) if (folder / name).is_file()]
    for name in there:
        (folder / name).unlink(missing_ok=True)
    return there


def digests_of(folder: Path, name: str) -> dict[str, str]:
    """sha256 of each file of a form."""
    return {file: _sha256(folder / file) for file in FILES[name]}


def _kept(name: str, content: Mapping[str, Any]) -> Kept:
    """
    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    checks = [Check(**{**check, "batches": tuple(check["batches"])}) for check in content["checks"]]
    kept = Kept(**{**content, "checks": checks})
    if set(kept.files) != set(FILES[name]) or not isinstance(kept.inside, bool):
        raise ValueError(f"{name} is of {', '.join(map(str, kept.files))}")
    return kept


def check_files(folder: Path, name: str, kept: Kept) -> None:
    """
    Raises:
        EngineError: a file is missing, or not the one that was checked.
    """
    for file, sha256 in kept.files.items():
        if not (folder / file).is_file() or _sha256(folder / file) != sha256:
            raise EngineError(f"{folder / file} is missing, or has changed since it was checked; {AGAIN.format(name)}")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        found = hashlib.sha256()
        while block := content.read(2**20):
            found.update(block)
    return found.hexdigest()
