"""What is to be exported, and what can be said of it before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from psnet.embedder.given import Listing
from psnet.engines import EngineError
from psnet.engines.kept import FILES
from psnet.export.check import Labelled

NEEDED = {"onnx": ("onnxscript", "onnxruntime"), "pt2": ()}
NEEDED |= {"openvino": (*NEEDED["onnx"], "openvino"), "int8": (*NEEDED["onnx"], "openvino", "nncf")}


@dataclass(frozen=True)
class Wish:
    """What to export.

    forms: names of `FILES`. images: to compare on. calibration: to take int8's ranges from. labelled: to see what int8
    costs; None leaves it unknown. inside: preprocessing is part of the graph. most_loss: of Rank-1 by int8, in [0, 1].
    """

    forms: Sequence[str]
    images: Listing
    calibration: Listing
    labelled: Labelled | None = None
    inside: bool = True
    most_loss: float = 0.005


def check_wish(wish: Wish) -> None:
    """Before anything is written.

    Raises:
        EngineError: a form is not known, or its libraries are not installed; or a number is out of range.
    """
    for form in wish.forms:
        if form not in FILES:
            raise EngineError(f"--to {form} must be of {', '.join(FILES)}, with commas between several")
        missing = [library for library in NEEDED[form] if find_spec(library) is None]
        if missing:
            raise EngineError(f"--to {form} needs {', '.join(missing)}; install with pip install -e '.[{form}]'")
    if not 0 <= wish.most_loss <= 1:
        raise EngineError(f"--most-loss {100 * wish.most_loss:g} must be a number of points from 0 to 100")
    if wish.labelled is not None and "int8" not in wish.forms:
        raise EngineError("--query and --gallery tell what int8 costs, and --to has no int8; leave them out, or add it")
