"""What a run says of itself: its row, where it started from, and whom it has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from psnet.checkpoint import read_checkpoint
from psnet.data.manifest import Manifest
from psnet.record import (
    OF_THE_TRAINER,
    ended_by_patience,
    given_checkpoints,
    given_digests,
    meta_of,
    row_of,
    run_of,
    weights_of,
)
from tests.composed import composed

RECIPE = {"image_size": [64, 32], "epochs": 3}
REID = {"_target_": "psnet.tasks.ReID", "view": "low", "reid": {"weights": None}, "recipe": RECIPE}
PAIR = {"_target_": "psnet.tasks.PSHRNet", "sr": {"_target_": "psnet.models.VDSRCA"}, "reid": {}, "ps_weight": 0.5}


@pytest.fixture(scope="module")
def cfg() -> DictConfig:
    return composed("dataset=mlr_synthetic")


@pytest.mark.parametrize(
    ("model", "phases", "row"),
    [
        (REID, {}, "ID"),
        (REID | {"view": "high"}, {}, "bound"),
        (PAIR, {}, "ID+SR"),
        (PAIR, {"sr_start": {}}, "ID+SR"),
        (PAIR, {"teacher": {}}, "ID+SR+PS"),
        (PAIR | {"ps_weight": 0}, {"teacher": {}}, "ID+SR"),
        (PAIR | {"sr": {"_target_": "psnet.models.NoRestoration"}}, {"teacher": {}}, "ID+PS"),
        ({"_target_": "psnet.tasks.SuperResolution", "sr": {}}, {}, "SR"),
    ],
)
def test_rows(model: dict[str, Any], phases: dict[str, Any], row: str):
    assert row_of(model, phases) == row


def checkpoint(folder: Path, meta: dict[str, Any]) -> str:
    torch.save({"psnet": meta, "state_dict": {}, "epoch": 2, "global_step": 6}, folder / "last.ckpt")
    return str(folder / "last.ckpt")


def test_weights_in_words(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    for given, words in ((None, "random"), ("imagenet", "ImageNet"), ("a/hrnet.pth", "hrnet.pth")):
        assert weights_of({"reid": {"weights": given}}, None) == words
    first = meta_of(cfg, tiny, REID)
    assert first["weights"] == "random"
    model = REID | {"reid": {"weights": checkpoint(tmp_path, first)}}
    images = len(tiny.train_digests())
    assert meta_of(cfg, tiny, model)["weights"] == (
        f"trained on mlr_synthetic ({images} images, hash {tiny.hash()[:12]})"
    )


def test_another_file_of_the_same_name_is_another_start(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    model = {"reid": {"weights": checkpoint(tmp_path, {"one": 1})}, "sr_checkpoint": "nowhere.ckpt"}
    first = given_digests(model)
    assert set(first) == {"reid.weights"}
    checkpoint(tmp_path, {"another": 1})
    assert given_digests(model) != first
    assert given_digests({"reid": {"weights": "imagenet"}}) == {}


def test_what_a_phase_starts_from_is_known_too(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    path = checkpoint(tmp_path, meta_of(cfg, tiny, REID) | {"trained_images": ["ffff"]})
    model = PAIR | {"recipe": RECIPE, "teacher": REID | {"reid": {"weights": path}}}
    assert "ffff" in meta_of(cfg, tiny, model)["trained_images"]
    assert set(given_checkpoints(model)) == {"teacher.reid.weights"}
    model["teacher_checkpoint"] = path  # then nothing is trained from the setting
    assert set(given_checkpoints(model)) == {"teacher_checkpoint"}


def test_what_the_weights_have_seen_counts_as_seen(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    first = meta_of(cfg, tiny, REID) | {"trained_images": ["ffff"]}
    second = meta_of(cfg, tiny, REID | {"reid": {"weights": checkpoint(tmp_path, first)}})
    assert set(second["trained_images"]) == {"ffff", *tiny.train_digests()}


def test_origins_in_words(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    """A file counts by what it was trained on: not by its path, nor, if that was the same as now, by its split."""
    (tmp_path / "w32.pth").write_bytes(b"weights")
    other = replace(tiny, rows=tiny.rows[1:])
    weights = checkpoint(tmp_path, meta_of(cfg, other, REID))
    images = len(other.train_digests())
    trained = f"trained on mlr_synthetic ({images} images, hash {other.hash()[:12]})"
    model = REID | {"reid": {"weights": weights}}
    assert meta_of(cfg, tiny, model)["origins"] == {"reid.weights": trained}
    assert meta_of(cfg, other, model)["origins"] == {"reid.weights": "trained on the same data"}
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    model = PAIR | {"recipe": RECIPE, "teacher_checkpoint": checkpoint(teacher, meta_of(cfg, tiny, model))}
    model["reid"] = {"weights": str(tmp_path / "w32.pth")}
    assert meta_of(cfg, tiny, model)["origins"] == {
        "teacher_checkpoint": "trained on the same data",
        "teacher.reid.weights": trained,
        "reid.weights": "w32.pth",
    }


def test_joined_sets_are_not_of_the_data(tiny: Manifest, cfg: DictConfig):
    """Scored with them, as training does, or without, it is the same run."""
    more = tuple(replace(row, sha256="f" * 64, source="more") for row in tiny.split("train"))
    joined = Manifest(tiny.rows + more, {**tiny.roots, "more": Path("more")})
    cfg = cfg.copy()
    cfg.join = {"more": {}}
    content = {"psnet": meta_of(cfg, joined, REID), "epoch": 2, "global_step": 12}
    for manifest in (joined, tiny):
        run = run_of(content, cfg.dataset, manifest, "32-true")
        assert run["data_hash"] == run["data_hash_in_training"] == tiny.hash()
        assert run["joined_hash"] == Manifest(more, {"more": Path("more")}).hash()


def test_images_trained_on_are_counted(tiny: Manifest, cfg: DictConfig):
    content = {"psnet": meta_of(cfg, tiny, REID), "epoch": 2, "global_step": 12}
    assert run_of(content, cfg.dataset, tiny, "32-true")["searched_and_trained_on"] == 0
    swapped = tuple(replace(row, split="gallery" if row.split == "train" else "train") for row in tiny.rows)
    trained = len(tiny.split("train"))
    assert run_of(content, cfg.dataset, replace(tiny, rows=swapped), "32-true")["searched_and_trained_on"] == trained


def test_a_run_has_what_decides_its_line(tiny: Manifest, cfg: DictConfig):
    content = {"psnet": meta_of(cfg, tiny, REID), "epoch": 2, "global_step": 12}
    run = run_of(content, cfg.dataset, tiny, "32-true")
    assert (run["row"], run["dataset"], run["split"], run["seed"]) == ("ID", "mlr_synthetic", 0, 0)
    assert run["set"] == "synthetic"
    assert run["training"] == {"same_batch": False, **dict.fromkeys(OF_THE_TRAINER), "max_steps": -1}
    assert "root" not in run["source"]["reader"]
    limited = cfg.copy()
    limited.trainer.max_steps, limited.same_batch, limited.dataset.source.singletons = 2, True, "drop"
    other = run_of({**content, "psnet": meta_of(limited, tiny, REID)}, limited.dataset, tiny, "32-true")
    assert {name for name in run if run[name] != other[name]} - {"finished"} == {"training", "source"}
    assert "split" not in run["protocol"]
    assert run["protocol"]["rates"] == [2, 3, 4]
    assert run["data_hash"] == run["data_hash_in_training"] == tiny.hash()
    assert (run["epochs"], run["steps"], run["image_size"]) == (3, 12, [64, 32])


def test_what_a_checkpoint_says_is_plain(tiny: Manifest, cfg: DictConfig, tmp_path: Path):
    """Whatever lists stand in its trainer, or nobody could read it."""
    several = cfg.copy()
    several.trainer.devices = [0]
    path = checkpoint(tmp_path, meta_of(several, tiny, REID))
    assert read_checkpoint(path)["psnet"]["training"]["same_batch"] is False


def test_where_its_files_lie_says_nothing_of_a_set(tiny: Manifest):
    content = {"psnet": meta_of(composed("dataset=mlr_viper"), tiny, REID), "epoch": 2, "global_step": 12}
    sources = []
    for place in ("/home/a", "/data"):
        words = [f"dataset.source.reader.root={place}", f"+dataset.source.reader.partitions={place}/p.txt"]
        dataset = composed("dataset=mlr_viper", *words, f"dataset.source.manifest={place}/m.csv").dataset
        sources.append(run_of(content, dataset, tiny, "32-true")["source"])
    assert sources[0] == sources[1]


@pytest.mark.parametrize(("waited", "ended"), [(2, False), (3, True)])
def test_patience_that_ended_a_training(waited: int, ended: bool):
    state = {"wait_count": waited, "patience": 3}
    assert ended_by_patience({"callbacks": {"Patience{'monitor': 'val/mAP', 'mode': 'max'}": state}}) == ended
    assert not ended_by_patience({"callbacks": {"ModelCheckpoint{}": {}}})
