"""What teachers reach on sharp queries becomes a line of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psnet.table.bounds import bounds_of
from psnet.table.lines import build_lines
from psnet.table.runs import find_runs
from psnet.table.settings import settings_of
from tests.table.examples import write

FIGURES = {"rank1": 0.7, "rank5": 0.8, "rank10": 0.9, "mAP": 0.6}


def with_bound(folder: Path, rank1: float, **more: object) -> None:
    file = write(folder, "ID+SR+PS", **more) / "metrics.json"
    content = json.loads(file.read_text())
    content["metrics"]["bound"] = FIGURES | {"rank1": rank1}
    file.write_text(json.dumps(content))


def test_one_bound_for_each_teacher(tmp_path: Path):
    with_bound(tmp_path / "a", 0.7, split=0)
    with_bound(tmp_path / "b", 0.8, split=1)
    with_bound(tmp_path / "c", 0.8, split=1, model__ps_weight=0.1)  # of the same teacher
    write(tmp_path / "d", "ID", split=0)
    runs = find_runs([tmp_path]).runs
    lines, twice = build_lines([*runs, *bounds_of(runs)], [])
    (bound,) = [line for line in lines if line.row == "bound"]
    assert bound.splits == [0, 1]
    found = bound.figure("rank1")
    assert found is not None
    assert (found.mean, found.size) == (pytest.approx(0.75), 2)
    assert twice == []


def test_a_bound_starts_from_what_its_teacher_did(tmp_path: Path):
    origins = {"sr_checkpoint": "trained on a", "teacher.reid.weights": "trained on b"}
    with_bound(tmp_path / "a", 0.7, origins=origins, phases__teacher__reid__weights="x.ckpt")
    (bound,) = bounds_of(find_runs([tmp_path]).runs)
    assert settings_of(bound)["model"]["reid"]["weights"] == "trained on b"


def test_of_a_run_found_twice_the_later_bound_counts(tmp_path: Path):
    with_bound(tmp_path / "a", 0.7, finished="2026-11-25T12:00:00")
    with_bound(tmp_path / "z_old", 0.3, finished="2026-11-25T10:00:00")
    (bound,) = bounds_of(find_runs([tmp_path]).runs)
    assert bound.metrics["trained"]["rank1"] == 0.7


@pytest.mark.parametrize(
    ("weights", "origins", "said"),
    [
        (None, {}, "random"),
        ("imagenet", {}, "ImageNet"),
        ("x.ckpt", {"teacher.reid.weights": "trained on b"}, "trained on b"),
    ],
)
def test_its_weights_are_the_teacher_s(tmp_path: Path, weights: str | None, origins: dict[str, str], said: str):
    with_bound(tmp_path / "a", 0.7, phases__teacher__reid__weights=weights, origins=origins, weights="trained on a")
    assert [bound.record["weights"] for bound in bounds_of(find_runs([tmp_path]).runs)] == [said]


def test_a_teacher_of_other_data_says_which(tmp_path: Path):
    with_bound(tmp_path / "a", 0.7, origins={"teacher_checkpoint": "trained on mlr_pku (3 images, hash 12)"})
    with_bound(tmp_path / "b", 0.8, origins={"teacher_checkpoint": "trained on the same data"})
    said = [bound.record["trained_on"] for bound in bounds_of(find_runs([tmp_path]).runs)]
    assert said == [["mlr_pku"], ["mlr_viper"]]
    found = [settings_of(bound)["searched"] for bound in bounds_of(find_runs([tmp_path]).runs)]
    assert found == ["other data", "its own set"]


def test_another_teacher_is_another_bound(tmp_path: Path):
    with_bound(tmp_path / "a", 0.7)
    with_bound(tmp_path / "b", 0.8, phases__teacher__margin=0.2)
    assert sorted(run.metrics["trained"]["rank1"] for run in bounds_of(find_runs([tmp_path]).runs)) == [0.7, 0.8]
