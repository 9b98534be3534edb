"""One result, whatever computes it: integer scores against a slow twin, and every path against every other."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from psnet.metrics import Labels, QueryResults, evaluate_ranking, evaluate_single_shot, kernels, rows, scores
from psnet.metrics.rows import ONE, Block
from psnet.metrics.scores import Distance


def twin_score(a: list[float], b: list[float], distance: str, scale: Fraction) -> int:
    """As documented: rounded to multiples of 2^-30, then whole numbers of any size."""
    if distance == "cosine":
        a, b = ([x / norm for x in v] if (norm := math.sqrt(math.fsum(x * x for x in v))) else v for v in (a, b))
        scale = Fraction(1)
    whole_a, whole_b = ([round(Fraction(x) * scale * ONE) for x in v] for v in (a, b))
    if distance == "cosine":
        return sum(x * y for x, y in zip(whole_a, whole_b, strict=True))
    return -sum((x - y) ** 2 for x, y in zip(whole_a, whole_b, strict=True))


def twin_ranks(case: Case, distance: str, camera_rule: bool, junk: int | None, i: int) -> tuple[list[int], int]:
    """(ranks of the matches of query i, number of candidates)."""
    longest = max(math.sqrt(sum(x * x for x in v)) for v in [*case.q.tolist(), *case.g.tolist()])
    scale = Fraction(1)
    while longest and longest * scale >= 1:
        scale /= 2
    while longest and longest * scale < Fraction(1, 2):
        scale *= 2
    kept = []
    for j, (pid, camid) in enumerate(zip(case.gp.tolist(), case.gc.tolist(), strict=True)):
        same = pid == int(case.qp[i])
        if pid == junk or (camera_rule and same and camid == int(case.qc[i])):
            continue
        kept.append((-twin_score(case.q[i].tolist(), case.g[j].tolist(), distance, scale), j, same))
    return [rank for rank, (_, _, same) in enumerate(sorted(kept), 1) if same], len(kept)


class Case:
    """Small whole numbers, so that many scores are equal."""

    def __init__(self, seed: int, queries: int = 5, gallery: int = 23, dimensions: int = 4, people: int = 4) -> None:
        random = np.random.default_rng(seed)
        self.q = torch.from_numpy(random.integers(-2, 3, (queries, dimensions))).float()
        self.g = torch.from_numpy(random.integers(-2, 3, (gallery, dimensions))).float()
        self.qp, self.qc = (torch.from_numpy(random.integers(0, n, queries)) for n in (people, 2))
        self.gp, self.gc = (torch.from_numpy(random.integers(low, n, gallery)) for low, n in ((-1, people), (0, 2)))

    def ranking(self, **rules: object) -> QueryResults:
        labels = Labels(self.qp, self.qc), Labels(self.gp, self.gc)
        return evaluate_ranking(self.q, self.g, *labels, max_rank=30, **rules)  # type: ignore[arg-type]

    def single_shot(self, **rules: object) -> QueryResults:
        labels = Labels(self.qp, self.qc), Labels(self.gp, self.gc)
        return evaluate_single_shot(self.q, self.g, *labels, repeats=7, **rules)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.sampled_from(["cosine", "euclidean"]), st.booleans(), st.sampled_from([None, -1]))
def test_ranks_are_those_of_a_slow_twin(seed: int, distance: Distance, camera_rule: bool, junk: int | None):
    case = Case(seed)
    found = case.ranking(distance=distance, camera_rule=camera_rule, junk_pid=junk)
    for i in range(len(case.q)):
        ranks, candidates = twin_ranks(case, distance, camera_rule, junk, i)
        assert found.num_candidates[i] == candidates
        assert found.num_matches[i] == len(ranks)
        if not ranks:
            assert found.ap[i].isnan()
            assert found.first_match[i].isnan()
            continue
        assert found.first_match[i] == ranks[0]
        assert found.inp[i].item() == pytest.approx(len(ranks) / ranks[-1])
        assert found.ap[i].item() == pytest.approx(sum(n / r for n, r in enumerate(ranks, 1)) / len(ranks))


def same(a: QueryResults, b: QueryResults) -> bool:
    return all(
        torch.equal(torch.nan_to_num(getattr(a, n)), torch.nan_to_num(getattr(b, n)))
        for n in QueryResults.__dataclass_fields__
    )


def take(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another way through the code from here on."""
    if "blocks" in path or "one by one" in path:
        size = 1 if path == "one by one" else 7
        monkeypatch.setattr(scores, "QUERIES_AT_ONCE", size)
        monkeypatch.setattr(scores, "GALLERY_AT_ONCE", size)
        monkeypatch.setattr(scores, "HELD", 3 * 70)
        monkeypatch.setattr(scores, "DIMENSIONS_AT_ONCE", 3)
        monkeypatch.setattr(rows, "READ", 200)
    if "torch" in path:
        monkeypatch.setattr(kernels, "serve", lambda tensor: False)
    if "one thread" in path:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


