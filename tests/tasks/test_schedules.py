"""Learning rates against tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from psnet.models import VDSRCA
from psnet.tasks import PSHRNet
from psnet.tasks.schedules import one_cycle, warm_up_then_steps
from tests.tasks.tiny import TinyReID, released, watched


def test_the_table_of_71_rates():
    table = [3e-4] * 5 + [0.0085] * 25 + [0.00085] * 30 + [0.000085] * 11
    assert len(table) == 71
    found = [warm_up_then_steps(epoch, 71, 0.0085) for epoch in range(71)]
    assert found == pytest.approx(table)


@pytest.mark.parametrize("within", [0.0, 0.3, 0.999])
def test_a_rate_holds_for_the_whole_epoch(within: float):
    for epoch in (0, 4, 5, 29, 30, 59, 60):
        assert warm_up_then_steps(epoch + within, 71, 0.0085) == warm_up_then_steps(epoch, 71, 0.0085)


def test_phase_1_has_no_warm_up():
    assert warm_up_then_steps(0, 71, 0.0085, warm_up_epochs=0) == 0.0085


def test_one_cycle_may_rise_to_its_end():
    assert [one_cycle(epoch, 4, 2.0, rise=1, start=0) for epoch in (0, 2, 4)] == pytest.approx([0, 1, 2])


def test_one_cycle_rises_once_and_falls_to_nothing():
    rates = [one_cycle(epoch / 10, 8, 2.0) for epoch in range(81)]
    top = rates.index(max(rates))
    assert rates[0] == pytest.approx(0.1)
    assert rates[top] == pytest.approx(2.0)
    assert top == 20
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0)
    assert one_cycle(9, 8, 2.0) == pytest.approx(0)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
@pytest.mark.parametrize("sr_lr", [None, 0.001])
def test_all_groups_have_the_table_in_a_real_training(sr_lr: float | None, tmp_path: Path):
    """The released recipe over its 71 epochs; 0.001 for the restorer is written in the released code, too."""
    torch.manual_seed(0)
    task = PSHRNet(VDSRCA(16, 1), TinyReID(), sr_lr=sr_lr, recipe=released("phase2"))  # type: ignore[arg-type]
    seen = watched(task, tmp_path, epochs=71)
    assert seen.epochs == [epoch for epoch in range(71) for _ in range(2)]
    tops = [0.0085] if sr_lr is None else [0.0085, 0.001]
    for group, top in enumerate(tops):
        table = [3e-4] * 5 + [top] * 25 + [top / 10] * 30 + [top / 100] * 11
        assert [rates[group] for rates in seen.rates[::2]] == pytest.approx(table)
        assert [rates[group] for rates in seen.rates[1::2]] == pytest.approx(table)
    assert {len(rates) for rates in seen.rates} == {len(tops)}
