"""Learning rates against tables."""

from __future__ import annotations

import pytest

from psnet.tasks.schedules import one_cycle, warm_up_then_steps


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