@pytest.mark.parametrize("path", ["small blocks", "one by one", "torch", "torch in small blocks", "one thread"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", ["ties", "real", "near ties", "float64"])
def test_every_path_gives_the_same_bits(kind: str, distance: Distance, path: str, monkeypatch: pytest.MonkeyPatch):
    cases = [Case(seed, queries=5, gallery=40, dimensions=70) for seed in range(2)]
    for seed, case in enumerate(cases):
        if kind != "ties":
            torch.manual_seed(seed)
            case.q, case.g = torch.randn(5, 70), torch.randn(40, 70)
        if kind == "near ties":  # nearer to each other than float32 can tell
            case.g = case.g[:1] + 1e-7 * case.g
        if kind == "float64":
            case.q, case.g = case.q.double(), case.g[:1].double() + 1e-9 * case.g.double()
    before = [(case.ranking(distance=distance), case.single_shot(distance=distance)) for case in cases]
    take(path, monkeypatch)
    for case, (ranking, single) in zip(cases, before, strict=True):
        assert same(case.ranking(distance=distance), ranking)
        assert same(case.single_shot(distance=distance), single)


def test_blocks_are_within_the_stated_error():
    torch.manual_seed(0)
    q, g = torch.randn(40, 1100), torch.randn(50, 1100) + 2
    for distance in ("cosine", "euclidean"):
        of = scores.Scores(q, g, distance)
        ((queries, query),), ((galleries, gallery),) = list(of.queries()), list(of.galleries())
        row, column = (x.flatten() for x in torch.meshgrid(torch.arange(40), torch.arange(50), indexing="ij"))
        exact = of.exact(query, gallery, row, column).reshape(40, 50).double() / ONE**2
        (near,) = of.near(queries, query, galleries, gallery)
        assert (near.scores - exact).abs().max() < of.error < 1e-3
        reference = torch.nn.functional.normalize(q.double()) @ torch.nn.functional.normalize(g.double()).T
        if distance == "euclidean":
            reference = -torch.cdist(q.double(), g.double())
        value = of.value(of.exact(query, gallery, row, column)).reshape(40, 50)
        torch.testing.assert_close(value, reference, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("queries", "gallery"), [(4096, 1024), (1024, 2048), (1024, 1), (1, 2048), (297, 1577), (17, 33)]
)
def test_a_product_adds_a_part_as_one_number(queries: int, gallery: int):
    """What the stated error takes for granted of the installed library. Each number of the second part is lost on a sum
    that is already there, all together are not."""
    part = scores.DIMENSIONS_AT_ONCE
    of = scores.Scores(torch.ones(1, 2 * part), torch.ones(1, 2 * part), "cosine")
    large, small = 1.0, 2.0**-25
    query = torch.tensor([large] + [0.0] * (part - 1) + [1.0] * part).expand(queries, -1).contiguous()
    rows = torch.tensor([large] + [0.0] * (part - 1) + [small] * part).expand(gallery, -1).contiguous()
    blocks = (Block(torch.empty(0), rounded, None) for rounded in (query, rows))
    assert (of.products(*blocks) == 1 + part * small).all()


def test_allowing_imprecise_products_changes_nothing():
    """What a user has switched on for training must not reach the ranking."""
    case = Case(1, queries=30, gallery=300, dimensions=256)
    torch.manual_seed(0)
    case.q, case.g = torch.randn(30, 256), torch.randn(300, 256)
    plain = case.ranking()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert same(case.ranking(), plain)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_memory_maps_and_half_precision(tmp_path: Path):
    case = Case(2, queries=8, gallery=50, dimensions=16)
    torch.manual_seed(0)
    case.q, case.g = torch.randn(8, 16).half(), torch.randn(50, 16).half()
    half = case.ranking()
    np.save(tmp_path / "g.npy", case.g.numpy())
    labels = Labels(case.qp, case.qc), Labels(case.gp, case.gc)
    mapped = np.load(tmp_path / "g.npy", mmap_mode="r")
    for junk in (None, -1):
        from_disk = evaluate_ranking(case.q.numpy(), mapped, *labels, max_rank=30, junk_pid=junk)
        assert same(from_disk, case.ranking(junk_pid=junk))
    case.q, case.g = case.q.float(), case.g.float()
    assert same(case.ranking(), half)


def test_all_embeddings_equal_come_in_gallery_order():
    """The worst case for counting: no near score tells anything."""
    q, g = torch.ones(3, 600), torch.ones(100, 600)
    pid = torch.arange(100)
    found = evaluate_ranking(q, g, Labels(torch.tensor([0, 40, 99])), Labels(pid), camera_rule=False, max_rank=100)
    assert found.first_match.tolist() == [1, 41, 100]


@pytest.mark.parametrize("same", [True, False])
def test_one_query_and_one_gallery_image(same: bool):
    labels = Labels(torch.tensor([1])), Labels(torch.tensor([1 if same else 2]))
    found = evaluate_ranking(torch.ones(1, 2), -torch.ones(1, 2), *labels, camera_rule=False)
    assert found.valid.tolist() == [same]
    assert found.hits[0].tolist() == [1.0] * 50 if same else found.hits.isnan().all()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_zeros_are_as_near_as_anything(distance: Distance):
    found = evaluate_ranking(
        torch.zeros(1, 3), torch.zeros(2, 3), Labels(torch.tensor([1])), Labels(torch.tensor([0, 1])),
        camera_rule=False, distance=distance,
    )  # fmt: skip
    assert found.first_match.tolist() == [2]


def test_progress_ends_at_the_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scores, "GALLERY_AT_ONCE", 7)
    monkeypatch.setattr(scores, "HELD", 12)
    case, told = Case(0), []
    case.ranking(progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (5 * 23, 5 * 23)
    assert len(told) > 4
