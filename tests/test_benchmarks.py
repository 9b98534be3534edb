"""Benchmarks end: what goes wrong in what they measure is told, and nothing is waited for."""

from __future__ import annotations

import argparse
import json
import threading

import pytest

from benchmarks import evaluation

GIVEN = argparse.Namespace(queries=4, gallery=40, dimensions=8, mapped=False)


def test_a_contestant_that_fails_does_not_keep_its_watcher(monkeypatch: pytest.MonkeyPatch):
    def fails(case: evaluation.Case) -> None:
        raise ValueError("no matches")

    monkeypatch.setitem(evaluation.CONTESTANTS, "psnet", fails)
    before = threading.active_count()
    with pytest.raises(ValueError, match="no matches"):
        evaluation.alone("psnet", GIVEN)
    assert threading.active_count() == before


def test_a_contestant_too_short_to_be_watched_needs_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(evaluation.CONTESTANTS, "psnet", lambda case: None)
    evaluation.alone("psnet", GIVEN)
    assert -1 < json.loads(capsys.readouterr().out)["mib"] < 16


@pytest.mark.parametrize("gallery", [40, 200, 16_000])
def test_people_have_some_images_each_at_any_size(gallery: int):
    case = evaluation.Case(argparse.Namespace(queries=100, gallery=gallery, dimensions=2, mapped=False))
    images = [(case.gallery_pid == pid).sum() for pid in set(case.query_pid)]
    assert min(images) >= 5
    assert evaluation.DISTRACTOR not in case.query_pid
