"""Ranking a gallery for each query: CMC hits, average precision and inverse negative penalty, per query.

Pure functions of embeddings and labels. Ties are broken by gallery order, not by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Distance = Literal["cosine", "euclidean"]

CHUNK_ELEMENTS = 4_000_000
"""Scores held at once: queries in a chunk x gallery images. Bounds memory to some hundred MiB."""


@dataclass(frozen=True, eq=False)
class QueryResults:
    """What was found for each of Q queries. Floats are NaN where `valid` is false.

    hits: (Q, K) float64, 1 where the first match is at rank k or before, k = 1..K. Single-shot: share of draws.
    ap: (Q,) mean of the precision at each match. ap_trapezoid: (Q,) the same with the mean of the precision before and
    at each match (Oxford Buildings' evaluation, and PS-HRNet's released code). inp: (Q,) number of matches / rank of
    the last one (Ye et al., "Deep Learning for Person Re-identification", 2021).
    num_matches, num_candidates: (Q,) int64, gallery images of the same person, and of anybody, that take part.
    valid: (Q,) bool, there is a match at all.
    """

    hits: Tensor
    ap: Tensor
    ap_trapezoid: Tensor
    inp: Tensor
    num_matches: Tensor
    num_candidates: Tensor
    valid: Tensor

    def select(self, queries: Tensor) -> QueryResults:
        """Those of some queries: a mask (Q,) or indices."""
        return QueryResults(**{f.name: getattr(self, f.name)[queries] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Labels:
    """pid and camid, (N,) integers each. camid may be None where the camera rule is off."""

    pid: Tensor
    camid: Tensor | None = None


def evaluate_ranking(
    query: Tensor,
    gallery: Tensor,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    max_rank: int = 50,
    distance: Distance = "cosine",
) -> QueryResults:
    """Multi-shot evaluation: every gallery image takes part.

    Args:
        query: (Q, D). gallery: (G, D). Half precision is promoted to float32.
        camera_rule: leave out gallery images with the query's pid *and* camid.
        junk_pid: gallery images that are neither right nor wrong (Market-1501: -1).
        max_rank: K of `hits`; beyond the size of the gallery hits stay what they are at its end.

    Raises:
        ValueError: embeddings are not finite, shapes do not fit, or the camera rule lacks cameras.
    """
    parts = []
    for scores, matches, removed in score_chunks(
        query, gallery, query_labels, gallery_labels, camera_rule, junk_pid, distance
    ):
        order = scores.masked_fill(removed, -torch.inf).sort(dim=1, descending=True, stable=True).indices
        found = (matches & ~removed).gather(1, order)
        parts.append(_judge(found, (~removed).sum(1), max_rank))
    return QueryResults(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(QueryResults)})


def score_chunks(
    query: Tensor,
    gallery: Tensor,
    query_labels: Labels,
    gallery_labels: Labels,
    camera_rule: bool,
    junk_pid: int | None,
    distance: Distance,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(scores, matches, removed), each (C, G), for one chunk of C queries after the other. Higher scores are nearer."""
    query, gallery = check_embeddings(query, "query"), check_embeddings(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(f"query embeddings have {query.shape[1]} numbers, gallery embeddings {gallery.shape[1]}")
    if camera_rule and (query_labels.camid is None or gallery_labels.camid is None):
        raise ValueError("the same-camera rule needs camids of query and gallery; give them, or camera_rule=False")
    if distance == "cosine":
        query, gallery = F.normalize(query, dim=1), F.normalize(gallery, dim=1)
    size = max(1, CHUNK_ELEMENTS // max(1, len(gallery)))
    for start in range(0, len(query), size):
        part = slice(start, start + size)
        scores = query[part] @ gallery.T if distance == "cosine" else -torch.cdist(query[part], gallery)
        matches = query_labels.pid[part, None] == gallery_labels.pid[None, :]
        removed = torch.zeros_like(matches)
        if camera_rule:
            assert query_labels.camid is not None
            assert gallery_labels.camid is not None
            removed |= matches & (query_labels.camid[part, None] == gallery_labels.camid[None, :])
        if junk_pid is not None:
            removed |= (gallery_labels.pid == junk_pid)[None, :]
        yield scores, matches, removed


def check_embeddings(embeddings: Tensor, what: str) -> Tensor:
    """At least float32, and finite.

    Raises:
        ValueError: names how many rows are not finite, and the first.
    """
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(
            f"{what} embeddings have shape {tuple(embeddings.shape)}; give (images, dimensions), not empty"
        )
    embeddings = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    bad = (~embeddings.isfinite().all(dim=1)).nonzero().flatten()
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(embeddings)} {what} embeddings hold NaN or infinity, the first is "
            f"number {int(bad[0])}; the network has diverged, or its input is broken"
        )
    return embeddings


def _judge(found: Tensor, candidates: Tensor, max_rank: int) -> QueryResults:
    """Figures of rankings.

    Args:
        found: (C, G) bool, the ranked item is a match; left-out items, at the end, are none. candidates: (C,).
    """
    found = found.double()
    size = found.shape[1]
    rank = torch.arange(1, size + 1, dtype=torch.float64, device=found.device)
    count = found.cumsum(1)  # matches up to and including this rank
    matches = count[:, -1]
    valid = matches > 0
    precision = count / rank
    before = torch.ones_like(precision)  # before the first item precision counts as 1
    before[:, 1:] = precision[:, :-1]
    last = (found * rank).amax(1)
    cmc = (count > 0).double()[:, :max_rank]
    if size < max_rank:
        cmc = torch.cat([cmc, cmc[:, -1:].expand(-1, max_rank - size)], dim=1)
    invalid = torch.where(valid, 0.0, torch.nan)
    return QueryResults(
        hits=cmc + invalid[:, None],
        ap=(found * precision).sum(1) / matches,
        ap_trapezoid=(found * (precision + before) / 2).sum(1) / matches,
        inp=matches / last,
        num_matches=matches.long(),
        num_candidates=candidates.long(),
        valid=valid,
    )
