"""The first of each ranking: the order of the evaluation, whatever the blocks; and queries made of several images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from psnet.metrics import (
    GivenScores,
    Labels,
    Rules,
    expand_queries,
    kernels,
    nearest,
    neighbours,
    own_images,
    pool_queries,
    scores,
)
from psnet.metrics.scores import Distance, Scores


def case(kind: str) -> tuple[torch.Tensor, torch.Tensor, Labels, Labels]:
    torch.manual_seed(0)
    q, g = torch.randn(9, 6), torch.randn(80, 6)
    if kind == "ties":
        q, g = torch.randint(-1, 2, (9, 6)).float(), torch.randint(-1, 2, (80, 6)).float()
    if kind == "all near":
        g = g[:1] + 1e-8 * g
    labels = [Labels(torch.randint(-1, 5, (n,)), torch.randint(0, 2, (n,))) for n in (9, 80)]
    return q, g, *labels  # type: ignore[return-value]


@pytest.mark.parametrize("path", ["usual", "torch", "small blocks"])
@pytest.mark.parametrize("kind", ["real", "ties", "all near"])
@pytest.mark.parametrize(("distance", "rules"), [("cosine", Rules()), ("euclidean", Rules(False, -1))])
def test_against_sorting_exact_scores(kind: str, distance: Distance, rules: Rules, path: str, monkeypatch):  # type: ignore[no-untyped-def]
    q, g, query, gallery = case(kind)
    own = own_images(query, gallery, rules)
    of = Scores(q, g, distance, own.kept)
    ((_, rows),), ((_, columns),) = list(of.queries()), list(of.galleries())
    expected = []
    for i in range(9):
        place = torch.arange(len(own.kept))
        exact = of.exact(rows, columns, torch.full_like(place, i), place).tolist()
        span = own.span(slice(i, i + 1))
        gone = set(own.column[span][own.removed[span]].tolist())
        order = sorted((-score, j) for j, score in enumerate(exact) if j not in gone)
        expected.append([int(own.kept[j]) for _, j in order[:12]])
    if path == "torch":
        monkeypatch.setattr(kernels, "serve", lambda tensor: False)
    if path == "small blocks":
        monkeypatch.setattr(scores, "GALLERY_AT_ONCE", 7)
        monkeypatch.setattr(scores, "QUERIES_AT_ONCE", 2)
        monkeypatch.setattr(scores, "HELD", 30)
        monkeypatch.setattr(neighbours, "LOOKED_AT", 200)
    found = nearest(Scores(q, g, distance, own.kept), own, 12)
    assert found.index.tolist() == expected
    assert found.score.diff(dim=1).le(1e-12).all()


@pytest.mark.parametrize("number", [1, 2, 7, 60, 90])
def test_the_greatest_of_all_blocks_are_kept(number: int):
    torch.manual_seed(number)
    for near in (torch.randn(5, 70), torch.randint(0, 3, (5, 70)).float(), torch.arange(70.0).expand(5, -1).clone()):
        near[1] = -torch.inf  # left out, all of them
        score, column = torch.full((5, number), -torch.inf), torch.full((5, number), -1)
        for first in range(0, 70, 9):
            block = near[:, first : first + 9].contiguous()
            kernels.keep_greatest(block.numpy(), first, score.numpy(), column.numpy())
        wanted = torch.cat([near, torch.full((5, number), -torch.inf)], dim=1).topk(number).values
        assert torch.equal(score.sort(dim=1, descending=True).values, wanted)
        for row, (places, kept) in enumerate(zip(column.tolist(), score.tolist(), strict=True)):
            there = [(place, value) for place, value in zip(places, kept, strict=True) if place >= 0]
            assert len({place for place, _ in there}) == len(there) == int((wanted[row] > -torch.inf).sum())
            assert all(near[row, place] == value for place, value in there)


def test_fewer_than_asked_for():
    q, g = torch.randn(2, 3), torch.randn(3, 3)
    query, gallery = Labels(torch.tensor([0, 1]), torch.tensor([0, 0])), Labels(torch.arange(3), torch.zeros(3).long())
    own = own_images(query, gallery, Rules())
    found = nearest(Scores(q, g, "cosine"), own, 5)
    assert found.index.shape == (2, 3)
    assert [sorted(row) for row in found.index.tolist()] == [[-1, 1, 2], [-1, 0, 2]]
    assert found.score[:, -1].isneginf().all()
    with pytest.raises(ValueError, match="k=0: ask for at least one"):
        nearest(Scores(q, g, "cosine"), own, 0)


def test_given_distances():
    distances = torch.tensor([[3.0, 1.0, 2.0, 1.0]])
    own = own_images(Labels(torch.tensor([0])), Labels(torch.arange(4)), Rules(False))
    found = nearest(GivenScores(distances, own), own, 3)
    assert found.index.tolist() == [[1, 3, 2]]
    assert found.score.tolist() == [[-1, -1, -2]]


def test_expansion_is_the_mean_with_the_neighbours():
    q, g, query, gallery = case("real")
    found = expand_queries(q, g, query, gallery, k=3, alpha=2, junk_pid=-1)
    unit_q, unit_g = F.normalize(q), F.normalize(g)
    assert query.camid is not None
    assert gallery.camid is not None
    for i in range(len(q)):
        gone = (gallery.pid == -1) | ((gallery.pid == query.pid[i]) & (gallery.camid == query.camid[i]))
        cosine = (unit_g @ unit_q[i]).masked_fill(gone, -2)
        best = cosine.topk(3).indices
        mean = unit_q[i] + (cosine[best].clamp(min=0)[:, None] ** 2 * unit_g[best]).sum(0)
        torch.testing.assert_close(found[i], F.normalize(mean, dim=0), rtol=0, atol=1e-6)
    from_disk = expand_queries(q, np.asarray(g), query, gallery, k=3, alpha=2, junk_pid=-1)
    assert torch.equal(found, from_disk)
    with pytest.raises(ValueError, match="alpha=-1"):
        expand_queries(q, g, query, gallery, alpha=-1)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_pooled_queries(pool):  # type: ignore[no-untyped-def]
    q = torch.randn(5, 4)
    labels = Labels(torch.tensor([7, 3, 7, 7, 3]), torch.tensor([1, 1, 1, 2, 1]))
    pooled, new, member = pool_queries(q, labels, pool)
    assert list(zip(new.pid.tolist(), new.camid.tolist(), strict=True)) == [(3, 1), (7, 1), (7, 2)]  # type: ignore[union-attr]
    unit = F.normalize(q)
    both = unit[[0, 2]].mean(0) if pool == "mean" else unit[[0, 2]].amax(0)
    torch.testing.assert_close(pooled[1], both)
    assert member.tolist() == [1, 0, 1, 2, 0]
    assert len(pool_queries(q, Labels(labels.pid))[0]) == 2
