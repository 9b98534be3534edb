"""Around the whole application: what is refused before it is read, how much is read, and what every answer says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from psnet.serving.access import Access
from psnet.serving.batches import AGAIN
from psnet.serving.errors import Refused
from psnet.serving.limits import Limits
from psnet.serving.refusal import refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer: nothing of elsewhere is run or shown, and pictures of people stay in no cache."""

HELD = 8
"""Requests of the largest size whose images are held in memory at once. Smaller ones are more."""

SENDING = 60
"""Seconds in which a piece of an answer must be taken; then its reader is given up, and the place free."""

READ_OFF, READ_OFF_SECONDS = 4, 5
"""A request that is refused is read to its end, up to so many times what it may have, and for so long: a sender in the
midst of sending would not see the answer."""


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: App, access: Access, limits: Limits) -> None:
        self._app, self._access, self._limits = app, access, limits
        self._requests, self._bytes = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limits.bytes)
        try:
            self._access.check(scope)
            with self._room(exchange.length() if scope["method"] == "POST" else None):
                await self._app(scope, exchange.receive, exchange.send)
        except Refused as refused:
            await refusal(refused)(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.given_up:
                raise

    @contextmanager
    def _room(self, length: int | None) -> Iterator[None]:
        """For a request of so many bytes; None for one that brings nothing.

        Raises:
            Refused: there is none.
        """
        if length is None:
            yield
            return
        if self._requests >= self._limits.queue or self._bytes + length > HELD * self._limits.bytes:
            raise Refused(503, f"{self._requests} requests are being read; try again", AGAIN)
        self._requests, self._bytes = self._requests + 1, self._bytes + length
        try:
            yield
        finally:
            self._requests, self._bytes = self._requests - 1, self._bytes - length


class _Exchange:
    """A request and its answer. most: bytes that are read of it. given_up: nobody takes the answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        headers = dict(scope["headers"])
        self._length = headers.get(b"content-length", b"")
        self._asks_first = headers.get(b"expect", b"").lower() == b"100-continue"
        self._ended = not (self._length.strip(b"0") or b"transfer-encoding" in headers)
        self._read, self.given_up = 0, False

    def length(self) -> int:
        """Bytes of the request, as it says; or as many as there may be.

        Raises:
            Refused: it is too long.
        """
        length = int(self._length) if self._length.isdigit() else self._most
        if length > self._most:
            raise self._too_long()
        return length

    async def receive(self) -> Message:
        """
        Raises:
            Refused: more has come than is taken.
        """
        message = await self._next()
        if self._read > self._most:
            raise self._too_long()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._ended and not (self._asks_first and not self._read):
                await self._read_off()
            known = {name.lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in known]
            message = {**message, "headers": [*message["headers"], *more]}
        try:
            await asyncio.wait_for(self._send(message), SENDING)
        except asyncio.TimeoutError:
            self.given_up = True
            raise

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message

    async def _read_off(self) -> None:
        async def rest() -> None:
            while not self._ended and self._read <= READ_OFF * self._most:
                await self._next()

        try:
            await asyncio.wait_for(rest(), READ_OFF_SECONDS)
        except asyncio.TimeoutError:
            self._ended = True

    def _too_long(self) -> Refused:
        return Refused(413, f"a request may have {self._most:,} bytes; send fewer or smaller images")
