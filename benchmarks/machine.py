"""What a benchmark ran on, and how its figures are told."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np
import torch


def machine() -> str:
    """One line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{' / '.join(sorted(names)) or platform.processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB; "
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, "
        f"numba {numba.__version__}"
    )


def ratios(times: Sequence[float], unit: Sequence[float]) -> str:
    """Median and range of the ratios of what ran in the same rounds."""
    each = [a / b for a, b in zip(times, unit, strict=True)]
    return f"{statistics.median(each):6.2f} ({min(each):.2f} to {max(each):.2f})"
