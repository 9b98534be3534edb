"""What the service tells Prometheus of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from psnet.serving.guard import App, Message, Receive, Scope, Send

TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """One service's, and no other's in the same process."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.requests = Counter("psnet_requests", "Requests", ["route", "method", "status"], registry=own)
        self.seconds = Histogram(
            "psnet_request_seconds", "From a request's head to its answer", ["route"], registry=own
        )
        sizes = (1, 2, 4, 8, 16, 32, 64)
        self.batches = Histogram("psnet_batch_images", "Images of a batch of the network", registry=own, buckets=sizes)
        self.images = Counter("psnet_images", "Images that came", ["outcome"], registry=own)
        self._queue = Gauge("psnet_queue_images", "Images that wait or are computed", registry=own)

    def watch_queue(self, length: Callable[[], int]) -> None:
        self._queue.set_function(length)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Metered:
    """An ASGI application whose requests are counted and timed.

    Args:
        paths: that it has. Requests that are refused before they come to a route are counted by these.
    """

    def __init__(self, app: App, metrics: Metrics, paths: Collection[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 499  # nobody was there any more to be answered

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            asked = scope["path"] if scope["path"] in self._paths else "other"  # any text may be asked for
            route = getattr(scope.get("route"), "path", asked)
            method = scope["method"] if scope["method"] in ("GET", "POST") else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begin)
