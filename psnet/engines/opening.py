"""An engine by its name; "auto" is the fastest that is exact enough on the machine at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from psnet.engines.engine import Engine
from psnet.engines.errors import EngineError
from psnet.engines.exported import ExportedEngine
from psnet.engines.fastest import Candidate, fastest
from psnet.engines.kept import AGAIN, FILES, Kept, check_files, read_kept
from psnet.engines.onnx_file import open_onnx
from psnet.engines.openvino_file import open_int8, open_openvino
from psnet.engines.pt2_file import open_pt2
from psnet.engines.pytorch import TorchEngine
from psnet.tasks import Task

OPENERS: dict[str, Callable[[Path, str, str, bool], ExportedEngine]] = {
    "onnx": open_onnx,
    "openvino": open_openvino,
    "int8": open_int8,
    "pt2": open_pt2,
}

ENGINES = ("pytorch", *OPENERS, "auto")

TRIED = ("onnx", "openvino")
"""Forms that `auto` tries, whose embeddings can be compared with each other's. Not int8, whose cannot; and no pt2 file:
reading one may run code, and it is no faster."""


def open_engine(
    name: str, folder: Path, task: Task, image_size: tuple[int, int], digest: str, device: str, precision: str
) -> Engine:
    """
    Args:
        name: of `ENGINES`. folder: of the model, in which exported forms lie. task: what they were made of.
        image_size: (height, width) of its input. digest: see `MadeBy`. device, precision: "auto", or what the engine
            knows by that name.

    Raises:
        EngineError: there is none of that name, its library is not installed, its file is damaged or of other weights,
            or it does not know the device or precision.
    """
    if name not in ENGINES:
        raise EngineError(f"engine={name!r} must be one of {', '.join(ENGINES)}")
    if name == "pytorch":
        return TorchEngine(task, image_size, device, precision)
    kept = read_kept(folder, digest)
    if name != "auto":
        if name not in kept:
            raise EngineError(
                f"{folder} has no engine {name}; it has {', '.join(('pytorch', *kept))}. Make it with "
                f"psnet export --to {name}, and give the folder that it writes"
            )
        return open_kept(name, folder, kept[name], device, precision)

    def pytorch(precision: str = precision) -> Engine:
        return TorchEngine(task, image_size, device, precision)

    def exported(name: str) -> Candidate:
        return lambda: open_kept(name, folder, kept[name], device, precision)

    candidates: dict[str, Candidate] = {"pytorch": pytorch}
    candidates |= {one: exported(one) for one in TRIED if one in kept}
    if precision == "auto":
        candidates["pytorch in 32 bits"] = lambda: pytorch("32-true")
    return fastest(candidates, pytorch("32-true"), image_size)


def open_kept(name: str, folder: Path, kept: Kept, device: str, precision: str) -> ExportedEngine:
    """
    Raises:
        EngineError: see `open_engine`.
    """
    check_files(folder, name, kept)
    file = folder / FILES[name][0]
    try:
        return OPENERS[name](file, device, precision, kept.inside)
    except EngineError:
        raise
    except Exception as error:  # whatever a library makes of a file that another version of it has written
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise EngineError(f"{file} cannot be opened here ({reason}); {AGAIN.format(name)}") from error
