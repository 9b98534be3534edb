"""Jobs of many requests, gathered to batches for the one thread that runs the network."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from psnet.serving.errors import Refused

Job = TypeVar("Job")
Result = TypeVar("Result")

WAIT = 0.005
"""Seconds that the first job of a batch waits for others."""

AGAIN = 2
"""Seconds after which a refused request may be tried again."""


class Batches(Generic[Job, Result]):
    """A thread that computes whatever is given to it, several jobs at once. Whoever wants to give it something takes
    places first, before any work is done for it: a full house refuses.

    Args:
        compute: jobs to as many results; what it raises becomes the result of all. at_once: jobs of a batch. places:
            jobs that may wait or be computed. observe: told the size of each batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Job]], Sequence[Result]],
        at_once: int,
        places: int,
        observe: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._compute, self._at_once, self._observe = compute, at_once, observe
        self._places, self._taken = places, 0
        self._waiting: deque[tuple[Job, Future[Result]]] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    @property
    def taken(self) -> int:
        """Places."""
        return self._taken

    @contextmanager
    def taking(self, places: int) -> Iterator[None]:
        """So many places, for as long as it lasts.

        Raises:
            Refused: there are not so many.
        """
        with self._change:
            if self._taken + places > self._places:
                raise Refused(503, f"too much is asked at once ({self._taken} images are waiting); try again", AGAIN)
            self._taken += places
        try:
            yield
        finally:
            with self._change:
                self._taken -= places

    def submit(self, job: Job) -> Future[Result]:
        """A job that has a place. It may be cancelled as long as it waits."""
        future: Future[Result] = Future()
        with self._change:
            self._waiting.append((job, future))
            self._change.notify()
        return future

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """When all that waits is done."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            live = [(job, future) for job, future in batch if future.set_running_or_notify_cancel()]
            if live:
                self._observe(len(live))
                self._finish([job for job, _ in live], [future for _, future in live])

    def _next(self) -> list[tuple[Job, Future[Result]]]:
        """As many as there are, after a short wait for more; none at the end."""
        with self._change:
            while not self._waiting and not self._closed:
                self._change.wait()
            until = time.monotonic() + WAIT
            while len(self._waiting) < self._at_once and not self._closed:
                if not self._change.wait(until - time.monotonic()):
                    break
            return [self._waiting.popleft() for _ in range(min(self._at_once, len(self._waiting)))]

    def _finish(self, jobs: list[Job], futures: list[Future[Result]]) -> None:
        try:
            results = self._compute(jobs)
        except Exception as error:
            for future in futures:
                future.set_exception(error)
        else:
            for future, result in zip(futures, results, strict=True):
                future.set_result(result)
