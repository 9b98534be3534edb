"""A bar for work that takes long, and nothing for work that does not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

SLOW_SECONDS = 2.0
"""The bar appears after this time."""

Result = TypeVar("Result")


def shown(results: Iterable[Result], total: int, what: str) -> Iterator[Result]:
    """The results, with a bar on standard error once it takes long, gone when all are there."""
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=total)
    begin = time.monotonic()
    try:
        for result in results:
            progress.advance(task)
            if not progress.live.is_started and time.monotonic() - begin > SLOW_SECONDS:
                progress.start()
            yield result
    finally:
        if progress.live.is_started:
            progress.stop()
