"""Lost matches are explained, equal images are noticed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from psnet.metrics import Labels, NoMatchError, RetrievalMetric, duplicates, why_no_match
from psnet.metrics.labels import Rules


def labels(pid: list[int], camid: list[int] | None = None) -> Labels:
    return Labels(torch.tensor(pid), None if camid is None else torch.tensor(camid))


@pytest.mark.parametrize(
    ("query", "gallery", "rules", "said"),
    [
        (labels([1, 2], [1, 1]), labels([1, 2], [1, 1]), Rules(), "2 people are in both, but all images carry camid 1"),
        (labels([1, 2], [1, 2]), labels([1, 2], [1, 2]), Rules(), "each was seen by one camera only"),
        (labels([1, 2], [1, 2]), labels([1, 2], [1, 2]), Rules(), "psnet score --no-camera-rule"),
        (labels([1, 2]), labels([7, 8, 9, 10]), Rules(False), r"4 \(pids 7, 8, 9, ...\), and nobody is in both"),
        (labels([-1, 2]), labels([-1, 7]), Rules(False, -1), "pid -1 is all that query and gallery share"),
        (labels([1, 2]), labels([7]), Rules(camera_rule=False), "training images among them"),
    ],
)  # fmt: skip
def test_reasons(query: Labels, gallery: Labels, rules: Rules, said: str):
    with pytest.raises(ValueError, match=said):
        raise ValueError(why_no_match(query, gallery, rules))


def test_the_metric_says_why():
    metric = RetrievalMetric()
    pid = torch.tensor([1, 2, 1, 2])
    metric.update(torch.randn(4, 3), pid, torch.tensor([True, True, False, False]), torch.ones_like(pid))
    with pytest.raises(NoMatchError, match="all images carry camid 1, and the same-camera rule"):
        metric.compute()


def test_duplicates_are_found_bit_for_bit():
    torch.manual_seed(0)
    q, g = torch.randn(5, 8), torch.randn(9, 8)
    g[4], g[7], g[2] = q[3], q[3], q[0]
    g[8] = q[1] + 1e-6
    found = duplicates(q, g)
    assert found.query.tolist() == [0, 3]
    assert found.gallery.tolist() == [2, 4]
    assert len(duplicates(q[1:3], g).query) == 0
    from_disk = duplicates(q.numpy(), np.asarray(g))
    assert torch.equal(from_disk.gallery, found.gallery)
