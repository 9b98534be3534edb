"""What is said, and refused, of a model that is scored on other data than it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from psnet.data.manifest import Manifest, Row
from psnet.data.samples import DataError
from psnet.provenance import check_trained_images, notes_on_training

ROLES = ("train", "query", "gallery")


def a_set(people: dict[str, int], source: str = "VIPeR", rate: float = 2.0) -> Manifest:
    """One image of each of the people in each role of theirs."""
    rows = tuple(
        Row(f"{pid}.png", pid, 1, split, rate, "bicubic", 0, f"{source}{pid:060d}"[::-1], source=source)
        for split, first in people.items()
        for pid in (first, first + 1)
    )
    return Manifest(rows, {source: Path("/nowhere")})


TRAINED = a_set({"train": 1, "query": 5, "gallery": 5})


def meta(trained: Manifest = TRAINED, name: str = "mlr_viper", **more: Any) -> dict[str, Any]:
    return {
        "dataset": {"name": name},
        "joined": [],
        "data_hash": trained.hash(),
        "set_hash": trained.without_joined().hash(),
        "people": trained.people_hash(),
        "set_people": trained.without_joined().people_hash(),
        "trained_images": trained.train_digests(),
        **more,
    }


def test_the_data_of_training_need_no_words():
    check_trained_images(meta(), TRAINED, allow=False)
    assert notes_on_training(meta(), "mlr_viper", TRAINED) == []


def test_nor_do_they_where_others_were_joined():
    more = a_set({"train": 30}, source="CUHK01")
    joined = meta(TRAINED.joined(more, "cuhk01"), joined=["cuhk01"])
    check_trained_images(joined, TRAINED, allow=False)
    assert notes_on_training(joined, "mlr_viper", TRAINED) == []
    varied = a_set({"train": 1, "query": 5, "gallery": 5}, rate=8.0)
    (note,) = notes_on_training(joined, "mlr_viper", varied)
    assert note.startswith("Trained on mlr_viper + cuhk01, tested on mlr_viper with the same training people")


def test_other_rates_of_the_same_split():
    varied = a_set({"train": 1, "query": 5, "gallery": 5}, rate=8.0)
    check_trained_images(meta(), varied, allow=False)
    (note,) = notes_on_training(meta(), "mlr_viper", varied)
    assert note.startswith("Trained on mlr_viper, tested on mlr_viper with the same training people")


def test_another_set_is_called_another_set():
    other = a_set({"train": 1, "query": 5, "gallery": 5}, source="CAVIAR4REID")
    check_trained_images(meta(), other, allow=False)
    said = "A test across data sets: trained on mlr_viper, tested on caviar."
    assert notes_on_training(meta(), "caviar", other) == [said]


def test_another_split_is_refused():
    split = a_set({"train": 5, "query": 1, "gallery": 2})
    message = r"3 of the 4 query and gallery images were trained on by the checkpoint, e\.g\. 1\.png: .*protocol\.split"
    with pytest.raises(DataError, match=message + r".* or say allow_trained_images=true"):
        check_trained_images(meta(), split, allow=False)


def test_unless_it_is_allowed_and_then_said():
    split = a_set({"train": 5, "query": 1, "gallery": 2})
    check_trained_images(meta(), split, allow=True)
    first, second = notes_on_training(meta(), "mlr_viper", split)
    assert first.startswith("3 of the 4 query and gallery images were trained on, e.g. 1.png")
    assert "too good" in first
    assert "with other training people: another split, or another set of that name" in second


def test_the_same_images_under_another_name_are_noticed():
    copied = a_set({"train": 9, "query": 1, "gallery": 1})
    renamed = replace(copied, rows=tuple(replace(r, path=f"x/{r.path}", source="own") for r in copied.rows))
    with pytest.raises(DataError, match=r"4 of the 4 query and gallery images were trained on by .*, e\.g\. x/1\.png"):
        check_trained_images(meta(), renamed, allow=False)
