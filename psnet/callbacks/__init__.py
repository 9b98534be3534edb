"""What watches a run."""

from psnet.callbacks.average import Average
from psnet.callbacks.dashboard import Dashboard
from psnet.callbacks.finite import Finite
from psnet.callbacks.gradient_norm import GradientNorm
from psnet.callbacks.memory import Memory
from psnet.callbacks.patience import Patience
from psnet.callbacks.progress import Progress
from psnet.callbacks.throughput import Throughput

__all__ = ["Average", "Dashboard", "Finite", "GradientNorm", "Memory", "Patience", "Progress", "Throughput"]
