"""How far an exported model is from its checkpoint, on real images."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.data.images import stack
from psnet.data.manifest import DIGEST
from psnet.data.preprocess import Preprocess
from psnet.embedder import Embedder
from psnet.embedder.given import Listing, sha256_of
from psnet.embeddings import read_embeddings
from psnet.engines import EngineError
from psnet.engines.exported import ExportedEngine
from psnet.engines.kept import Check
from psnet.metrics import Retrieval, compare, summarise
from psnet.scoring import ScoreOptions, score

BATCH = 32

NEAREST = 10

MOST_IMAGES = 64
"""That are compared; more are thinned out evenly."""


def compared(engine: ExportedEngine, preprocess: Preprocess, images: Sequence[Tensor], wanted: Tensor) -> Check:
    """Every image alone and in batches, as psnet prepares it; and alone in its own size where the graph takes any.

    Args:
        images: uint8 RGB (3, H, W) each, more than `NEAREST` of them. wanted: (N, D), by the checkpoint.

    Raises:
        EngineError: an embedding is not finite.
    """
    resized = [preprocess(image) for image in images]
    alone = [stack([image]) for image in images]
    batches = [stack(resized[start : start + BATCH]) for start in range(0, len(resized), BATCH)]
    ways = [[stack([image]) for image in resized], batches, *([alone] if engine.inside else [])]
    exact = F.normalize(wanted.double(), dim=1)
    found = [torch.cat([engine.embed(batch) for batch in way]).double() for way in ways]
    if not all(bool(one.isfinite().all()) for one in found):
        raise EngineError(f"{engine.name} gives embeddings that are no numbers; it was not written")
    away = [max(0.0, float((1 - (F.normalize(one, dim=1) * exact).sum(dim=1)).max())) for one in found]
    agreement = min(_agreement(one, exact) for one in found)
    own_size = away[2] if engine.inside else None
    return Check(len(images), (1, min(BATCH, len(images))), engine.precision, max(away[:2]), own_size, agreement)


def _agreement(found: Tensor, exact: Tensor) -> float:
    """The share of the nearest `NEAREST` of each image among the others that both have."""
    one, other = (_nearest(embedding) for embedding in (found, exact))
    return float((one[:, :, None] == other[:, None, :]).any(dim=2).float().mean())


def _nearest(embedding: Tensor) -> Tensor:
    scores = embedding @ embedding.T
    return scores.fill_diagonal_(-torch.inf).topk(NEAREST, dim=1).indices


@dataclass(frozen=True)
class Labelled:
    """Images of known people, to search for and to search in."""

    query: Listing
    gallery: Listing


def scored(embedder: Embedder, labelled: Labelled) -> Retrieval:
    """By the rules of `psnet score`.

    Raises:
        EmbedderError, EmbeddingError, NoMatchError: images or their pids cannot be used.
    """
    tables = {"query": embedder.embed(labelled.query), "gallery": embedder.embed(labelled.gallery)}
    with tempfile.TemporaryDirectory() as folder:
        files = [table.save(Path(folder) / f"{side}.npz") for side, table in tables.items()]
        return score(read_embeddings(files), ScoreOptions()).retrieval


def change(before: Retrieval, after: Retrieval) -> dict[str, Any]:
    """Rank-1 and mAP, each [before, after] in [0, 1]; the number of queries; and how far chance alone moves Rank-1."""
    first, second = summarise(before.results), summarise(after.results)
    found = compare(before.results, after.results, before.query.pid)["rank1"]
    return {
        "queries": int(first["queries"] - first["queries_without_match"]),
        "Rank-1": [first["rank1"], second["rank1"]],
        "mAP": [first["mAP"], second["mAP"]],
        "Rank-1 change, 95 %": [found.interval.low, found.interval.high],
    }


def check_unseen(labelled: Labelled, trained: Collection[str]) -> None:
    """
    Args:
        trained: digests of images, see `Embedder.trained_images`.

    Raises:
        EngineError: one of these is among them, so that its score would hide what is lost.
    """
    for given in (*labelled.query.given, *labelled.gallery.given):
        if (sha256_of(given.file) or "")[:DIGEST] in trained:
            raise EngineError(f"{given.name} has been trained on, so its score hides what is lost; give unseen people")
