"""Distances that others made are ranked as they are, ties included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from psnet.metrics import GivenScores, Labels, QueryResults, accept_rates, evaluate_ranking, multi_shot, single_shot
from psnet.metrics import given as module
from psnet.metrics.labels import OwnImages, Rules, own_images
from psnet.metrics.single_shot import draw_galleries


def case(seed: int = 0) -> tuple[torch.Tensor, Labels, Labels]:
    """Distances with many ties, below zero too."""
    torch.manual_seed(seed)
    labels = [Labels(torch.randint(-1, 5, (n,)), torch.randint(0, 3, (n,))) for n in (12, 70)]
    return torch.randint(-6, 7, (12, 70)).float() / 4, labels[0], labels[1]


def slow(distances: torch.Tensor, query: Labels, gallery: Labels, rules: Rules, i: int) -> list[int]:
    assert query.camid is not None
    assert gallery.camid is not None
    kept = [
        j
        for j in range(len(gallery.pid))
        if gallery.pid[j] != rules.junk_pid
        and not (rules.camera_rule and gallery.pid[j] == query.pid[i] and gallery.camid[j] == query.camid[i])
    ]
    order = sorted(kept, key=lambda j: (float(distances[i, j]), j))
    return [rank for rank, j in enumerate(order, 1) if gallery.pid[j] == query.pid[i]]


def ranked(distances: object, own: OwnImages) -> QueryResults:
    return multi_shot(GivenScores(distances, own), own, max_rank=80)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("rules", [Rules(), Rules(False, -1)])
def test_against_sorting(dtype: torch.dtype, rules: Rules):
    distances, query, gallery = case()
    if dtype == torch.float64:
        distances = distances.double() + 1e-12 * torch.rand(distances.shape)  # float32 cannot tell them apart
    own = own_images(query, gallery, rules)
    found = ranked(distances.to(dtype), own)
    for i in range(len(distances)):
        ranks = slow(distances, query, gallery, rules, i)
        assert found.num_matches[i] == len(ranks)
        if ranks:
            assert found.first_match[i] == ranks[0]
            assert found.ap[i].item() == pytest.approx(sum(n / r for n, r in enumerate(ranks, 1)) / len(ranks))


def test_blocks_and_maps_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    distances, query, gallery = case(1)
    own = own_images(query, gallery, Rules(junk_pid=-1))
    whole = ranked(distances, own)
    monkeypatch.setattr(module, "ROWS_HELD", 150)
    np.save(tmp_path / "d.npy", distances.numpy())
    mapped = ranked(np.load(tmp_path / "d.npy", mmap_mode="r"), own)
    for other in (mapped, ranked(distances[:, own.kept], own)):
        assert torch.equal(whole.ap.nan_to_num(), other.ap.nan_to_num())


def test_squared_distances_are_the_ranking_of_the_embeddings():
    torch.manual_seed(0)
    q, g = torch.randint(-3, 4, (9, 5)).float(), torch.randint(-3, 4, (40, 5)).float()
    query, gallery = (Labels(torch.randint(0, 4, (n,)), torch.randint(0, 2, (n,))) for n in (9, 40))
    own = own_images(query, gallery, Rules())
    expected = evaluate_ranking(q, g, query, gallery, distance="euclidean", max_rank=80)
    assert torch.equal(ranked(((q[:, None] - g) ** 2).sum(2), own).ap.nan_to_num(), expected.ap.nan_to_num())


def test_single_shot_and_accept_rates_take_them_too():
    distances, query, gallery = case(2)
    own = own_images(query, gallery, Rules())
    scores = GivenScores(distances, own)
    chosen = draw_galleries(gallery.pid, 5, seed=0)
    found = single_shot(scores, own, chosen)
    each = []
    for images in chosen:
        part = own_images(query, gallery[images], Rules())
        each.append(ranked(distances[:, images], part).ap)
    torch.testing.assert_close(found.ap, torch.stack(each).nanmean(0), equal_nan=True)
    rates = accept_rates(scores, own, (0.1,))
    same = query.pid[:, None] == gallery.pid
    false = distances[~same].sort().values
    worst = float(false[int(0.1 * len(false))])
    assert rates.threshold[0] == -worst
    true = same & (query.camid[:, None] != gallery.camid)  # type: ignore[index]
    assert rates.tar[0] == pytest.approx((distances[true] < worst).double().mean().item())


def test_what_is_not_a_distance():
    distances, query, gallery = case()
    distances = distances.double()
    distances[3, 2], distances[7, 1] = torch.nan, 1e39
    own = own_images(query, gallery, Rules())
    with pytest.raises(
        ValueError, match="2 of 12 queries have distances that are NaN, or infinite in float32, the first is number 3"
    ):
        GivenScores(distances, own)
    for wrong in (distances[:, :60], torch.cat([distances, distances], dim=1)):
        with pytest.raises(ValueError, match=r"distances are of 12 queries to \d+ gallery images, labels of 12 and 70"):
            GivenScores(wrong, own)
    with pytest.raises(ValueError, match="distances are of 11 queries"):
        GivenScores(distances[:11], own)
