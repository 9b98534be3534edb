"""The processes of a run: one for each device."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist
from filelock import FileLock, Timeout
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

log = logging.getLogger("psnet")


def is_first() -> bool:
    """This process writes the files and talks; the others only compute. True where there is one process."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def meet() -> None:
    """Wait for the others."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """No other run is at work in this folder. The lock goes with the process, however that ends."""
    if not is_first():  # this run's first process holds the lock
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: another run is at work in %s; waiting for it", name, folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def exit_as_shells_do() -> Iterator[None]:
    """Lightning ends what was told to stop with 1 after Ctrl-C, and with 0 after SIGTERM, as if it had been finished.
    Here it is 128 and the signal's number."""
    try:
        yield
    except SystemExit as stopped:
        number = signal.SIGTERM if isinstance(stopped, SIGTERMException) else signal.SIGINT
        raise SystemExit(128 + number) from stopped
