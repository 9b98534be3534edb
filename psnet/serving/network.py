"""What the one thread that runs the network is given, and does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from psnet.data.images import from_pillow
from psnet.embedder import Embedder, EmbedderError
from psnet.embedder.explain import explain
from psnet.gallery.explanation import draw


class Look(NamedTuple):
    """An image to embed. image: uint8 RGB (3, h, w) of the network's input size. restore: it is to be shown too."""

    image: Tensor
    restore: bool


class Looked(NamedTuple):
    """embedding: (D,) float32, of unit length. restored: uint8 RGB (3, h, w); None where it was not asked for, or the
    network restores nothing."""

    embedding: NDArray[np.float32]
    restored: Tensor | None


class Explain(NamedTuple):
    """Two images, uint8 RGB (3, H, W)."""

    query: Tensor
    match: Tensor


def compute(embedder: Embedder, jobs: Sequence[Look | Explain]) -> list[Any]:
    """A `Looked` for each `Look`, all of which are one batch; a picture (3, H, W), or why there is none, for each
    `Explain`."""
    looks = [job for job in jobs if isinstance(job, Look)]
    looked = iter(_look(embedder, looks) if looks else ())
    return [next(looked) if isinstance(job, Look) else _explain(embedder, job) for job in jobs]


def _look(embedder: Embedder, jobs: Sequence[Look]) -> list[Looked]:
    table = embedder.embed([job.image for job in jobs], batch_size=len(jobs), progress=False)
    restored = [embedder.restore(job.image) if job.restore else None for job in jobs]
    return [Looked(*both) for both in zip(table.embedding, restored, strict=True)]


def _explain(embedder: Embedder, job: Explain) -> Tensor | EmbedderError:
    try:
        maps = explain(embedder, job.query, job.match)
    except EmbedderError as error:
        return error
    return from_pillow(draw([job.query, job.match], maps))
