"""What is around the application, with one that does what is wanted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from psnet.serving import guard
from psnet.serving.access import Access
from psnet.serving.guard import HELD, Guard
from psnet.serving.limits import Limits

LIMITS = Limits(bytes=1000)


def post(length: int | None) -> dict[str, Any]:
    headers = [(b"host", b"here"), (b"transfer-encoding", b"chunked")]
    if length is not None:
        headers[1] = (b"content-length", str(length).encode())
    return {"type": "http", "method": "POST", "path": "/embed", "client": ("1.2.3.4", 5), "headers": headers}


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def statuses(*lengths: int | None) -> list[int]:
    """Of requests of so many bytes, none of which ends before all have come."""

    async def whole() -> list[int]:
        come, found = asyncio.Event(), []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await come.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found.append(message["status"])

        guarded = Guard(app, Access(1000, None, None), LIMITS)
        asked = [asyncio.ensure_future(guarded(post(length), receive, send)) for length in lengths]
        await asyncio.sleep(0.05)
        come.set()
        await asyncio.gather(*asked)
        await guarded(post(1000), receive, send)  # all places are free again
        return found

    return asyncio.run(whole())


def test_memory_for_what_is_sent():
    assert sorted(statuses(*[1000] * (HELD + 2))) == [200] * (HELD + 1) + [503] * 2
    assert sorted(statuses(*[None] * (HELD + 1))) == [200] * (HELD + 1) + [503], "it may become as long"
    assert statuses(*[10] * (HELD + 10)) == [200] * (HELD + 11)
    assert statuses(1001) == [413, 200]


def test_a_reader_who_does_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "SENDING", 0.05)

    async def whole() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"much"})

        async def never(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(100)

        await Guard(app, Access(1000, None, None), LIMITS)(post(10), receive, never)

    asyncio.run(asyncio.wait_for(whole(), 5))
