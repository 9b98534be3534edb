"""OpenVINO, in floating point or in int8 by NNCF: made of ONNX, run on the processor."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from psnet.engines.errors import EngineError
from psnet.engines.exported import ExportedEngine

Item = TypeVar("Item")

PRECISIONS = {"32-true": "f32", "bf16-mixed": "bf16"}

ALONE = """
import io, sys
import numpy, openvino
model = openvino.Core().compile_model(sys.argv[1], "CPU")
model(numpy.load(io.BytesIO(sys.stdin.buffer.read())))
"""
"""What `_run_alone` runs: a graph, on a batch from standard input."""

_ONE_AT_A_TIME = threading.Lock()


def write_openvino(onnx: Path, file: Path) -> None:
    """Args: onnx: a graph in ONNX. file: .xml; the weights lie beside it as .bin."""
    _openvino().save_model(_core().read_model(onnx), file, compress_to_fp16=False)


def write_int8(onnx: Path, file: Path, images: Sequence[Item], load: Callable[[Item], NDArray[np.generic]]) -> None:
    """Weights and maps in 8 bits, with ranges as these images give them: NNCF's post-training quantisation, with its
    preset for maps of mixed sign. What computes images rather than features stays in floating point.

    Args:
        onnx, file: as of `write_openvino`. images: something for each image. load: of it, to a batch of one as
            the graph takes it; called for one after the other, so that they need not all be in memory.

    Raises:
        EngineError: OpenVINO cannot run what was made.
    """
    nncf, model = _nncf(), _core().read_model(onnx)
    kept = nncf.IgnoredScope(names=[op.get_friendly_name() for op in model.get_ops() if _is_of_maps(op)])
    preset = nncf.QuantizationPreset.MIXED
    found = nncf.quantize(model, nncf.Dataset(images, load), preset=preset, subset_size=len(images), ignored_scope=kept)
    _openvino().save_model(found, file)
    _run_alone(file, load(images[0]))


def open_int8(file: Path, device: str, precision: str, inside: bool) -> ExportedEngine:
    """As `open_openvino`; precision is that of the little that is not in 8 bits."""
    return open_openvino(file, device, precision, inside, "int8")


def open_openvino(file: Path, device: str, precision: str, inside: bool, name: str = "openvino") -> ExportedEngine:
    """
    Args:
        name: of the engine. device: "auto" or "cpu". precision: "auto" is bf16 where the processor computes in it, or a
            name of `PRECISIONS`.

    Raises:
        EngineError: OpenVINO is not installed, or another device or precision is asked for.
    """
    if device not in ("auto", "cpu"):
        raise EngineError(f"device={device!r}: OpenVINO runs on the processor here; give cpu, or auto")
    if precision not in ("auto", *PRECISIONS):
        raise EngineError(f"precision={precision!r} must be auto or one of {', '.join(PRECISIONS)} for OpenVINO")
    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    hint = {} if precision == "auto" else {"INFERENCE_PRECISION_HINT": PRECISIONS[precision]}
    compiled: Any = _core().compile_model(_core().read_model(file), "CPU", threads | hint)
    chosen = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    names = {value: name for name, value in PRECISIONS.items()}

    turn = threading.Lock()  # a compiled model has one place for inputs and outputs

    def run(images: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        with turn:
            return [output.copy() for output in compiled(images).to_tuple()]

    return ExportedEngine(name, run, names.get(chosen, chosen), inside)


def _core() -> Any:
    with _ONE_AT_A_TIME:
        return _only_core()


@cache
def _only_core() -> Any:
    """One for the whole process, which is never let go: each brings a stack of its own for signals, and the second to
    go (of OpenVINO 2026.4) puts that of the first back, which is gone, so that the next signal would be the end."""
    core = _openvino().Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")  # now the stack is there, before those of NNCF come and go
    return core


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise EngineError("OpenVINO is not installed; install it with pip install -e '.[openvino]'") from error
    return openvino


def _nncf() -> Any:
    """NNCF, which would otherwise tell Google Analytics each time it is used; so it is told that this is a test."""
    os.environ["NNCF_CI"] = "1"
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # its import asks for CUDA's compiler
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


def _run_alone(file: Path, batch: NDArray[np.generic]) -> None:
    """In a process of its own: of what it cannot run in int8, OpenVINO may end the process (2026.4, MobileNetV3).

    Raises:
        EngineError: it did, or failed.
    """
    given = io.BytesIO()
    np.save(given, batch)
    command = [sys.executable, "-c", ALONE, str(file)]
    ran = subprocess.run(command, input=given.getvalue(), capture_output=True, check=False)
    if ran.returncode:
        told = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = f"signal {-ran.returncode} ended it" if ran.returncode < 0 else told
        raise EngineError(f"OpenVINO cannot run this network in int8 ({why}); take another form")


def _is_of_maps(op: Any) -> bool:
    """A product without weights, as resizing is: quantised, it would cost bits of the images and win nothing."""
    return op.get_type_name() == "MatMul" and not any(_is_weight(value) for value in op.input_values())


def _is_weight(value: Any) -> bool:
    node = value.get_node()
    if node.get_type_name() == "Convert":  # from the form in which a weight is stored
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")
