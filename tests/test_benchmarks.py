"""Benchmarks end: what goes wrong in what they measure is told, and nothing is waited for."""

from __future__ import annotations

import argparse
import json
import threading
from dataclasses import replace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import evaluation, forms, training
from psnet.models import vdsr_ca

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


def test_the_plain_and_the_default_step_train_alike(monkeypatch: pytest.MonkeyPatch):
    """Ten steps, VDSR-CA image by image. The first is equal but for rounding; the rate is low, so that what rounding
    does to mining and ReLUs stays small."""
    monkeypatch.setattr(vdsr_ca, "LARGE", 0)
    model = forms.settings("ps_hrnet_demo", identities=8)
    model["sr"] |= {"start_as_identity": False}
    model["recipe"]["image_size"] = [64, 64]
    compared = {"plain": forms.PLAIN, "exact": forms.Form(bf16=False), "bf16": forms.Form()}
    compared["kept less"] = forms.Form(bf16=False, checkpointing=True)
    found = training.losses(compared, model, forms.batches(10, 8, [64, 64]), lr=1e-6)
    plain = found["plain"]
    assert training.apart(found["exact"][:1], plain[:1]) < 1e-5
    assert training.apart(found["exact"], plain) < 0.01
    assert training.apart(found["bf16"], plain) < 0.06
    assert found["kept less"] == found["exact"]


def test_operations_of_a_step():
    """The teacher's graph costs its backward pass, and checkpointing the restorer's forward pass once more."""
    model = forms.settings("ps_hrnet_demo", identities=8)
    (batch,) = forms.batches(1, 4, model["recipe"]["image_size"])
    of = (forms.PLAIN, forms.NO_GRAPH, replace(forms.NO_GRAPH, checkpointing=True))
    plain, lean, less = (training.flops_of(forms.Step(form, model), batch) for form in of)
    step = forms.Step(forms.PLAIN, model)
    features = step.teacher(batch.high)
    with FlopCounterMode(display=False) as backward:
        sum(part.sum() for part in features.compared).backward()
    with FlopCounterMode(display=False) as forward:
        step.task.sr(batch.low)
    assert plain - lean == pytest.approx(backward.get_total_flops(), rel=0.05)
    assert less - lean == pytest.approx(forward.get_total_flops(), rel=0.05)
