"""What watches a run."""

from psnet.callbacks.dashboard import Dashboard
from psnet.callbacks.finite import Finite
from psnet.callbacks.progress import Progress
from psnet.callbacks.throughput import Throughput

__all__ = ["Dashboard", "Finite", "Progress", "Throughput"]
