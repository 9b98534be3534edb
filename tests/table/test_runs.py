"""Which metrics.json count, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from psnet.table.runs import TableError, find_runs, read_run
from tests.table.examples import content, write


def test_each_run_is_found_once_wherever_it_lies(tmp_path: Path):
    write(tmp_path / "a")
    write(tmp_path / "sweep" / "deep" / "b", split=1)
    found = find_runs([tmp_path, tmp_path / "sweep", tmp_path / "a"])
    assert [run.path.parent.name for run in found.runs] == ["a", "b"]
    assert found.left_out == []


def test_a_folder_without_runs_is_an_error(tmp_path: Path):
    write(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match=r"no metrics\.json in .*empty"):
        find_runs([tmp_path / "a", tmp_path / "empty"])
    with pytest.raises(TableError, match=r"there is no folder .*nowhere"):
        find_runs([tmp_path / "nowhere"])


def test_nothing_but_broken_ones_is_an_error(tmp_path: Path):
    (tmp_path / "metrics.json").write_text('{"metrics": {}, "facts": {}}')
    with pytest.raises(TableError, match=r"none of 1 metrics\.json can be used.*no key \"run\""):
        find_runs([tmp_path])


def broken(name: str, value: Any) -> str:
    whole = content("ID+SR")
    *path, last = name.split(".")
    place: Any = whole
    for part in path:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ("[1]", 'no key "run"'),
        ('{"metrics": {}, "run": 3}', '"run" and "metrics" must be objects'),
        (broken("run.split", "3"), "run.split='3' must be of type int"),
        (broken("run.seed", True), "run.seed=True must be of type int"),
        (broken("run.data_hash", None), "run.data_hash=None must be of type str"),
        (broken("run.shots", "double"), "run.shots='double' must be single or multi"),
        (broken("run.finished", "yesterday"), "run.finished='yesterday' is no time"),
        (broken("run.image_size", [128]), "must be height and width"),
        (broken("run.model.recipe", {}), "run.model.recipe.epochs=None"),
        (broken("run.model.reid", "hrnet"), "run.model.reid='hrnet' must be settings"),
        (broken("metrics.trained", {}), 'no figures of "trained"'),
        (broken("metrics.trained.rank1", 48.7), "trained: rank1=48.7 must be a fraction"),
        (broken("metrics.trained.mAP", float("nan")), "trained: mAP=nan"),
        (broken("metrics.per_rate.0.rank1", "x"), "per_rate: rank1='x'"),
        (broken("metrics.per_rate.0.rate", None), "per_rate must be a list with a rate each"),
        (broken("metrics.restoration.1.psnr_restored", None), "psnr_restored=None must be decibels"),
    ],
)
def test_a_broken_file_is_named_with_its_reason(tmp_path: Path, text: str, reason: str):
    write(tmp_path / "whole")
    (tmp_path / "metrics.json").write_text(text)
    found = find_runs([tmp_path])
    assert [run.name for run in found.runs] == [(tmp_path / "whole").as_posix()]
    ((file, said),) = found.left_out
    assert file == tmp_path / "metrics.json"
    assert reason in said


def test_bytes_that_are_no_text(tmp_path: Path):
    write(tmp_path / "whole")
    (tmp_path / "metrics.json").write_bytes(b"\xff\xfe\x00")
    assert "it is not JSON" in find_runs([tmp_path]).left_out[0][1]


@pytest.mark.parametrize(
    ("epochs", "steps", "stopped"),
    [
        (30, 600, ""),
        (12, 240, "stopped at epoch 12 of 30"),
        (30, 590, "stopped at step 590, within epoch 30"),
        (40, 800, ""),
        (0, 0, "stopped at epoch 0 of 30"),
    ],
)
def test_where_it_stopped(tmp_path: Path, epochs: int, steps: int, stopped: str):
    assert read_run(write(tmp_path, epochs=epochs, steps=steps) / "metrics.json").stopped == stopped
