"""The metric: every image once, in any order, and what it shows agrees with what it scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from psnet.metrics import RetrievalMetric, ranked_gallery
from psnet.metrics.ranking import QueryResults

NUMBER = 24


def images() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    return {
        "embedding": torch.randn(NUMBER, 5, generator=random),
        "pid": torch.arange(NUMBER) % 4,
        "camid": torch.randint(1, 4, (NUMBER,), generator=random),
        "rate": torch.ones(NUMBER, dtype=torch.float64),
        "is_query": torch.arange(NUMBER) < 8,
        "index": torch.arange(NUMBER),
    }


def filled(order: torch.Tensor, batch: int = 5, **more: Any) -> RetrievalMetric:
    metric = RetrievalMetric(NUMBER, **more)
    for part in order.split(batch):
        metric.update(**{name: value[part] for name, value in images().items()})
    return metric


def test_arrival_order_and_batches_change_nothing():
    one, other = filled(torch.arange(NUMBER)), filled(torch.randperm(NUMBER), batch=7)
    assert one.compute() == other.compute()
    assert one.found is not None
    assert other.found is not None
    for name in QueryResults.__dataclass_fields__:
        assert torch.equal(getattr(one.found.results, name), getattr(other.found.results, name))


def test_shards_of_two_processes_make_the_same(monkeypatch: pytest.MonkeyPatch):
    """Gathered states come rank after rank; unequal shards included."""
    whole = filled(torch.arange(NUMBER)).compute()
    order = torch.cat([torch.arange(0, NUMBER, 2), torch.arange(1, NUMBER, 2)])
    assert filled(order, batch=9).compute() == whole


def test_a_missing_and_a_doubled_image_are_errors():
    with pytest.raises(RuntimeError, match=r"of 24 images 2 were not seen \[22, 23\]"):
        filled(torch.arange(NUMBER - 2)).compute()
    with pytest.raises(RuntimeError, match=r"1 were seen more than once \[4\]"):
        filled(torch.cat([torch.arange(NUMBER), torch.tensor([4])])).compute()


def test_single_shot_is_another_figure():
    order = torch.arange(NUMBER)
    single = filled(order, shots="single", repeats=50).compute()
    assert single != filled(order).compute()
    assert single == filled(torch.randperm(NUMBER), shots="single", repeats=50).compute()
    with pytest.raises(ValueError, match="shots='few' must be multi or single"):
        RetrievalMetric(3, shots="few")  # type: ignore[arg-type]


def test_half_precision_does_not_reach_the_states():
    metric = filled(torch.arange(NUMBER)).half()
    assert metric.embedding[0].dtype == torch.float32


def test_reset_forgets():
    metric = filled(torch.arange(NUMBER))
    first = metric.compute()
    metric.reset()
    for part in torch.arange(NUMBER).split(4):
        metric.update(**{name: value[part] for name, value in images().items()})
    assert metric.compute() == first


@pytest.mark.parametrize("camera_rule", [True, False])
def test_the_list_shown_is_the_ranking_scored(camera_rule: bool):
    metric = filled(torch.arange(NUMBER), camera_rule=camera_rule)
    metric.compute()
    found = metric.found
    assert found is not None
    for query in range(8):
        shown = ranked_gallery(found, query, length=NUMBER)
        assert len(shown.index) == found.results.num_candidates[query]
        assert shown.score.tolist() == sorted(shown.score.tolist(), reverse=True)
        pids, camids = found.gallery.pid[shown.index], found.gallery.camid[shown.index]
        own = pids == found.query.pid[query]
        assert torch.equal(shown.match, own)
        assert not camera_rule or not (own & (camids == found.query.camid[query])).any()
        first = shown.match.nonzero().flatten()
        assert shown.first_match == (int(first[0]) + 1 if len(first) else None)
        if shown.first_match:
            assert found.results.hits[query, shown.first_match - 1] == 1
            assert shown.first_match == 1 or found.results.hits[query, shown.first_match - 2] == 0
