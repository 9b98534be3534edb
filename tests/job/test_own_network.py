"""What docs/networks.md says of a network of one's own, done."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

import evaluate
import psnet
import train as main_job
from psnet.checkpoint import CheckpointError
from psnet.embeddings import read_embeddings
from tests.tiny import TINY

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### A network of your own\n")[2].partition("\n## ")[0]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    assert found is not None
    return found[1]


def test_it_is_trained_scored_and_used(tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine" / "net").mkdir(parents=True)
    (tmp_path / "mine" / "net" / "plain.yaml").write_text(block("yaml"))
    (tmp_path / "plain.py").write_text(block("python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    words = [word for word in shlex.split(block("bash"))[1:] if word != "dataset=mlr_viper"]
    where = [f"dataset.source.reader.root={drawn}", "hydra.run.dir=run", "phases_dir=phases"]
    monkeypatch.setattr(sys, "argv", [*words, *TINY, "model.recipe.epochs=1", "logger=none", *where])
    main_job.main()
    assert "plain.Plain, weights before training: random" in (tmp_path / "run" / "card.md").read_text()
    with pytest.raises(CheckpointError, match=r"trusted=\['plain\.Plain'\]"):
        psnet.Embedder.from_checkpoint("run/last.ckpt")
    more = ["checkpoint=run/last.ckpt", "embeddings=scored.npz", "untrained=false", "loader.workers=0"]
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *more, "hydra.run.dir=scored"])
    evaluate.main()
    assert read_embeddings("scored.npz").query.embedding.shape == (8, 128)
    embedder = psnet.Embedder.from_checkpoint("run/last.ckpt", trusted=["plain.Plain"])
    assert "Plain" in str(embedder.made_by)
    assert embedder.embed(next(drawn.rglob("*.png"))).embedding.shape == (1, 128)
