"""Whether two models were asked for the same images, in one order."""

from __future__ import annotations

import numpy as np

from psnet.embeddings import EmbeddingError, EmbeddingSet


def check_same_images(other: EmbeddingSet, ours: EmbeddingSet) -> None:
    """
    Raises:
        EmbeddingError: people differ, or both name their images and these are the same in another order. Folders and
            names may differ.
    """
    sides = [(name, other.sides()[name], side) for name, side in ours.sides().items()]
    if other.pid_names != ours.pid_names or any(not np.array_equal(a.pid, b.pid) for _, a, b in sides):
        raise EmbeddingError(
            f"the two have other people, or the same in another order: {len(other.query):,} and {len(ours.query):,} "
            f"queries, {len(other.gallery):,} and {len(ours.gallery):,} gallery images. Write both in one order"
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


def _file_names(paths: np.ndarray) -> list[str]:
    return [str(path).replace("\\", "/").rpartition("/")[2] for path in paths]
