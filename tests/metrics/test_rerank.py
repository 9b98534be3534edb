"""k-reciprocal re-ranking against the paper with sets, against full matrices, and at its edges."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from psnet.metrics import Scores, k_reciprocal, nearest, rows, scores
from psnet.metrics.labels import nobody_is_left_out


def clustered(seed: int, queries: int = 9, gallery: int = 31, dimensions: int = 6, people: int = 6):
    random = torch.Generator().manual_seed(seed)
    means = torch.randn(people, dimensions, generator=random)
    person = torch.randint(0, people, (queries + gallery,), generator=random)
    embeddings = means[person] + 0.5 * torch.randn(queries + gallery, dimensions, generator=random)
    return embeddings[:queries], embeddings[queries:]


def by_sets(query: Tensor, gallery: Tensor, k1: int, k2: int, weight: float) -> np.ndarray:
    """The paper, one image after the other."""
    points = [*query.double().tolist(), *gallery.double().tolist()]
    n, queries = len(points), len(query)
    raw = [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in points] for p in points]
    d = [[value / max(row) if max(row) else 0.0 for value in row] for row in raw]
    order = [sorted(range(n), key=lambda j, i=i: (j != i, raw[i][j], j)) for i in range(n)]  # type: ignore[misc]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    vectors: list[dict[int, float]] = []
    for i in range(n):
        own = reciprocal(i, k1)
        expanded = set(own)
        for j in own:
            more = reciprocal(j, round(k1 / 2))
            if len(more & own) > 2 / 3 * len(more):
                expanded |= more
        weights = {j: math.exp(-d[i][j]) for j in expanded}
        vectors.append({j: w / sum(weights.values()) for j, w in weights.items()})
    means: list[dict[int, float]] = []
    for i in range(n):
        mean: dict[int, float] = defaultdict(float)
        for j in order[i][:k2]:
            for column, w in vectors[j].items():
                mean[column] += w / len(order[i][:k2])
        means.append(mean)
    found = np.empty((queries, n - queries))
    for q in range(queries):
        for g in range(queries, n):
            columns = means[q].keys() | means[g].keys()
            pairs = [(means[q].get(c, 0), means[g].get(c, 0)) for c in columns]
            jaccard = 1 - sum(map(min, pairs)) / sum(map(max, pairs))
            found[q, g - queries] = (1 - weight) * jaccard + weight * d[q][g]
    return found


def by_matrices(query: Tensor, gallery: Tensor, k1: int, k2: int, weight: float) -> np.ndarray:
    """The same with N x N matrices throughout, no loops over images."""
    points = torch.cat([query, gallery]).double()
    queries, n = len(query), len(points)
    d = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square()
    order = (d - torch.eye(n)).argsort(dim=1, stable=True)
    d = d / d.amax(1, keepdim=True)

    def reciprocal(k: int) -> Tensor:
        near = torch.zeros(n, n, dtype=torch.bool).scatter_(1, order[:, : k + 1], True)
        return near & near.T

    own, half = reciprocal(k1), reciprocal(round(k1 / 2))
    share = (own.double() @ half.double().T) / half.sum(1)  # [i, j]: of R(j, k1 / 2) in R(i, k1)
    chosen = own & (share > 2 / 3 + 1e-9)
    expanded = own | (chosen.double() @ half.double() > 0)
    v = torch.where(expanded, (-d).exp(), 0.0)
    v = v / v.sum(1, keepdim=True)
    if k2 != 1:
        v = v[order[:, :k2]].mean(1)
    smaller = torch.minimum(v[:queries, None], v[None, queries:]).sum(2)
    return ((1 - weight) * (1 - smaller / (2 - smaller)) + weight * d[:queries, queries:]).numpy()


def whole(*arguments: object, **options: object) -> Tensor:
    return k_reciprocal(*arguments, **options)[:]  # type: ignore[arg-type]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5, 7, 20, 60]), st.sampled_from([1, 2, 6, 50]), st.floats(0, 1))
def test_against_sets(seed: int, k1: int, k2: int, weight: float):
    """k1 of 5 and 7 have halves that round to 2 and 4; 50 and 60 exceed the set."""
    query, gallery = clustered(seed)
    expected = by_sets(query, gallery, k1, k2, weight)
    np.testing.assert_allclose(whole(query, gallery, k1, k2, weight), expected, atol=2e-6)


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (20, 1), (9, 3), (3, 30)])
def test_against_matrices(k1: int, k2: int):
    query, gallery = clustered(k1, queries=60, gallery=340, dimensions=32, people=25)
    expected = by_matrices(query, gallery, k1, k2, 0.3)
    found = whole(query, gallery, k1, k2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    ranked = np.take_along_axis(expected, found.argsort(dim=1, stable=True).numpy(), 1)
    assert (np.diff(ranked, axis=1) > -1e-6).all()  # the ranking, but for what float32 cannot tell apart


def test_ties_go_by_index():
    """Whole numbers: many distances are equal, and no sum is rounded."""
    random = torch.Generator().manual_seed(0)
    query, gallery = (torch.randint(0, 4, (n, 2), generator=random).float() for n in (8, 50))
    np.testing.assert_allclose(whole(query, gallery, 6, 3), by_sets(query, gallery, 6, 3, 0.3), atol=2e-6)


def test_more_equal_images_than_neighbours():
    """Each is in its own neighbourhood all the same."""
    query, gallery = clustered(1)
    gallery[5:25] = query[3]
    np.testing.assert_allclose(whole(query, gallery, 4, 2), by_sets(query, gallery, 4, 2, 0.3), atol=2e-6)


def test_all_images_equal():
    found = whole(torch.ones(3, 4), torch.ones(60, 4))
    assert found.isfinite().all()
    np.testing.assert_allclose(found, by_sets(torch.ones(3, 4), torch.ones(60, 4), 20, 6, 0.3), atol=2e-6)


def test_weight_1_is_the_plain_ranking():
    query, gallery = clustered(2)
    own = nobody_is_left_out(len(query), len(gallery), query.device)
    plain = nearest(Scores(query, gallery, "euclidean"), own, len(gallery)).index
    found = whole(query, gallery, weight=1)
    assert found.argsort(dim=1, stable=True).equal(plain)
    squares = torch.cdist(torch.cat([query, gallery]), torch.cat([query, gallery])).square()
    torch.testing.assert_close(found, squares[:9, 9:] / squares[:9].amax(1, keepdim=True))


def test_weight_0_is_the_jaccard_distance():
    query, gallery = clustered(3)
    found = whole(query, gallery, 5, 2, 0)
    np.testing.assert_allclose(found, by_sets(query, gallery, 5, 2, 0), atol=2e-6)
    assert (found == 1).sum() > 100  # no neighbour in common


def test_one_query_and_one_gallery_image():
    query, gallery = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 1.0]])
    found = whole(query, gallery)
    assert found.shape == (1, 1)
    assert found.item() == pytest.approx(by_sets(query, gallery, 20, 6, 0.3).item())


def test_the_cosine_is_that_of_normalised_rows():
    query, gallery = clustered(4)
    query[0] *= 7
    normal = whole(F.normalize(query), F.normalize(gallery), 7, 3)
    torch.testing.assert_close(whole(query, gallery, 7, 3, distance="cosine"), normal, atol=2e-6, rtol=0)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_chunks_change_nothing(distance: str, monkeypatch: pytest.MonkeyPatch):
    query, gallery = clustered(5, queries=140)
    expected = whole(query, gallery, 6, 3, distance=distance)
    for module, name, value in ((rows, "READ", 50), (scores, "HELD", 60), (scores, "GALLERY_AT_ONCE", 7)):
        monkeypatch.setattr(module, name, value)
    torch.testing.assert_close(whole(query, gallery, 6, 3, distance=distance), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "part", [slice(0, 1), slice(139, 140), slice(100, 131), slice(128, 128), slice(-3, None), slice(200, 300)]
)
def test_rows_alone_are_as_among_others(part: slice):
    found = k_reciprocal(*clustered(6, queries=140), 6, 3)
    assert found[part].equal(found[:][part])


def test_rows_must_be_consecutive():
    with pytest.raises(ValueError, match="must be consecutive"):
        k_reciprocal(*clustered(6))[0:9:2]


def test_memory_maps_as_tensors(tmp_path: Path):
    query, gallery = clustered(7)
    expected = whole(query, gallery, 6, 3)
    maps = []
    for name, array in (("query", query), ("gallery", gallery)):
        np.save(tmp_path / name, array.numpy())
        maps.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    assert whole(*maps, 6, 3).equal(expected)
    assert whole(query, maps[1], 6, 3).equal(expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    query, gallery = clustered(8, queries=140)
    found = whole(query.cuda(), gallery.cuda(), 6, 3)
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), whole(query, gallery, 6, 3))


def test_progress(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scores, "HELD", 60)
    calls: list[tuple[int, int]] = []
    k_reciprocal(*clustered(0), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(400, 1600), (800, 1600), (1200, 1600), (1600, 1600)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k1": 0}, "k1=0 must be at least 1"),
        ({"k2": 0}, "k2=0 must be at least 1"),
        ({"weight": 1.5}, "weight=1.5 must be from 0"),
        ({"weight": math.nan}, "weight=nan must be from 0"),
        ({"distance": "l1"}, "distance='l1' must be one of cosine, euclidean"),
        ({"query": torch.tensor([[math.nan]])}, "1 of 1 query embeddings hold NaN"),
        ({"gallery": torch.tensor([[0.0], [math.inf]])}, "1 of 2 gallery embeddings .* number 1"),
        ({"gallery": torch.ones(2, 3)}, "query embeddings have 1 numbers, gallery embeddings 3"),
    ],
)  # fmt: skip
def test_bad_input(wrong: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        k_reciprocal(**{"query": torch.ones(1, 1), "gallery": torch.ones(2, 1), **wrong})  # type: ignore[arg-type]
