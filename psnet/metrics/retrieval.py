"""The evaluation as a torchmetrics.Metric: collects embeddings, across processes too, and ranks at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from psnet.metrics.ranking import Distance, Labels, QueryResults, evaluate_ranking, score_chunks
from psnet.metrics.single_shot import evaluate_single_shot
from psnet.metrics.summary import summarise


@dataclass(frozen=True, eq=False)
class Side:
    """Query or gallery: N images in the order of their numbers.

    embedding: (N, D). pid, camid, rate: (N,). index: (N,) number of each image in the whole evaluation set.
    """

    embedding: Tensor
    pid: Tensor
    camid: Tensor
    rate: Tensor
    index: Tensor

    @property
    def labels(self) -> Labels:
        return Labels(self.pid, self.camid)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The outcome of an evaluation, and the rules it went by.

    results: one entry per query, in the order of `query`.
    """

    query: Side
    gallery: Side
    results: QueryResults
    camera_rule: bool
    junk_pid: int | None
    distance: Distance


@dataclass(frozen=True, eq=False)
class RankedGallery:
    """The first gallery images for one query, best first, without those left out.

    index: (K,) into the gallery. score: (K,) cosine similarity. match: (K,) bool. first_match: rank of the first match
    in the whole ranking, from 1, or None.
    """

    index: Tensor
    score: Tensor
    match: Tensor
    first_match: int | None


class RetrievalMetric(Metric):
    """Embeddings in, figures out; what they rest on is kept in `found` after `compute`.

    Arrival order, chunks and the number of processes change nothing: images are put in the order of their numbers.

    Args:
        expected: number of images of query and gallery together; `compute` insists on each exactly once.
        shots: "multi", or "single" with `repeats` draws from `seed`.
        camera_rule, junk_pid, distance: see `evaluate_ranking`.
    """

    full_state_update = False
    is_differentiable = False

    embedding: list[Tensor]
    pid: list[Tensor]
    camid: list[Tensor]
    rate: list[Tensor]
    is_query: list[Tensor]
    index: list[Tensor]

    def __init__(
        self,
        expected: int,
        camera_rule: bool = True,
        shots: Literal["multi", "single"] = "multi",
        repeats: int = 100,
        seed: int = 0,
        junk_pid: int | None = None,
        distance: Distance = "cosine",
    ) -> None:
        super().__init__()
        if shots not in ("multi", "single"):
            raise ValueError(f"shots={shots!r} must be multi or single")
        self.expected, self.camera_rule, self.shots = expected, camera_rule, shots
        self.repeats, self.seed, self.junk_pid, self.distance = repeats, seed, junk_pid, distance
        self.found: Retrieval | None = None
        for name in ("embedding", "pid", "camid", "rate", "is_query", "index"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(
        self, embedding: Tensor, pid: Tensor, camid: Tensor, rate: Tensor, is_query: Tensor, index: Tensor
    ) -> None:
        """Embeddings (B, D), any float type, kept as float32 at least; the others (B,).

        Args:
            index: number of each image, from 0 to `expected` - 1.
        """
        self.embedding.append(embedding if embedding.dtype == torch.float64 else embedding.float())
        self.pid.append(pid)
        self.camid.append(camid)
        self.rate.append(rate)
        self.is_query.append(is_query)
        self.index.append(index)

    def set_dtype(self, dst_type: Any) -> RetrievalMetric:
        """Stays as it is: scores in half precision would change ranks."""
        return self

    def compute(self) -> dict[str, float]:
        """Rank, and summarise (see `summarise`).

        Raises:
            RuntimeError: an image is missing or came more than once.
            ValueError: embeddings are not finite.
            NoMatchError: no query has a match.
        """
        index = dim_zero_cat(self.index)
        self._check_complete(index)
        order = index.argsort()
        states = (dim_zero_cat(getattr(self, n))[order] for n in ("embedding", "pid", "camid", "rate"))
        embedding, pid, camid, rate = states
        is_query = dim_zero_cat(self.is_query)[order].bool()
        sides = [Side(embedding[m], pid[m], camid[m], rate[m], index[order][m]) for m in (is_query, ~is_query)]
        results = self._evaluate(*sides)
        self.found = Retrieval(sides[0], sides[1], results, self.camera_rule, self.junk_pid, self.distance)
        return summarise(results)

    def _evaluate(self, query: Side, gallery: Side) -> QueryResults:
        data = (query.embedding, gallery.embedding, query.labels, gallery.labels)
        camera_rule, junk_pid, distance = self.camera_rule, self.junk_pid, self.distance
        if self.shots == "multi":
            return evaluate_ranking(*data, camera_rule=camera_rule, junk_pid=junk_pid, distance=distance)
        return evaluate_single_shot(
            *data,
            repeats=self.repeats,
            seed=self.seed,
            camera_rule=camera_rule,
            junk_pid=junk_pid,
            distance=distance,
        )

    def _check_complete(self, index: Tensor) -> None:
        seen = torch.bincount(index, minlength=self.expected)
        missing = (seen[: self.expected] == 0).nonzero().flatten()
        double = (seen > 1).nonzero().flatten()
        if len(missing) or len(double) or len(seen) > self.expected:
            raise RuntimeError(
                f"of {self.expected} images {len(missing)} were not seen {missing[:3].tolist()}, "
                f"{len(double)} were seen more than once {double[:3].tolist()}, {len(seen) - self.expected} have a "
                "number beyond; use psnet's ShardSampler, and trainer.use_distributed_sampler=false"
            )


def ranked_gallery(retrieval: Retrieval, query: int, length: int) -> RankedGallery:
    """The first gallery images for query number `query`, by the multi-shot rules of the evaluation."""
    own, gallery, one = retrieval.query, retrieval.gallery, slice(query, query + 1)
    labels = Labels(own.pid[one], own.camid[one])
    rules = (retrieval.camera_rule, retrieval.junk_pid, retrieval.distance)
    ((scores, matches, removed),) = score_chunks(own.embedding[one], gallery.embedding, labels, gallery.labels, *rules)
    kept = ~removed[0]
    ranking = scores[0].masked_fill(~kept, -torch.inf).sort(descending=True, stable=True)
    order = ranking.indices[: int(kept.sum())]
    found = matches[0][order]
    first = int(found.float().argmax()) + 1 if bool(found.any()) else None
    return RankedGallery(order[:length], scores[0][order[:length]], found[:length], first)
