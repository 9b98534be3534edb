"""Single-shot evaluation against drawing galleries and ranking each of them."""

from __future__ import annotations

import pytest
import torch

from psnet.metrics import Labels, evaluate_ranking, evaluate_single_shot, summarise
from psnet.metrics.single_shot import draw_galleries


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor, Labels, Labels]:
    torch.manual_seed(0)
    q, g = torch.randn(9, 4), torch.randn(40, 4)
    return q, g, Labels(torch.arange(9) % 7, torch.arange(9) % 2), Labels(torch.arange(40) % 8, torch.arange(40) % 3)


def test_it_is_the_mean_over_drawn_galleries(case):  # type: ignore[no-untyped-def]
    q, g, ql, gl = case
    found = evaluate_single_shot(q, g, ql, gl, repeats=30, seed=5, max_rank=8)
    hits, ap, trapezoid = [], [], []
    for chosen in draw_galleries(gl.pid, 30, 5):
        once = evaluate_ranking(q, g[chosen], ql, Labels(gl.pid[chosen], gl.camid[chosen]), max_rank=8)
        hits.append(once.hits)
        ap.append(once.ap)
        trapezoid.append(once.ap_trapezoid)
    torch.testing.assert_close(found.hits, torch.stack(hits).nanmean(0), equal_nan=True)
    torch.testing.assert_close(found.ap, torch.stack(ap).nanmean(0), equal_nan=True)
    torch.testing.assert_close(found.ap_trapezoid, torch.stack(trapezoid).nanmean(0), equal_nan=True)
    assert found.valid.tolist() == (~torch.stack(ap).isnan().all(0)).tolist()


def test_one_image_per_person_and_all_of_them_in_turn():
    pids = torch.tensor([3, 3, 3, 5, 5])
    draws = draw_galleries(pids, 200, seed=0)
    assert all(sorted(pids[d].tolist()) == [3, 5] for d in draws)
    seen = torch.bincount(torch.cat(draws), minlength=5).tolist()
    assert all(abs(n - 200 / 3) < 4 * (200 * 2 / 9) ** 0.5 for n in seen[:3])
    again = draw_galleries(pids, 200, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(draws, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(draws, draw_galleries(pids, 200, 1), strict=True))


def test_a_draw_at_least():
    one = Labels(torch.tensor([1]))
    with pytest.raises(ValueError, match="repeats=0: single-shot evaluation needs at least one draw"):
        evaluate_single_shot(torch.ones(1, 2), torch.ones(1, 2), one, one, camera_rule=False, repeats=0)


def test_candidates_are_those_of_the_draws_that_count():
    """Half of the draws have the image by the query's own camera, which is left out with its person."""
    pid, camid = torch.tensor([1, 1, 2, 3]), torch.tensor([1, 2, 2, 2])
    labels = Labels(torch.tensor([1]), torch.tensor([1])), Labels(pid, camid)
    found = evaluate_single_shot(torch.randn(1, 3), torch.randn(4, 3), *labels, repeats=50)
    assert found.num_candidates.tolist() == [3]


def test_with_one_image_each_it_is_multi_shot():
    torch.manual_seed(1)
    q, g, pid = torch.randn(6, 4), torch.randn(6, 4), torch.arange(6)
    single = evaluate_single_shot(q, g, Labels(pid), Labels(pid), repeats=3, camera_rule=False)
    multi = evaluate_ranking(q, g, Labels(pid), Labels(pid), camera_rule=False)
    assert summarise(single) == pytest.approx(summarise(multi))


def test_a_query_without_a_match_in_any_draw():
    q, g = torch.ones(1, 2), torch.ones(2, 2)
    labels = Labels(torch.tensor([1]), torch.tensor([1])), Labels(torch.tensor([1, 2]), torch.tensor([1, 1]))
    assert not evaluate_single_shot(q, g, *labels, repeats=4).valid.any()
