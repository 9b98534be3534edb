"""The sampler's docstring, clause by clause."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psnet.data import sampler as module
from psnet.data.sampler import PKBatchSampler, ShardSampler
from psnet.data.samples import DataError


def spread(counts: list[int]) -> list[int]:
    """A label per image."""
    return [label for label, count in enumerate(counts) for _ in range(count)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=20), st.integers(2, 3), st.integers(2, 4), st.integers(0, 99))
def test_each_batch_has_p_identities_of_k_images(counts: list[int], p: int, k: int, seed: int):
    labels = spread(counts)
    batches = list(PKBatchSampler(labels, p, k, seed))
    assert len(batches) == len(PKBatchSampler(labels, p, k, seed)) == -(-len(labels) // (p * k))
    for batch in batches:
        people = Counter(labels[index] for index, _ in batch)
        assert len(people) == p
        assert set(people.values()) == {k}
        for label in people:
            own = [index for index, _ in batch if labels[index] == label]
            assert len(set(own)) == min(k, counts[label])


def test_identities_come_equally_often():
    labels = spread([2] * 10)
    sampler = PKBatchSampler(labels, 4, 2)
    deal = sampler._deal()
    seen = Counter(labels[index] for _ in range(50) for index, _ in next(deal))
    assert set(seen.values()) == {2 * 50 * 4 // 10}


def test_images_come_equally_often():
    labels = spread([6, 6, 6])
    deal = PKBatchSampler(labels, 3, 4)._deal()
    seen = Counter(index for _ in range(6) for index, _ in next(deal))
    assert set(seen.values()) == {4}


def test_seed_and_epoch_decide_everything():
    labels = spread([4] * 8)
    first, same, other = (PKBatchSampler(labels, 2, 2, seed) for seed in (1, 1, 2))
    assert list(first) == list(same) == list(first)
    assert list(first) != list(other)
    same.set_epoch(1)
    assert list(first) != list(same)
    seeds = [seed for batch in first for _, seed in batch]
    assert len(set(seeds)) == len(seeds)


def test_processes_share_the_batches_of_one(monkeypatch: pytest.MonkeyPatch):
    labels = spread([3] * 11)
    whole = list(PKBatchSampler(labels, 2, 2))
    shares = []
    for rank in range(2):
        monkeypatch.setattr(module, "rank_and_world", lambda rank=rank: (rank, 2))
        shares.append(list(PKBatchSampler(labels, 2, 2)))
        assert len(shares[-1]) == len(PKBatchSampler(labels, 2, 2))
    assert len(shares[0]) == len(shares[1]) == len(whole) // 2
    woven = [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert woven == whole[: len(woven)]


def test_lightning_finds_set_epoch():
    sampler = PKBatchSampler(spread([2, 2]), 2, 2)
    sampler.sampler.set_epoch(3)
    assert sampler.epoch == 3


def test_too_few_identities():
    with pytest.raises(DataError, match=r"needs 6 identities, the training set has 5; .*batch\.identities"):
        PKBatchSampler(spread([4] * 5), 6, 4)


@pytest.mark.parametrize(("length", "world"), [(10, 1), (10, 3), (2, 4)])
def test_shards_are_a_partition(monkeypatch: pytest.MonkeyPatch, length: int, world: int):
    seen = []
    for rank in range(world):
        monkeypatch.setattr(module, "rank_and_world", lambda rank=rank: (rank, world))
        shard = list(ShardSampler(length))
        assert len(ShardSampler(length)) == len(shard)
        seen += shard
    assert sorted(seen) == list(range(length))
