"""ONNX, written by PyTorch's exporter of graphs and run by onnxruntime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from psnet.engines.errors import EngineError
from psnet.engines.exported import ExportedEngine
from psnet.engines.graph import INPUT, OUTPUTS

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
"""onnxruntime's names of what computes, by those of devices. One falls back to those before it for what it cannot."""


def write_onnx(program: ExportedProgram, file: Path) -> None:
    """For this onnxscript must be installed."""
    for steps in ("onnx_ir", "onnxscript"):  # hundreds of lines, of what they do and what they leave
        logging.getLogger(steps).setLevel(logging.ERROR)
    names = OUTPUTS[: len(program.graph_signature.user_outputs)]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # PyTorch's about its own
        made = torch.onnx.export(program, dynamo=True, input_names=[INPUT], output_names=list(names), verbose=False)
    assert made is not None
    for node in (*made.model.graph, *(node for function in made.model.functions.values() for node in function)):
        node.metadata_props.clear()  # where on this machine the network's code lies
    made.save(file)


def open_onnx(file: Path, device: str, precision: str, inside: bool) -> ExportedEngine:
    """
    Args:
        device: "auto" or one of `PROVIDERS`. precision: "auto" or "32-true".

    Raises:
        EngineError: onnxruntime is not installed or has no such device, or another precision is asked for.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError("running ONNX needs onnxruntime; install it with pip install -e '.[onnx]'") from error
    if precision not in ("auto", "32-true"):
        raise EngineError(f"precision={precision!r}: an ONNX graph computes in 32-true; give that, or auto")
    here = onnxruntime.get_available_providers()
    known = [name for name, provider in PROVIDERS.items() if provider in here]
    if device == "auto":
        device = "cuda" if "cuda" in known else "cpu"
    if device not in known:
        raise EngineError(f"device={device!r}: this onnxruntime has {', '.join(known)}; give one of these, or auto")
    order = list(PROVIDERS)
    wanted = [name for name in reversed(order[: order.index(device) + 1]) if name in known]
    providers = [(PROVIDERS[name], {"use_tf32": "0"} if name == "cuda" else {}) for name in wanted]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = onnxruntime.InferenceSession(file, options, providers=providers)
    if session.get_providers()[0] != PROVIDERS[device]:  # onnxruntime falls back in silence
        raise EngineError(f"device={device!r}: onnxruntime cannot use it here, see its log; give cpu")
    return ExportedEngine("onnx", lambda images: session.run(None, {INPUT: images}), "32-true", inside)
