"""The parts of the service, each by itself."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest
from starlette.requests import ClientDisconnect, Request

from psnet.serving.access import ADDRESSES, Access, Rate
from psnet.serving.batches import Batches
from psnet.serving.errors import Refused, ServingError
from psnet.serving.form import unless_gone
from psnet.serving.limits import Limits


class Gate:
    """A network that computes when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, jobs: list[int]) -> list[int]:
        self.batches.append(jobs)
        self.begun.release()
        assert self.open.acquire(timeout=10)
        if 13 in jobs:
            raise ValueError("unlucky")
        return [job * job for job in jobs]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def batches(gate: Gate):
    made = Batches(gate, at_once=3, places=5)
    made.start()
    yield made
    for _ in range(20):
        gate.open.release()
    made.close()


def test_batches_of_what_waits(gate: Gate, batches: Batches):
    futures = [batches.submit(0)]
    gate.begun.acquire(timeout=10)
    futures += [batches.submit(job) for job in range(1, 8)]
    futures[2].cancel()
    for _ in range(4):
        gate.open.release()
    assert [f.result(10) for f in futures if not f.cancelled()] == [0, 1, 9, 16, 25, 36, 49]
    assert gate.batches == [[0], [1, 3], [4, 5, 6], [7]], "in order, and nothing for those who are gone"
    with pytest.raises(CancelledError):
        futures[2].result(10)


def test_what_fails_fails_for_its_batch_alone(gate: Gate, batches: Batches):
    for _ in range(3):
        gate.open.release()
    with pytest.raises(ValueError, match="unlucky"):
        batches.submit(13).result(10)
    assert batches.submit(4).result(10) == 16


def test_places(batches: Batches):
    with batches.taking(3):
        with pytest.raises(Refused) as refused, batches.taking(3):
            pass
        assert (refused.value.status, batches.taken) == (503, 3)
        with batches.taking(2):
            assert batches.taken == 5
    with pytest.raises(KeyError), batches.taking(5):
        raise KeyError
    assert batches.taken == 0


def test_closing_finishes_what_waits():
    made: Batches[int, int] = Batches(lambda jobs: [job + 1 for job in jobs], at_once=2, places=5)
    futures = [made.submit(job) for job in range(5)]
    made.start()
    made.close()
    assert [future.result(0) for future in futures] == [1, 2, 3, 4, 5]


def test_rate():
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    for _ in range(60):
        rate.take("10.0.0.1", 1)
    with pytest.raises(Refused) as refused:
        rate.take("10.0.0.1", 1)
    assert (refused.value.status, refused.value.wait) == (429, 1)
    rate.take("10.0.0.2", 1)
    now[0] = 1.0
    rate.take("10.0.0.1", 1)
    with pytest.raises(Refused):
        rate.take("10.0.0.1", 1)
    now[0] = 1000.0
    for _ in range(60):
        rate.take("10.0.0.1", 1)
    with pytest.raises(Refused):
        rate.take("10.0.0.1", 1)


def test_rate_of_a_house_with_ipv6_and_of_many():
    now = [0.0]
    rate = Rate(1, lambda: now[0])
    rate.take("2001:db8::1", 1)
    with pytest.raises(Refused):
        rate.take("2001:db8::2", 1)
    rate.take("2001:db8:0:1::2", 1)
    rate.take("::ffff:203.0.113.5", 1)  # IPv4, as a socket for both kinds writes it
    rate.take("::ffff:198.51.100.7", 1)
    with pytest.raises(Refused):
        rate.take("203.0.113.5", 1)
    for number in range(2 * ADDRESSES):
        now[0] += 0.1
        rate.take(str(number), 1)
    assert len(rate._left) <= ADDRESSES + 1


@pytest.mark.parametrize("token", ["short", "", "ü" * 16, "a b\n" * 8])
def test_tokens_that_cannot_be_used(token: str):
    with pytest.raises(ServingError, match=f"the token has {len(token)} characters"):
        Access(1, token, None)


def test_limits():
    assert Limits().images <= Limits().queue
    with pytest.raises(ServingError, match="the limit of per minute is 0"):
        Limits(per_minute=0)
    with pytest.raises(ServingError, match="one request may have 200 images and the queue takes 128"):
        Limits(images=200)


def test_work_for_nobody_is_given_up():
    async def whole() -> None:
        gone, ended = asyncio.Event(), []

        async def receive() -> dict[str, str]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def work() -> str:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(True)
            return "much"

        async def nothing() -> str:
            return "done"

        request = Request({"type": "http"}, receive)
        assert await unless_gone(request, nothing()) == "done"
        asking = asyncio.ensure_future(unless_gone(request, work()))
        await asyncio.sleep(0.01)
        gone.set()
        with pytest.raises(ClientDisconnect):
            await asking
        await asyncio.sleep(0)
        assert ended

    asyncio.run(asyncio.wait_for(whole(), 5))
