"""A TRAINED TASK -> WHAT COMPUTES IT: PyTorch itself, or the forms it is exported to.

Images come in at the network's input size, as `psnet.data.preprocess` gives them; exported graphs take any other too.
"""

from psnet.engines.engine import Engine
from psnet.engines.errors import EngineError
from psnet.engines.opening import ENGINES, open_engine
from psnet.engines.pytorch import TorchEngine

__all__ = ["ENGINES", "Engine", "EngineError", "TorchEngine", "open_engine"]
