"""A threshold, against all pairs one by one and another library's ROC."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from psnet.calibration import CalibrationError, GroupRates, Threshold, calibrate
from psnet.embeddings import EmbeddingSet, EmbeddingSide, MadeBy

MADE_BY = MadeBy("a model", "0" * 16, {"image_size": [64, 32], "upsampling": "bilinear"}, "neck", 8)

PEOPLE = np.random.default_rng(0).normal(size=(12, 8))


def side(number: int, camera: int, noise: float, seed: int, rated: bool = False, cameras: bool = True) -> EmbeddingSide:
    random = np.random.default_rng(seed)
    pid = random.integers(0, len(PEOPLE), number)
    rate = np.where(np.arange(number) % 2, 4.0, 2.0)
    spread = noise * (rate[:, None] if rated else 1)
    embedding = (PEOPLE[pid] + spread * random.normal(size=(number, 8))).astype(np.float32)
    camid = np.full(number, camera) + (np.arange(number) % 3 == 0)
    return EmbeddingSide(embedding, pid, camid if cameras else None, rate if rated else None)


def world(cameras: bool = True) -> EmbeddingSet:
    query, gallery = side(60, 1, 0.3, 1, True, cameras), side(80, 2, 0.5, 2, cameras=cameras)
    return EmbeddingSet(query, gallery, "pairs.npz", made_by=MADE_BY)


def pairs(given: EmbeddingSet, rate: float | None = None) -> tuple[list[bool], list[float]]:
    """(same, cosine) of all pairs that take part."""
    same, score = [], []
    for q, g in itertools.product(range(len(given.query)), range(len(given.gallery))):
        of_query, of_gallery = given.query, given.gallery
        equal = of_query.pid[q] == of_gallery.pid[g]
        known = of_query.camid is not None and of_gallery.camid is not None
        if equal and known and of_query.camid[q] == of_gallery.camid[g]:  # type: ignore[index]
            continue
        if of_gallery.pid[g] == -1 or (rate is not None and of_query.rate[q] != rate):  # type: ignore[index]
            continue
        one, other = (np.float64(side.embedding[i]) for side, i in ((of_query, q), (of_gallery, g)))  # type: ignore[index]
        same.append(bool(equal))
        score.append(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)))
    return same, score


def rates(same: list[bool], score: list[float], value: float) -> GroupRates:
    accepted = np.array(score) >= value
    right = np.array(same)
    return GroupRates(accepted[~right].mean(), accepted[right].mean(), int((~right).sum()), int(right.sum()))


@pytest.mark.parametrize("cameras", [True, False])
@pytest.mark.parametrize("far", [0.001, 0.01, 0.1, 0.5])
def test_it_is_the_lowest_that_accepts_no_more(far: float, cameras: bool):
    given = world(cameras)
    found = calibrate(given, far)
    same, score = pairs(given)
    assert found.found == rates(same, score, found.value)
    assert found.found.far is not None
    assert found.found.far <= far
    assert rates(same, score, found.value - 3e-6).far > far or np.isclose(found.found.far, far, atol=1 / len(same))
    false, true, _ = roc_curve(same, score, drop_intermediate=False)
    assert found.found.tar == pytest.approx(max(true[false <= far]))


def test_the_evidence():
    given = world()
    found = calibrate(given, 0.01)
    assert found.by_rate == {f"{rate:g}": rates(*pairs(given, rate), found.value) for rate in (2.0, 4.0)}
    assert (found.by_rate["2"].tar or 0) > (found.by_rate["4"].tar or 1)  # the poorer the image, the fewer are found
    false, true, _ = roc_curve(*pairs(given), drop_intermediate=False)
    for far, tar in found.roc:
        assert tar == pytest.approx(max(true[false <= far * (1 + 1e-12)]))
    assert (found.people, found.source, found.made_by, found.asked) == (12, "pairs.npz", MADE_BY, 0.01)
    plain = EmbeddingSet(given.gallery, given.query, made_by=MADE_BY)
    assert calibrate(plain, 0.01).by_rate == {}


def test_a_rate_without_true_pairs():
    """Is told as such, and kept as JSON that any tool reads."""
    given = world()
    strangers = np.where(given.query.rate == 4, given.query.pid + 100, given.query.pid)
    found = calibrate(replace(given, query=replace(given.query, pid=strangers)), 0.01)
    assert found.by_rate["4"].tar is None
    assert "- of 0 true pairs" in str(found.by_rate["4"])
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["by_rate"]["4"]["tar"] is None


def test_junk_takes_no_part():
    given = world()
    pid = given.gallery.pid.copy()
    pid[::4] = -1
    junk = EmbeddingSet(given.query, replace(given.gallery, pid=pid), made_by=MADE_BY)
    assert calibrate(junk, 0.01).found == rates(*pairs(junk), calibrate(junk, 0.01).value)
    assert calibrate(junk, 0.01, junk_pid=None).found.false_pairs > calibrate(junk, 0.01).found.false_pairs


def test_equal_scores_are_refused_together():
    """A hundred false pairs of one and the same score: none or all."""
    one, other = np.array([[1, 0], [0, 1]], dtype=np.float32)
    query = EmbeddingSide(np.stack([one] * 2), np.array([1, 2]))
    gallery = EmbeddingSide(np.stack([other] * 100 + [one]), np.array([3] * 100 + [1]))
    found = calibrate(EmbeddingSet(query, gallery, made_by=MADE_BY), 0.1)
    assert (found.found.far, found.found.tar) == (1 / 201, 1.0)
    assert 0 < found.value < 1e-5


@pytest.mark.parametrize(
    ("change", "far", "message"),
    [
        ({}, 0.0, "far=0.0 must be a share"),
        ({}, 1.0, "far=1.0 must be a share"),
        ({}, float("nan"), "far=nan must be a share"),
        ({}, 1e-5, r"rate of 1e-05; give 100,000 or more, or ask for a rate of 0.00023"),
        ({"made_by": None}, 0.01, "pairs.npz does not say which model made the embeddings"),
    ],
)  # fmt: skip
def test_what_cannot_be_calibrated(change: dict, far: float, message: str):
    with pytest.raises(CalibrationError, match=message):
        calibrate(replace(world(), **change), far)


def test_pairs_of_one_kind():
    given = world()
    strangers = replace(given.gallery, pid=given.gallery.pid + 100)
    with pytest.raises(CalibrationError, match=r"pairs.npz: 0 true and 4800 false pairs"):
        calibrate(replace(given, gallery=strangers), 0.01)


def test_an_answer_says_what_it_is_worth():
    found = calibrate(world(), 0.01)
    yes, no = found.decide(found.value), found.decide(found.value - 1e-6)
    assert (yes.same, no.same) == (True, False)
    assert str(yes).startswith(f"the same person: {found.value:.6f} >= ")
    assert f"accepts {found.found.far:.3%} of 4,408 false" in str(yes)
    assert str(no).startswith("not the same person: ")


def test_it_is_kept_as_json():
    found = calibrate(world(), 0.01)
    assert Threshold.from_json(found.as_json()) == found
    for broken in ({}, {**found.as_json(), "found": 3}, {**found.as_json(), "more": 1}, [], None):
        with pytest.raises(CalibrationError, match="this is no threshold"):
            Threshold.from_json(broken)  # type: ignore[arg-type]
