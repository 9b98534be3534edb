"""Ranking against a twin that sorts lists, against scikit-learn, and at its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch import Tensor

from psnet.metrics import (
    Labels,
    Rules,
    Scores,
    accept_rates,
    evaluate_ranking,
    evaluate_single_shot,
    expand_queries,
    multi_shot,
    nearest,
    own_images,
    scores,
    verify,
)


def random_case(seed: int, queries: int = 6, gallery: int = 15, people: int = 4, junk: bool = False):
    """(embeddings, pids, camids), each of query and gallery."""
    random = np.random.default_rng(seed)
    embeddings = [random.normal(size=(n, 3)) for n in (queries, gallery)]
    pids = [random.integers(-1 if junk and n == gallery else 0, people, n) for n in (queries, gallery)]
    camids = [random.integers(0, 3, n) for n in (queries, gallery)]
    return (
        [torch.from_numpy(x) for x in embeddings],
        [torch.from_numpy(x) for x in pids],
        [torch.from_numpy(x) for x in camids],
    )


def slow(q: Tensor, g: Tensor, pids, camids, q_index: int, camera_rule: bool, junk: int | None):  # type: ignore[no-untyped-def]
    """(ranks of the matches from 1, number of candidates) of one query, by sorting a list."""
    a = q[q_index].tolist()
    scores = [sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b) for b in g.tolist()]
    pid, camid = int(pids[0][q_index]), int(camids[0][q_index])
    candidates = []
    for j, score in enumerate(scores):
        same = int(pids[1][j]) == pid
        if camera_rule and same and int(camids[1][j]) == camid:
            continue
        if junk is not None and int(pids[1][j]) == junk:
            continue
        candidates.append((-score, j, same))
    candidates.sort()
    return [rank for rank, (_, _, same) in enumerate(candidates, 1) if same], len(candidates)


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.sampled_from([1, 3, 10**6]))
def test_against_a_slow_twin(seed: int, camera_rule: bool, junk: bool, chunk: int):
    (q, g), pids, camids = random_case(seed, junk=junk)
    before, scores.GALLERY_AT_ONCE = scores.GALLERY_AT_ONCE, chunk
    try:
        found = evaluate_ranking(
            q, g, Labels(pids[0], camids[0]), Labels(pids[1], camids[1]), camera_rule=camera_rule,
            junk_pid=-1 if junk else None, max_rank=20,
        )  # fmt: skip
    finally:
        scores.GALLERY_AT_ONCE = before
    for i in range(len(q)):
        ranks, candidates = slow(q, g, pids, camids, i, camera_rule, -1 if junk else None)
        assert found.num_candidates[i] == candidates
        assert found.num_matches[i] == len(ranks)
        assert bool(found.valid[i]) == bool(ranks)
        if not ranks:
            assert math.isnan(found.ap[i])
            assert found.hits[i].isnan().all()
            continue
        precision = [n / rank for n, rank in enumerate(ranks, 1)]
        before_it = [(n - 1) / (rank - 1) if rank > 1 else 1.0 for n, rank in enumerate(ranks, 1)]
        assert found.ap[i].item() == pytest.approx(sum(precision) / len(ranks))
        trapezoid = sum((a + b) / 2 for a, b in zip(precision, before_it, strict=True)) / len(ranks)
        assert found.ap_trapezoid[i].item() == pytest.approx(trapezoid)
        assert found.inp[i].item() == pytest.approx(len(ranks) / ranks[-1])
        assert found.hits[i].tolist() == [float(ranks[0] <= k) for k in range(1, 21)]


def test_ap_against_scikit_learn():
    torch.manual_seed(0)
    q, g = torch.randn(20, 8), torch.randn(60, 8)
    pids = torch.randint(0, 5, (20,)), torch.randint(0, 5, (60,))
    found = evaluate_ranking(q, g, Labels(pids[0]), Labels(pids[1]), camera_rule=False)
    scores = torch.nn.functional.normalize(q) @ torch.nn.functional.normalize(g).T
    for i in range(20):
        assert found.ap[i].item() == pytest.approx(average_precision_score(pids[1] == pids[0][i], scores[i]))


def one(scores: list[float], matches: list[bool], **rules: object):
    """One query along the first axis; gallery images at the given cosine similarity to it."""
    g = torch.tensor([[s, math.sqrt(1 - s * s)] for s in scores], dtype=torch.float64)
    q = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    pid = torch.tensor([1 if m else 2 for m in matches])
    return evaluate_ranking(q, g, Labels(torch.tensor([1])), Labels(pid), camera_rule=False, **rules)  # type: ignore[arg-type]


def test_a_worked_example():
    found = one([0.9, 0.8, 0.7, 0.6], [False, True, True, False])
    assert found.ap.item() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.ap_trapezoid.item() == pytest.approx(((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2)
    assert found.inp.item() == pytest.approx(2 / 3)
    assert found.hits[0, :3].tolist() == [0, 1, 1]


def test_scores_below_zero_count_like_any_other():
    assert one([-0.2, -0.9], [True, False]).ap.item() == 1


def test_ties_are_broken_by_gallery_order():
    assert one([0.5, 0.5], [True, False]).ap.item() == 1
    assert one([0.5, 0.5], [False, True]).ap.item() == 0.5


def test_ranks_beyond_the_gallery():
    assert one([0.5, 0.4], [False, True], max_rank=5).hits[0].tolist() == [0, 1, 1, 1, 1]


def test_the_camera_rule_leaves_out_same_person_and_same_camera_only():
    q = torch.tensor([[1.0, 0.0]])
    g = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2]])  # nearest first
    pids, camids = torch.tensor([1, 2, 1]), torch.tensor([1, 1, 2])
    labels = Labels(torch.tensor([1]), torch.tensor([1])), Labels(pids, camids)
    on = evaluate_ranking(q, g, *labels)
    off = evaluate_ranking(q, g, *labels, camera_rule=False)
    assert (on.ap.item(), on.num_candidates.item()) == (0.5, 2)
    assert (off.hits[0, 0].item(), off.num_candidates.item()) == (1.0, 3)


def test_distractors_stay_and_junk_goes():
    found = one([0.9, 0.8], [False, True])
    assert found.hits[0, 0] == 0
    q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.1]])
    labels = Labels(torch.tensor([1])), Labels(torch.tensor([-1, 1]))
    without = evaluate_ranking(q, g, *labels, camera_rule=False, junk_pid=-1)
    assert without.hits[0, 0] == 1


def test_euclidean_distance_ranks_by_distance():
    q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[5.0, 0.0], [1.0, 0.5]])
    labels = Labels(torch.tensor([1])), Labels(torch.tensor([1, 2]))
    assert evaluate_ranking(q, g, *labels, camera_rule=False).hits[0, 0] == 1
    assert evaluate_ranking(q, g, *labels, camera_rule=False, distance="euclidean").hits[0, 0] == 0


def test_half_precision_is_promoted():
    torch.manual_seed(0)
    q, g, pid = torch.randn(4, 8).half(), torch.randn(9, 8).half(), torch.randint(0, 3, (9,))
    labels = Labels(torch.tensor([0, 1, 2, 0])), Labels(pid)
    half = evaluate_ranking(q, g, *labels, camera_rule=False)
    whole = evaluate_ranking(q.float(), g.float(), *labels, camera_rule=False)
    torch.testing.assert_close(half.ap, whole.ap, equal_nan=True)


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (
            torch.tensor([[1.0, torch.nan]]),
            torch.ones(2, 2),
            "1 of 1 query embeddings hold NaN or infinity, the first is number 0",
        ),
        (torch.ones(1, 2), torch.tensor([[1.0, 1.0], [torch.inf, 1.0]]), "1 of 2 gallery embeddings .* number 1"),
        (torch.ones(1, 2), torch.ones(2, 3), "query embeddings have 2 numbers, gallery embeddings 3"),
        (torch.ones(0, 2), torch.ones(2, 2), r"query embeddings have shape \(0, 2\)"),
        (torch.ones(1, 2), torch.ones(2), r"gallery embeddings have shape \(2,\)"),
    ],
)  # fmt: skip
def test_bad_embeddings(query: Tensor, gallery: Tensor, message: str):
    labels = Labels(torch.ones(len(query)).long()), Labels(torch.ones(len(gallery)).long())
    with pytest.raises(ValueError, match=message):
        evaluate_ranking(query, gallery, *labels, camera_rule=False)


@pytest.mark.parametrize("evaluate", [evaluate_ranking, evaluate_single_shot, verify, expand_queries])
def test_each_embedding_has_its_labels(evaluate: Any):
    labels = Labels(torch.arange(3)), Labels(torch.arange(4))
    for sizes, message in (
        ((2, 4), "query has 2 embeddings and 3 pids"),
        ((3, 5), "gallery has 5 embeddings and 4 pids"),
    ):
        q, g = (torch.randn(n, 2) for n in sizes)
        with pytest.raises(ValueError, match=message):
            evaluate(q, g, *labels, camera_rule=False)


def test_labels_of_other_images_are_refused():
    own = own_images(Labels(torch.arange(3)), Labels(torch.arange(4)), Rules(False))
    for queries, images in ((2, 4), (3, 5)):
        others = Scores(torch.ones(queries, 2), torch.ones(images, 2), "cosine")
        for use in (multi_shot, accept_rates, lambda *x: nearest(*x, 1)):
            with pytest.raises(ValueError, match=r"labels are of \(3, 4\) query and gallery images"):
                use(others, own)


def test_an_empty_gallery():
    with pytest.raises(ValueError, match="there is no gallery image"):
        own_images(Labels(torch.arange(3)), Labels(torch.arange(0)), Rules(False))
    with pytest.raises(ValueError, match="all 2 gallery images are junk, pid -1"):
        own_images(Labels(torch.arange(3)), Labels(torch.tensor([-1, -1])), Rules(False, -1))


def test_the_camera_rule_needs_cameras():
    with pytest.raises(ValueError, match="needs camids"):
        evaluate_ranking(torch.ones(1, 2), torch.ones(1, 2), Labels(torch.ones(1)), Labels(torch.ones(1)))
