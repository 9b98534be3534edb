"""The Python of docs/score.md is run as it stands, with the objects that the other tools would hand it."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from psnet.embeddings import read_embeddings
from tests.embeddings.world import (
    IMAGES,
    QUERIES,
    SPLIT,
    check_set,
    npz_of,
    predictions,
    psnet_arrays,
    tensors_of,
    torchreid_arrays,
    world,
)

PAGE = Path(__file__).parents[2] / "docs" / "score.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def block(mark: str) -> str:
    (found,) = [text for text in BLOCKS if mark in text]
    return str(found)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(mark: str, **known: Any) -> dict[str, Any]:
    names = dict(known)
    exec(compile(block(mark), f"{PAGE}: {mark}", "exec"), names)
    return names


def test_every_block_is_run():
    marks = [
        "print(",
        'result.npz",\n',
        "set_model_mode",
        "DefaultTrainer",
        "pyarrow",
        "open_memmap",
        "save_embeddings(",
    ]
    assert sorted(block(mark) for mark in marks) == sorted(BLOCKS)


def test_ten_lines_are_enough():
    for mark in ("set_model_mode", "DefaultTrainer"):
        lines = [line for line in block(mark).splitlines() if line.strip() and "import " not in line]
        assert len(lines) <= 10


def test_any_tool(capsys: pytest.CaptureFixture[str]):
    run('result.npz",\n', **psnet_arrays(world()))
    run("print(")
    assert capsys.readouterr().out == "(3, 4) [ 3  5 -1  0] ()\n"
    check_set(read_embeddings(["result.npz"]), world())


class TorchreidEngine:
    """What torchreid's Engine has for evaluation: loaders by set and side, batches of img, pid, camid, impath."""

    use_gpu = False

    def __init__(self) -> None:
        query, gallery = slice(0, QUERIES), slice(QUERIES, IMAGES)
        self.test_loader = {"market1501": {"query": self.batches(query), "gallery": self.batches(gallery)}}
        self.mode = "train"

    def batches(self, rows: slice) -> list[dict[str, Any]]:
        w = world()
        whole = {"img": w.embedding[rows], "pid": w.pid[rows], "camid": w.camid[rows]}
        starts = range(0, len(whole["pid"]), 2)
        return [tensors_of({name: v[s : s + 2] for name, v in whole.items()}) | {"impath": ["x"] * 2} for s in starts]

    def set_model_mode(self, mode: str) -> None:
        self.mode = mode

    def parse_data_for_eval(self, data: dict[str, Any]) -> tuple[Any, Any, Any]:
        return data["img"], data["pid"], data["camid"]

    def extract_features(self, images: torch.Tensor) -> torch.Tensor:
        assert self.mode == "eval"
        assert not torch.is_grad_enabled()
        return images


def test_torchreid():
    run("set_model_mode", engine=TorchreidEngine())
    check_set(read_embeddings(["torchreid.npz"]), world())


@pytest.fixture
def _fastreid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two names that the page imports, and what fast-reid's evaluator has afterwards."""
    evaluator = types.SimpleNamespace(_predictions=[], _num_query=QUERIES)

    class DefaultTrainer:
        @classmethod
        def build_evaluator(cls, cfg: Any, dataset: str) -> tuple[list[Any], Any]:
            return predictions(world()), evaluator

    def inference_on_dataset(model: Any, loader: list[Any], evaluator: Any) -> None:
        evaluator._predictions = [model(batch) for batch in loader]

    modules = {
        "engine": {"DefaultTrainer": DefaultTrainer},
        "evaluation": {"inference_on_dataset": inference_on_dataset},
    }
    monkeypatch.setitem(sys.modules, "fastreid", types.ModuleType("fastreid"))
    for name, content in modules.items():
        module = types.ModuleType(f"fastreid.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("_fastreid")
def test_fastreid():
    run("DefaultTrainer", cfg=None, model=lambda batch: batch)
    check_set(read_embeddings(["fastreid.pt"]), world())


def test_parquet():
    run("pyarrow", **vars(world()), split=SPLIT, weather=["sun"] * IMAGES)
    found = read_embeddings(["result.parquet"])
    check_set(found, world())
    assert found.gallery.labels["weather"].tolist() == ["sun"] * 4


def test_big_galleries():
    query, gallery = world(np.float16).sides()
    row = np.zeros((len(gallery["pid"]), 512), np.float16)
    names = {"query_pid": query["pid"], "gallery_pid": gallery["pid"], "query_embedding": row[:QUERIES]}
    run("open_memmap", **names, embed_images=lambda start, stop: row[start:stop] + 1)
    found = read_embeddings(["big"])
    assert isinstance(found.gallery.embedding, np.memmap)
    assert (found.gallery.embedding == 1).all()


def test_one_form_into_another():
    npz_of(Path("torchreid.npz"), torchreid_arrays(world()))
    run("save_embeddings(")
    check_set(read_embeddings(["torchreid.parquet"]), world())
