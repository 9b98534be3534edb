"""The processes of a run: one for each device."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist
from filelock import FileLock, Timeout
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

from psnet.atomic import WriteError

log = logging.getLogger("psnet")


def is_first() -> bool:
    """This process writes the files and talks; the others only compute. True where there is one process."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def meet() -> None:
    """Wait for the others."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()


class BusyError(RuntimeError):
    """Another run is at work where this one would be, and it cannot wait."""


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """No other run is at work in this folder: where one is, this one waits. The lock goes with the process, however
    that ends. It is the first process's, for which the others wait.

    Raises:
        BusyError: another is at work, and other processes of this run wait already. They would do so until PyTorch
            gives up, and may have found the folder as it was before.
    """
    if not is_first():
        meet()
        yield
        return
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if processes_there() > 1:
            raise BusyError(f"{name}: another run is at work in {folder}; start this one when that has ended") from None
        log.info("%s: another run is at work in %s; waiting for it", name, folder)
        lock.acquire()
    try:
        meet()
        yield
    finally:
        lock.release()


def _lock(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError.of(folder, error) from error
    return FileLock(folder / "lock")


def processes_there() -> int:
    """How many of this run are at work already, as torchrun, Slurm or Lightning has told each of them."""
    return max(int(os.environ.get(name) or 1) for name in ("WORLD_SIZE", "SLURM_NTASKS"))


@contextmanager
def exit_as_shells_do() -> Iterator[None]:
    """Lightning ends what was told to stop with 1 after Ctrl-C, and with 0 after SIGTERM, as if it had been finished.
    Here it is 128 and the signal's number."""
    try:
        yield
    except SystemExit as stopped:
        number = signal.SIGTERM if isinstance(stopped, SIGTERMException) else signal.SIGINT
        raise SystemExit(128 + number) from stopped
