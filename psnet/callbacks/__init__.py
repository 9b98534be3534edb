"""What watches a run."""

from psnet.callbacks.dashboard import Dashboard
from psnet.callbacks.throughput import Throughput

__all__ = ["Dashboard", "Throughput"]
