"""The benchmark of the service asks it what it says it asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from benchmarks.serving import asked
from tests.serving.world import Server


def test_requests_are_answered_and_their_times_told(server: Server, place: Path):
    (file,) = (place / "crops").rglob("0003_*")
    found = asyncio.run(asked(server.address, [(file.name, file.read_bytes())], 2, 2.0))
    assert found
    assert 0 < min(found) <= max(found) < 2.0


def test_a_refusal_is_no_answer(server: Server):
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        asyncio.run(asked(server.address, [("empty.jpg", b"")], 1, 1.0))
