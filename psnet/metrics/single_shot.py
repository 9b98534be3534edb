"""Single-shot evaluation: one gallery image per person, drawn many times."""

from __future__ import annotations

import torch
from torch import Tensor

from psnet.metrics.ranking import Distance, Labels, QueryResults, score_chunks


def evaluate_single_shot(
    query: Tensor,
    gallery: Tensor,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    repeats: int = 100,
    seed: int = 0,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    max_rank: int = 50,
    distance: Distance = "cosine",
) -> QueryResults:
    """Each draw keeps one random gallery image per person; a query's figures are means over the draws.

    A draw in which the camera rule leaves a query without its match does not count for that query. With one match at
    rank r, AP and INP are 1 / r, and trapezoid AP 1 / (2 r) for r > 1.

    Args:
        repeats, seed: the draws depend on them and on the gallery's pids, not on the device.
        Others: see `evaluate_ranking`.
    """
    draws = draw_galleries(gallery_labels.pid, repeats, seed, junk_pid)
    chunks = score_chunks(query, gallery, query_labels, gallery_labels, camera_rule, junk_pid, distance)
    ranks, candidates = [], []
    for scores, matches, removed in chunks:
        drawn = [_rank_of_match(scores[:, d], matches[:, d], removed[:, d]) for d in draws]
        ranks.append(torch.stack([rank for rank, _ in drawn], dim=1))
        candidates.append(torch.stack([number for _, number in drawn], dim=1))
    return _average(torch.cat(ranks), torch.cat(candidates), max_rank)


def draw_galleries(pids: Tensor, repeats: int, seed: int, junk_pid: int | None = None) -> list[Tensor]:
    """For each draw the gallery indices that take part, one per pid, ascending."""
    people, person = torch.unique(pids.cpu(), return_inverse=True)
    random = torch.Generator().manual_seed(seed)
    draws = []
    for _ in range(repeats):
        shuffled = torch.randperm(len(pids), generator=random)
        place = torch.empty_like(shuffled)
        place[shuffled] = torch.arange(len(pids))
        first = torch.full((len(people),), len(pids)).scatter_reduce(0, person, place, "amin")
        chosen = shuffled[first]
        if junk_pid is not None:
            chosen = chosen[people != junk_pid]
        draws.append(chosen.sort().values.to(pids.device))
    return draws


def _rank_of_match(scores: Tensor, matches: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """(rank of the match from 1, or 0 without one; number of candidates), (C,) each, of one draw."""
    matches = matches & ~removed
    there = matches.any(1)
    column = matches.float().argmax(1)
    own = scores.gather(1, column[:, None])
    index = torch.arange(scores.shape[1], device=scores.device)
    before = (scores > own) | ((scores == own) & (index < column[:, None]))
    rank = 1 + (before & ~removed).sum(1)
    return torch.where(there, rank, 0), (~removed).sum(1)


def _average(ranks: Tensor, candidates: Tensor, max_rank: int) -> QueryResults:
    """ranks, candidates: (Q, repeats)."""
    counted = ranks > 0
    draws = counted.sum(1).double()  # 0 gives NaN below
    inverse = torch.where(counted, 1.0 / ranks.clamp(min=1).double(), 0.0)
    trapezoid = torch.where(ranks == 1, 1.0, inverse / 2)
    places = torch.arange(1, max_rank + 1, device=ranks.device)
    hits = torch.stack([(counted & (ranks <= k)).sum(1) for k in places], dim=1)
    return QueryResults(
        hits=hits / draws[:, None],
        ap=inverse.sum(1) / draws,
        ap_trapezoid=trapezoid.sum(1) / draws,
        inp=inverse.sum(1) / draws,
        num_matches=(draws > 0).long(),
        num_candidates=candidates.double().mean(1).round().long(),
        valid=draws > 0,
    )
