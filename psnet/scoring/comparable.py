"""Whether two models were asked for the same images, in one order."""

from __future__ import annotations

import numpy as np

from psnet.embeddings import EmbeddingError, EmbeddingSet


def check_same_images(other: EmbeddingSet, ours: EmbeddingSet, camera_rule: bool) -> None:
    """
    Args:
        camera_rule: images of the query's own camera are left out, so cameras decide what may be found.

    Raises:
        EmbeddingError: people differ, or cameras where they count, or both name their images and these are the same in
            another order. Folders and names may differ.
    """
    sides = [(name, other.sides()[name], side) for name, side in ours.sides().items()]
    if other.pid_names != ours.pid_names or any(not np.array_equal(a.pid, b.pid) for _, a, b in sides):
        raise EmbeddingError(
            f"the two have other people, or the same in another order: {len(other.query):,} and {len(ours.query):,} "
            f"queries, {len(other.gallery):,} and {len(ours.gallery):,} gallery images. Write both in one order"
        )
    if camera_rule and not _same_cameras(other, ours):
        raise EmbeddingError(
            "the two have images by other cameras, or one of them knows none, so that they would be scored by other "
            "rules; save the cameras of both, or say --no-camera-rule"
        )
    for name, theirs, own in sides:
        if theirs.path is None or own.path is None:
            continue
        files, rivals = _file_names(own.path), _file_names(theirs.path)
        if files != rivals and sorted(files) == sorted(rivals):
            first = next(i for i, (a, b) in enumerate(zip(files, rivals, strict=True)) if a != b)
            raise EmbeddingError(
                f"the two have the same {name} images in another order: number {first} is {files[first]!r} and "
                f"{rivals[first]!r}. Write both in one order"
            )


def _same_cameras(one: EmbeddingSet, other: EmbeddingSet) -> bool:
    """By whatever numbers the two call them."""
    sides = [side.camid for of in (one, other) for side in of.sides().values()]
    known = [camid for camid in sides if camid is not None]
    if len(known) < len(sides):
        return not known
    ours, theirs = np.concatenate(known[:2]).tolist(), np.concatenate(known[2:]).tolist()
    return len(set(zip(ours, theirs, strict=True))) == len(set(ours)) == len(set(theirs))


def _file_names(paths: np.ndarray) -> list[str]:
    return [str(path).replace("\\", "/").rpartition("/")[2] for path in paths]
