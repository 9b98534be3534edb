"""The evaluation as a torchmetrics.Metric: collects embeddings, across processes too, and ranks at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from psnet.metrics.diagnosis import why_no_match
from psnet.metrics.given import GivenScores
from psnet.metrics.labels import Labels, OwnImages, Rules, own_images
from psnet.metrics.neighbours import nearest
from psnet.metrics.ranking import evaluate_ranking, multi_shot
from psnet.metrics.results import QueryResults
from psnet.metrics.scores import AnyScores, Distance, Scores
from psnet.metrics.single_shot import evaluate_single_shot
from psnet.metrics.summary import NoMatchError, summarise

Shots: TypeAlias = Literal["multi", "single"]


@dataclass(frozen=True, eq=False)
class Side:
    """Query or gallery: N images in the order of their numbers.

    embedding: (N, D), or None where there are distances only. pid, camid, rate: (N,); camid may be None where the
    camera rule is off. index: (N,) number of each image in the whole evaluation set.
    """

    embedding: Any
    pid: Tensor
    camid: Tensor | None
    rate: Tensor
    index: Tensor

    @property
    def labels(self) -> Labels:
        return Labels(self.pid, self.camid)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The outcome of an evaluation, and the rules it went by.

    results: one entry per query, in the order of `query`. distances: (Q, G), where these were given in the place of
    embeddings. shots: "multi" or "single".
    """

    query: Side
    gallery: Side
    results: QueryResults
    camera_rule: bool
    junk_pid: int | None
    distance: Distance
    shots: Shots = "multi"
    distances: Any = None

    def own_images(self) -> OwnImages:
        return own_images(self.query.labels, self.gallery.labels, Rules(self.camera_rule, self.junk_pid))

    def scores(self, own: OwnImages, queries: slice | None = None) -> AnyScores:
        """Those it went by, of all or some queries."""
        if self.distances is not None:
            return GivenScores(self.distances if queries is None else self.distances[queries], own)
        query = self.query.embedding if queries is None else self.query.embedding[queries]
        return Scores(query, self.gallery.embedding, self.distance, own.kept)


@dataclass(frozen=True, eq=False)
class RankedGallery:
    """The first gallery images for one query, best first, without those left out.

    index: (K,) into the gallery. score: (K,) cosine similarity, or negative distance. match: (K,) bool. first_match:
    rank of the first match in the whole ranking, from 1, or None.
    """

    index: Tensor
    score: Tensor
    match: Tensor
    first_match: int | None


class RetrievalMetric(Metric):
    """Embeddings in, figures out; what they rest on is kept in `found` after `compute`.

    Works in any LightningModule, and without one:

        metric = RetrievalMetric()
        metric.update(embedding, pid, is_query, camid)       # batch by batch, queries and gallery in any order
        metric.compute()["mAP"]

    Args:
        expected: number of images of query and gallery together; `compute` insists on each exactly once, and arrival
            order and the number of processes change nothing. None: whatever has come, in the order in which it came.
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
        expected: int | None = None,
        camera_rule: bool = True,
        shots: Shots = "multi",
        repeats: int = 100,
        seed: int = 0,
        junk_pid: int | None = None,
        distance: Distance = "cosine",
    ) -> None:
        super().__init__()
        if shots not in ("multi", "single"):
            raise ValueError(f"shots={shots!r} must be multi or single")
        if repeats < 1:
            raise ValueError(f"repeats={repeats} must be 1 or more draws of a gallery")
        self.expected, self.camera_rule, self.shots = expected, camera_rule, shots
        self.repeats, self.seed, self.junk_pid, self.distance = repeats, seed, junk_pid, distance
        self.found: Retrieval | None = None
        for name in ("embedding", "pid", "camid", "rate", "is_query", "index"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(
        self,
        embedding: Tensor,
        pid: Tensor,
        is_query: Tensor,
        camid: Tensor | None = None,
        rate: Tensor | None = None,
        index: Tensor | None = None,
    ) -> None:
        """Embeddings (B, D), any float type, kept as float32 at least; the others (B,).

        Args:
            camid: may be missing where the camera rule is off. rate: down-sampling rate, 1 if not given.
            index: number of each image, from 0 to `expected` - 1; required where that is given.

        Raises:
            ValueError: camid or index is missing.
        """
        for value, name, needed in ((camid, "camid", self.camera_rule), (index, "index", self.expected is not None)):
            if value is None and needed:
                rule = "camera_rule=False" if name == "camid" else "expected=None"
                raise ValueError(f"update() needs {name}; give it, or build the metric with {rule}")
        self.embedding.append(embedding if embedding.dtype == torch.float64 else embedding.float())
        self.pid.append(pid)
        self.is_query.append(is_query)
        self.camid.append(torch.full_like(pid, -1) if camid is None else camid)
        self.rate.append(torch.ones_like(pid, dtype=torch.float64) if rate is None else rate)
        self.index.append(torch.full_like(pid, -1) if index is None else index)

    def set_dtype(self, dst_type: Any) -> RetrievalMetric:
        """Stays as it is: scores in half precision would change ranks."""
        return self

    def compute(self) -> dict[str, float]:
        """Rank, and summarise (see `summarise`).

        Raises:
            RuntimeError: an image is missing or came more than once.
            ValueError: embeddings are not finite.
            NoMatchError: no query has a match; says why.
        """
        states = {name: dim_zero_cat(getattr(self, name)) for name in self._defaults}
        if self.expected is None:
            order = torch.arange(len(states["pid"]), device=states["pid"].device)
            states["index"] = order
        else:
            self._check_complete(states["index"])
            order = states["index"].argsort()
        asked = states.pop("is_query").bool()[order]
        query, gallery = (
            Side(**{name: value[order][chosen] for name, value in states.items()}) for chosen in (asked, ~asked)
        )
        results = self._evaluate(query, gallery)
        if not bool(results.valid.any()):
            raise NoMatchError(why_no_match(query.labels, gallery.labels, Rules(self.camera_rule, self.junk_pid)))
        rules = (self.camera_rule, self.junk_pid, self.distance, self.shots)
        self.found = Retrieval(query, gallery, results, *rules)
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
        expected = self.expected or 0
        seen = torch.bincount(index, minlength=expected)
        missing = (seen[:expected] == 0).nonzero().flatten()
        double = (seen > 1).nonzero().flatten()
        if len(missing) or len(double) or len(seen) > expected:
            raise RuntimeError(
                f"of {expected} images {len(missing)} were not seen {missing[:3].tolist()}, "
                f"{len(double)} were seen more than once {double[:3].tolist()}, {len(seen) - expected} have a "
                "number beyond; use psnet's ShardSampler, and trainer.use_distributed_sampler=false"
            )


def ranked_gallery(retrieval: Retrieval, query: int, length: int) -> RankedGallery:
    """The first gallery images for query number `query`, by the multi-shot rules of the evaluation."""
    one = slice(query, query + 1)
    own = own_images(
        retrieval.query.labels[one], retrieval.gallery.labels, Rules(retrieval.camera_rule, retrieval.junk_pid)
    )
    scores = retrieval.scores(own, one)
    first = multi_shot(scores, own).first_match[0]
    found = nearest(scores, own, length)
    there = found.index[0] >= 0
    index, score = found.index[0][there], found.score[0][there]
    match = torch.isin(index, own.kept[own.column])
    return RankedGallery(index, score, match, None if bool(first.isnan()) else int(first))
