"""Loops that Numba compiles at their first call, and whose machine code it keeps for the next process where it can."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numba
import torch

log = logging.getLogger(__name__)

MOST_THREADS: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # get_num_threads() starts the pool

_one_at_a_time = threading.Lock()  # Numba's simplest thread pool must not be entered twice


class Kernel:
    """A compiled function. Loops over numba.prange run on as many threads as torch uses.

    Numba keeps machine code in NUMBA_CACHE_DIR where that is set, else in the `__pycache__` beside the source, else in
    the user's cache folder. Where it may write to none of them it refuses at once with RuntimeError, and where writing
    fails later (no space left) the first call ends in OSError. Then the function is compiled without being kept: each
    process waits for it anew, some seconds, and nothing else changes.
    """

    def __init__(self, function: Callable[..., Any], parallel: bool = True) -> None:
        self.function, self.parallel = function, parallel
        try:
            # error_model: a division by 0 gives infinity, in place of a check at each division
            self.compiled = numba.njit(function, cache=True, parallel=parallel, error_model="numpy")
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            self._compile_for_this_process(error)

    def __call__(self, *arguments: Any) -> Any:
        with _one_at_a_time:
            _use_torchs_threads()
            try:
                return self.compiled(*arguments)
            except OSError as error:  # only ever from Numba's cache: kernels compute, they touch no file
                self._compile_for_this_process(error)
                return self.compiled(*arguments)

    def _compile_for_this_process(self, error: Exception) -> None:
        log.debug("compiled for this process only (%s); NUMBA_CACHE_DIR names a folder to keep it in", error)
        self.compiled = numba.njit(self.function, parallel=self.parallel, error_model="numpy")


def _use_torchs_threads() -> None:
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, MOST_THREADS))
    if torch.get_num_threads() != threads:  # the first call starts Numba's pool, which tells OpenMP to use every core
        torch.set_num_threads(threads)


def kernel(*, parallel: bool = True) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorator. A kernel must not depend on code of other files: the kept machine code is renewed when its own file
    changes, and then alone."""
    return lambda function: Kernel(function, parallel)
