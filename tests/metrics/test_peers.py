"""Other tools' evaluators on the same embeddings: equal where they are right, and how they go wrong where they do.

They run by themselves, without the packages around them, which want much that is not needed here:
pip install --no-deps torchreid==0.2.5 fastreid==1.4.0
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve
from torchmetrics.retrieval import RetrievalMAP, RetrievalMRR

from psnet.metrics import Labels, QueryResults, evaluate_ranking, summarise, verify


def module_of(package: str, *parts: str) -> Any:
    """One file of a package that may not be importable as a whole."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed: pip install --no-deps torchreid==0.2.5 fastreid==1.4.0")
    file = Path(spec.origin).parent.joinpath(*parts)
    own = importlib.util.spec_from_file_location(f"{package}_{file.stem}", file)
    assert own is not None
    assert own.loader is not None
    module = importlib.util.module_from_spec(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both miss their Cython parts
        own.loader.exec_module(module)
    return module


class Case:
    """Random embeddings: no two scores are equal. Some queries lose all their matches to the camera rule."""

    def __init__(self, queries: int = 60, gallery: int = 300, people: int = 40) -> None:
        torch.manual_seed(0)
        means = torch.randn(people, 16)
        self.qp, self.gp = torch.randint(0, people, (queries,)), torch.randint(0, people, (gallery,))
        self.qc, self.gc = torch.randint(0, 3, (queries,)), torch.randint(0, 3, (gallery,))
        self.q, self.g = (means[p] + 2 * torch.randn(len(p), 16) for p in (self.qp, self.gp))
        self.gc[self.gp == self.qp[0]] = self.qc[0]

    @property
    def distances(self) -> np.ndarray:
        q, g = (torch.nn.functional.normalize(x.double()) for x in (self.q, self.g))
        return (1 - q @ g.T).numpy()

    @property
    def labels(self) -> tuple[np.ndarray, ...]:
        """pids, then camids, as peers want them."""
        return self.qp.numpy(), self.gp.numpy(), self.qc.numpy(), self.gc.numpy()

    def ours(self, **more: Any) -> QueryResults:
        return evaluate_ranking(self.q, self.g, Labels(self.qp, self.qc), Labels(self.gp, self.gc), **more)


def test_torchreid_agrees():
    case = Case()
    rank = module_of("torchreid", "reid", "metrics", "rank.py")
    cmc, mean = rank.evaluate_rank(case.distances, *case.labels, max_rank=50, use_cython=False)
    found = summarise(case.ours())
    assert found["queries_without_match"] > 0
    assert mean == pytest.approx(found["mAP"])
    assert [cmc[k - 1] for k in (1, 5, 10, 20)] == pytest.approx([found[f"rank{k}"] for k in (1, 5, 10, 20)])


def test_fast_reid_agrees():
    case = Case()
    rank = module_of("fastreid", "evaluation", "rank.py")
    cmc, ap, inp = rank.evaluate_rank(case.distances, *case.labels, 50, False, False)
    results = case.ours()
    assert ap == pytest.approx(results.ap[results.valid].tolist())
    assert inp == pytest.approx(results.inp[results.valid].tolist())
    assert cmc == pytest.approx(results.hits[results.valid].mean(0).tolist())


def test_peers_fail_on_a_gallery_smaller_than_the_ranks_asked_for():
    """They cut lists to the size of the gallery, but the camera rule makes some shorter still."""
    case = Case(queries=30, gallery=12, people=3)
    fast_reid, torchreid = (
        module_of("fastreid", "evaluation", "rank.py"),
        module_of("torchreid", "reid", "metrics", "rank.py"),
    )
    with pytest.raises(ValueError, match="inhomogeneous"):
        fast_reid.evaluate_rank(case.distances, *case.labels, 50, False, False)
    with pytest.raises(ValueError, match="inhomogeneous"):
        torchreid.evaluate_rank(case.distances, *case.labels, max_rank=50, use_cython=False)
    curve = case.ours().hits
    curve = curve[~curve.isnan().any(1)]
    assert (curve.diff(dim=1) >= 0).all()
    assert (curve[:, 11:] == 1).all()


def test_fast_reid_calls_the_same_person_the_negative(monkeypatch: pytest.MonkeyPatch):
    """So its TPR@FPR is the share of rejected false pairs at a rate of rejected true ones, not TAR at FAR."""
    monkeypatch.setitem(sys.modules, "faiss", types.ModuleType("faiss"))  # imported there, not used
    case = Case()
    roc = module_of("fastreid", "evaluation", "roc.py")
    distances, different = roc.evaluate_roc(case.distances, *case.labels, use_cython=False)
    rejected, tpr, threshold = roc_curve(different, distances)
    for at in (5, len(tpr) // 2):
        assert tpr[at] == (distances[different == 1] >= threshold[at]).mean()
        assert rejected[at] == (distances[different == 0] >= threshold[at]).mean()
    far, tar, _ = roc_curve(1 - different, -distances, drop_intermediate=False)
    ours = verify(case.q, case.g, Labels(case.qp, case.qc), Labels(case.gp, case.gc), far=(0.01, 0.1))
    for rate, found in zip(ours.far, ours.tar, strict=True):
        assert found == pytest.approx(tar[far <= rate].max())


def test_torchmetrics_agrees_on_positive_scores_only():
    case = Case()
    results = evaluate_ranking(case.q, case.g, Labels(case.qp), Labels(case.gp), camera_rule=False)
    same = case.qp[:, None] == case.gp
    index = torch.arange(len(case.qp))[:, None].expand_as(same).flatten()
    positive = torch.from_numpy(2 - case.distances)
    for metric, ours in ((RetrievalMAP, results.ap), (RetrievalMRR, 1 / results.first_match)):
        mean = ours[results.valid].mean().item()
        found = metric(empty_target_action="skip")(positive.flatten(), same.flatten(), index)
        assert float(found) == pytest.approx(mean)
        below_zero = metric(empty_target_action="skip")((positive - 3).flatten(), same.flatten(), index)
        assert float(below_zero) == 0 != mean  # the same ranking
