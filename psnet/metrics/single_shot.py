"""Single-shot evaluation: one gallery image per person, drawn many times."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from psnet.metrics import kernels
from psnet.metrics.counting import find_exact
from psnet.metrics.labels import Labels, OwnImages, Rules, check_lengths, own_images
from psnet.metrics.results import QueryResults
from psnet.metrics.rows import Embeddings
from psnet.metrics.scores import AnyScores, Distance, Near, Progress, Scores


def evaluate_single_shot(
    query: Embeddings,
    gallery: Embeddings,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    repeats: int = 100,
    seed: int = 0,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    max_rank: int = 50,
    distance: Distance = "cosine",
    progress: Progress | None = None,
) -> QueryResults:
    """Each draw keeps one random gallery image per person; a query's figures are means over the draws.

    A draw in which the camera rule leaves a query without its match does not count for that query. With one match at
    rank r, AP and INP are 1 / r, and trapezoid AP 1 / (2 r) for r > 1.

    Args:
        repeats, seed: the draws depend on them and on the gallery's pids, not on the device.
        Others: see `evaluate_ranking`.
    """
    check_lengths(query, gallery, query_labels, gallery_labels)
    own = own_images(query_labels, gallery_labels, Rules(camera_rule, junk_pid))
    chosen = draw_galleries(gallery_labels.pid[own.kept], repeats, seed)
    return single_shot(Scores(query, gallery, distance, own.kept), own, chosen, max_rank, progress)


def single_shot(
    scores: AnyScores, own: OwnImages, chosen: list[Tensor], max_rank: int = 50, progress: Progress | None = None
) -> QueryResults:
    """The same of any scores. chosen: of each draw, the gallery images among those that take part."""
    scores.check(own)
    draws = _place(chosen, own, len(scores.query))
    exact, ahead = torch.zeros_like(own.row), torch.zeros_like(draws.match)
    for queries, query in scores.queries():
        find_exact(scores, own, queries, query, exact)
        for galleries, gallery in scores.galleries():
            for near in scores.near(queries, query, galleries, gallery):
                _count(near, draws, own, exact, scores, ahead)
            if progress is not None:
                progress(scores.done(queries, galleries), scores.comparisons)
    ranks = torch.where(draws.match >= 0, ahead + 1, 0)
    without = (draws.match < 0) & draws.there
    return _average(ranks.cpu(), (len(chosen[0]) - without.long()).cpu(), max_rank)


def draw_galleries(pids: Tensor, repeats: int, seed: int) -> list[Tensor]:
    """For each draw the gallery indices that take part, one per pid, ascending.

    Raises:
        ValueError: repeats is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats={repeats}: single-shot evaluation needs at least one draw")
    people, person = torch.unique(pids.cpu(), return_inverse=True)
    random = torch.Generator().manual_seed(seed)
    draws = []
    for _ in range(repeats):
        shuffled = torch.randperm(len(pids), generator=random)
        place = torch.empty_like(shuffled)
        place[shuffled] = torch.arange(len(pids))
        first = torch.full((len(people),), len(pids)).scatter_reduce(0, person, place, "amin")
        draws.append(shuffled[first].sort().values.to(pids.device))
    return draws


@dataclass(frozen=True, eq=False)
class _Draws:
    """R galleries. chosen: the images of each. match: (Q, R) number among `own` of the image that each query looks for,
    -1 where there is none or the camera rule removes it. there: (Q, R), the query's person is in the gallery."""

    chosen: list[Tensor]
    match: Tensor
    there: Tensor

    def of_images(self, images: slice) -> tuple[Tensor, Tensor]:
        """(begin, draw): which draws each of some images is in."""
        size = images.stop - images.start
        image = torch.cat(self.chosen) - images.start
        draw = torch.repeat_interleave(torch.arange(len(self.chosen)), len(self.chosen[0])).to(image.device)
        inside = (image >= 0) & (image < size)
        order = image[inside].sort(stable=True)
        begin = torch.searchsorted(order.values, torch.arange(size + 1, device=image.device))
        return begin, draw[inside][order.indices]


def _place(chosen: list[Tensor], own: OwnImages, queries: int) -> _Draws:
    """The draws, and what each query looks for in them."""
    drawn = torch.zeros(len(own.kept), len(chosen), dtype=torch.bool, device=own.row.device)
    for number, images in enumerate(chosen):
        drawn[images, number] = True
    image, draw = drawn[own.column].nonzero(as_tuple=True)
    match = torch.full((queries, len(chosen)), -1, device=own.row.device)
    match[own.row[image], draw] = torch.where(own.removed[image], -1, image)
    there = torch.zeros_like(match, dtype=torch.bool)
    there[own.row[image], draw] = True
    return _Draws(chosen, match, there)


def _count(near: Near, draws: _Draws, own: OwnImages, exact: Tensor, scores: AnyScores, ahead: Tensor) -> None:
    """Add to `ahead`, (Q, R), how many of a block's images lie before each query's match."""
    match = draws.match[near.query]
    score, column = exact[match.clamp(min=0)], own.column[match.clamp(min=0)]
    low, high = (x.masked_fill(match < 0, torch.inf) for x in scores.limits(score))
    begin, draw = draws.of_images(near.gallery)
    if not scores.compiled:
        ahead[near.query] += count_by_torch(near, begin, draw, column, score, low, high, scores)
        return
    blocks = (x.numpy() for x in (near.scores, near.query_rows.whole, near.gallery_rows.whole))
    lists = (x.numpy() for x in (begin, draw, column, score, low, high))
    kernels.count_ahead_drawn(*blocks, near.gallery.start, *lists, scores.euclidean, ahead[near.query].numpy())


def count_by_torch(
    near: Near, begin: Tensor, draw: Tensor, column: Tensor, score: Tensor, low: Tensor, high: Tensor, scores: AnyScores
) -> Tensor:
    """The same on any device. Returns what is to be added."""
    image = torch.repeat_interleave(torch.arange(len(begin) - 1, device=begin.device), begin.diff())
    added = torch.zeros_like(score)
    for r in range(score.shape[1]):
        images = image[draw == r]
        value = near.scores[:, images]
        sure = value > high[:, r, None]
        added[:, r] = sure.sum(1)
        q, place = ((value >= low[:, r, None]) & ~sure & low[:, r, None].isfinite()).nonzero(as_tuple=True)
        g = images[place]
        other = scores.exact(near.query_rows, near.gallery_rows, q, g)
        own, first = score[q, r], g + near.gallery.start < column[q, r]
        added[:, r].scatter_add_(0, q, ((other > own) | ((other == own) & first)).long())
    return added


def _average(ranks: Tensor, candidates: Tensor, max_rank: int) -> QueryResults:
    """ranks, candidates: (Q, repeats)."""
    counted = ranks > 0
    draws = counted.sum(1).double()  # 0 gives NaN below
    inverse = torch.where(counted, 1.0 / ranks.clamp(min=1).double(), 0.0)
    trapezoid = torch.where(ranks == 1, 1.0, inverse / 2)
    hits = torch.stack([(counted & (ranks <= k)).sum(1) for k in range(1, max_rank + 1)], dim=1)
    return QueryResults(
        hits=hits / draws[:, None],
        ap=inverse.sum(1) / draws,
        ap_trapezoid=trapezoid.sum(1) / draws,
        inp=inverse.sum(1) / draws,
        first_match=ranks.sum(1) / draws,
        num_matches=(draws > 0).long(),
        num_candidates=torch.where(draws > 0, (candidates * counted).sum(1) / draws, candidates.amax(1)).round().long(),
        valid=draws > 0,
    )
