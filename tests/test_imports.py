"""Who may import whom. Each room's first line of ALLOWED says what it may know of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "psnet"

ALLOWED: dict[str, set[str]] = {
    "atomic": set(),
    "progress": set(),
    "data": {"data", "atomic", "progress"},
    "models": {"models"},
    "losses": set(),
    "metrics": {"metrics"},
    "report": {"report", "atomic"},
    "embeddings": {"embeddings", "atomic"},
    "precision": set(),
    "processes": {"atomic"},
    "loggers": {"processes", "atomic"},
    "csv_log": {"atomic", "processes"},
    "checkpoint": {"psnet", "atomic"},
    "tasks": {"tasks", "models", "losses", "metrics", "data"},
    "regions": {"regions", "tasks"},
    "pictures": {"regions", "progress", "tasks", "metrics", "data", "report"},
    "provenance": {"data"},
    "findings": {"metrics", "report"},
    "browsing": {"metrics", "report"},
    "evaluation": {"findings", "browsing", "pictures", "tasks", "metrics", "data", "report", "atomic"},
    "scoring": {"scoring", "findings", "browsing", "embeddings", "metrics", "report", "atomic"},
    "command_line": set(),
    "card": {"command_line", "evaluation", "report", "atomic"},
    "callbacks": {"callbacks", "pictures", "tasks", "report", "data", "losses", "atomic"},
    "configuration": {"checkpoint", "models", "data", "losses", "atomic", "processes"},
    "assembly": {"checkpoint", "configuration", "data", "metrics", "models", "tasks"},
    "engines": {"engines", "data", "tasks", "precision", "atomic"},
    "embedder": {"embedder", "engines", "assembly", "checkpoint", "calibration", "data", "embeddings"}
    | {"progress", "regions", "tasks", "atomic"},
    "export": {"export", "embedder", "engines", "calibration", "checkpoint", "data", "embeddings"}
    | {"metrics", "scoring", "atomic"},
    "calibration": {"calibration", "data", "embeddings", "metrics", "atomic"},
    "gallery": {"gallery", "embedder", "embeddings", "calibration", "data", "regions", "atomic"},
    "serving": {"serving", "psnet", "gallery", "embedder", "calibration", "data"},
    "differences": set(),
    "phases": {"configuration", "checkpoint", "data", "processes", "differences", "run_folder"},
    "record": {"phases", "checkpoint", "data"},
    "run_folder": {"configuration", "checkpoint", "differences", "atomic"},
    "sweep": {"command_line", "configuration", "record", "run_folder", "data", "atomic"},
    "table": {"table", "report", "loggers", "differences", "atomic"},
    "cli": {"cli", "configuration", "data", "table", "scoring", "embedder", "calibration", "gallery", "export"}
    | {"serving"},
    "__init__": {"embedder"},
}
"""Ours, by the first name below psnet. "psnet" is the package itself, which has the version."""

ROOMS_OF = {
    "pytorch_lightning": {"tasks", "callbacks", "checkpoint", "loggers", "csv_log", "processes", "data/datamodule"},
    "hydra": {"configuration", "sweep", "cli"},
    "omegaconf": {"configuration", "record", "run_folder", "sweep", "cli", "evaluation"},
    "wandb": {"loggers", "callbacks", "table/wandb_run"},
    "matplotlib": {"table/picture"},
    "timm": {"models", "checkpoint"},
    "torchmetrics": {"metrics"},
    "numba": {"metrics"},
    "jinja2": {"report"},
    "pyarrow": {"embeddings/parquet_file", "gallery/lance"},
    "lancedb": {"gallery/lance"},
    "captum": {"regions/grad_cam"},
    "onnxruntime": {"engines/onnx_file"},
    "onnxscript": {"engines/onnx_file"},
    "openvino": {"engines/openvino_file"},
    "nncf": {"engines/openvino_file"},
    "pymilvus": {"gallery/milvus"},
    "safetensors": {"embedder/model_folder"},
    "huggingface_hub": {"embedder/model_folder"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "uvicorn": {"serving/run"},
    "prometheus_client": {"serving/metrics"},
    "scipy": {"embeddings/mat_file"},
}
"""The rooms that may know a library; others, torch among them, are free."""

FILES = sorted(HOUSE.rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Dotted names of all modules a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names.add(node.module or "")
    return names


def room_of(file: Path) -> str:
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(HOUSE).as_posix())
def test_imports(file: Path):
    room = room_of(file)
    place = file.relative_to(HOUSE).as_posix().removesuffix(".py")
    for name in imported(file):
        first, _, rest = name.partition(".")
        if first == "psnet":
            assert (rest.partition(".")[0] or "psnet") in ALLOWED[room], f"{place} imports {name}"
        elif first in ROOMS_OF:
            assert ROOMS_OF[first] & {room, place}, f"{place} imports {name}"


def test_every_room_is_used():
    assert {room_of(file) for file in FILES} == set(ALLOWED)
