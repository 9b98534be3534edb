"""Which runs share a line, and what the line says of them."""

from __future__ import annotations

import statistics
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from psnet.data.protocol import VARIANTS, MLRProtocol
from psnet.table.blocks import Block, build_blocks, note
from psnet.table.lines import Line, build_lines
from psnet.table.published import TITLES, read_published
from psnet.table.remarks import remarks_on
from psnet.table.runs import find_runs
from psnet.table.sections import protocol_words
from psnet.table.settings import beyond_the_paper
from tests.table.examples import PROTOCOL, data_hash, write


def lines_of(folder: Path) -> list[Line]:
    return build_lines(find_runs([folder]).runs, list(TITLES))[0]


def only_block(folder: Path) -> Block:
    (block,) = build_blocks(lines_of(folder), [])
    return block


def test_splits_and_seeds_share_a_line(tmp_path: Path):
    values = {(0, 0): 0.41, (0, 1): 0.44, (1, 0): 0.395, (1, 1): 0.47, (7, 0): 0.5}
    for (split, seed), value in values.items():
        write(tmp_path / f"{split}-{seed}", "ID", value, split, seed, model__reid__num_classes=316 - split)
    (line,) = lines_of(tmp_path)
    assert (line.splits, line.seeds, len(line.runs)) == ([0, 1, 7], [0, 1], 5)
    for name, shift in (("rank1", 0), ("rank5", 0.2), ("rank10", 0.3)):
        found = line.figure(name)
        assert found is not None
        assert found.mean == pytest.approx(statistics.mean(values.values()) + shift, abs=1e-12)
        assert found.std == pytest.approx(statistics.stdev(values.values()), abs=1e-12)
    chance = line.figure("rank1", "chance")
    assert chance is not None
    assert chance.mean == pytest.approx(1 / 316)
    at_4 = line.rank1_per_rate()[4.0]
    assert at_4 is not None
    assert at_4.mean == pytest.approx(statistics.mean(values.values()) / 2)
    assert line.psnr_gain_per_rate() == {}


def test_one_run_has_no_deviation(tmp_path: Path):
    write(tmp_path, "ID+SR", 0.4)
    (line,) = lines_of(tmp_path)
    found = line.figure("mAP")
    assert found is not None
    assert (found.mean, found.std, found.size) == (0.2, None, 1)
    gains = line.psnr_gain_per_rate()
    assert [gains[rate].mean for rate in (2.0, 3.0, 4.0)] == pytest.approx([1 / 2, 1 / 3, 1 / 4])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("model__ps_weight", 0.2, ("ps_weight=0.5", "ps_weight=0.2")),
        ("model__reid__backbone", "resnet50", ("reid.backbone=hrnet_w18_small", "reid.backbone=resnet50")),
        ("phases__teacher__view", "low", ("phases.teacher.view=high", "phases.teacher.view=low")),
        ("weights", "ImageNet", ("weights=random", "weights=ImageNet")),
        ("trained_on", ["mlr_viper", "cuhk01"], ('trained_on=["mlr_viper"]', 'trained_on=["mlr_viper","cuhk01"]')),
        ("repeats", 100, ("repeats=1", "repeats=100")),
        ("camera_rule", False, ("camera_rule=true", "camera_rule=false")),
        ("protocol__rates", [8], ("protocol.rates=[2,3,4]", "protocol.rates=[8]")),
        ("image_size", [256, 128], ("image_size=[128,64]", "image_size=[256,128]")),
        ("epochs", 40, ("epochs=30", "epochs=40")),
        ("set", "other", ("set=VIPeR", "set=other")),
        ("source__reader__labeled", True, ("source.reader.labeled=null", "source.reader.labeled=true")),
        ("training__limit_train_batches", 2, ("training.limit_train_batches=null", "training.limit_train_batches=2")),
        ("training__same_batch", True, ("training.same_batch=false", "training.same_batch=true")),
    ],
)
def test_another_setting_is_another_line_and_said(tmp_path: Path, setting: str, value: Any, said: tuple[str, str]):
    write(tmp_path / "a", "ID+SR+PS", 0.4)
    write(tmp_path / "b", "ID+SR+PS", 0.5, 1, **{setting: value, **({"steps": 800} if setting == "epochs" else {})})
    block = only_block(tmp_path)
    assert {note(line, block) for line in block.lines} == set(said)


def test_what_follows_from_another_setting_is_said_once(tmp_path: Path):
    write(tmp_path / "a", "ID+SR+PS")
    changed = {"model__reid__backbone": "resnet50", "phases__teacher__reid__backbone": "resnet50"}
    write(tmp_path / "b", "ID+SR+PS", **changed)
    block = only_block(tmp_path)
    assert [note(line, block) for line in block.lines] == ["reid.backbone=hrnet_w18_small", "reid.backbone=resnet50"]


def test_a_long_note_is_cut_but_not_in_full(tmp_path: Path):
    write(tmp_path / "a")
    write(
        tmp_path / "b",
        weights="ImageNet",
        model__margin=1,
        model__reid__dropout=0,
        model__reid__backbone="x",
        epochs=31,
        steps=620,
    )
    block = only_block(tmp_path)
    assert note(block.lines[0], block).endswith("and 1 more")
    assert note(block.lines[0], block, shown=None).count("=") == 5


@pytest.mark.parametrize(
    "more",
    [
        {"model__teacher_checkpoint": "/elsewhere/last.ckpt"},
        {"model__reid__weights": "/elsewhere/w32.pth"},
        {"protocol__rates": [2.0, 3.0, 4.0]},
        {"shots": "multi", "repeats": 7},
    ],
)
def test_paths_and_the_writing_of_numbers_do_not_matter(tmp_path: Path, more: dict[str, Any]):
    here = {name: value.replace("elsewhere", "here") for name, value in more.items() if isinstance(value, str)}
    origins = {"teacher_checkpoint": "trained on the same data", "reid.weights": "w32.pth"}
    same = {"weights": "w32.pth", "origins": origins, "shots": more.get("shots", "single")}
    write(tmp_path / "a", "ID+SR+PS", 0.4, 0, **{**here, **same})
    write(tmp_path / "b", "ID+SR+PS", 0.4, 1, **{**more, **same})
    assert len(lines_of(tmp_path)) == 1


def test_single_and_multi_shot_are_never_together(tmp_path: Path):
    write(tmp_path / "a", "ID", 0.4)
    write(tmp_path / "b", "ID", 0.9, shots="multi")
    blocks = build_blocks(lines_of(tmp_path), read_published())
    assert [(block.shots, len(block.lines)) for block in blocks] == [("single", 1), ("multi", 1)]
    assert {one.shots for one in blocks[0].published} == {"single"}
    assert blocks[1].published == ()


def test_other_data_are_another_line_which_says_whose_and_what_differs(tmp_path: Path):
    for seed in range(3):
        write(tmp_path / f"whole{seed}", "ID", 0.4, 3, seed)
    write(tmp_path / "other_split", "ID", 0.4, 4)
    changed = {"data_hash": "f" * 64, "model__reid__num_classes": 315, "revision": "zzz"}
    write(tmp_path / "partial", "ID", 0.9, 3, 9, **changed)
    block = only_block(tmp_path)
    assert [len(line.runs) for line in block.lines] == [4, 1]
    assert note(block.lines[1], block) == "data hash ffffffffffff"
    (remark,) = [text for text in remarks_on([block]) if "Different data" in text]
    assert "at split 3: line 1 (" in remark
    assert "whole0" in remark
    assert "against line 2 (" in remark
    assert "partial)" in remark
    assert "other_split" not in remark
    assert f"data_hash={data_hash('mlr_viper 3')[:12]} / ffffffffffff" in remark
    assert "model.reid.num_classes=316 / 315" in remark
    assert "revision=abc / zzz" in remark


def test_two_machines_with_other_files_make_two_lines_not_a_mixture(tmp_path: Path):
    """Each has run all splits; in the order of time they alternate."""
    for split in range(4):
        for machine, minute in (("here", split % 2), ("there", 1 - split % 2)):
            more = {"data_hash": data_hash(f"{machine} {split}"), "versions__torch": machine}
            write(tmp_path / machine / str(split), split=split, finished=f"2026-11-25T1{split}:0{minute}:00", **more)
    lines = lines_of(tmp_path)
    machines = [{run.record["versions"]["torch"] for run in line.runs} for line in lines]
    assert sorted(map(sorted, machines)) == [["here"], ["there"]]
    assert [line.splits for line in lines] == [[0, 1, 2, 3]] * 2


def test_rows_on_different_data_are_named_too(tmp_path: Path):
    write(tmp_path / "a", "ID")
    write(tmp_path / "b", "ID+SR", data_hash="e" * 64)
    remarks = " ".join(remarks_on([only_block(tmp_path)]))
    assert "Different data under one protocol at split 0: line 1 (" in remarks
    assert "model.sr" not in remarks


def test_of_a_run_found_twice_the_later_counts_and_this_is_said(tmp_path: Path):
    write(tmp_path / "late", "ID", 0.6, finished="2026-11-26T09:00:00")
    write(tmp_path / "middle", "ID", 0.5, finished="2026-11-25T23:00:00+00:00")
    write(tmp_path / "early", "ID", 0.1, finished="2026-11-24T09:00:00")
    lines, remarks = build_lines(find_runs([tmp_path]).runs, [])
    assert [run.path.parent.name for run in lines[0].runs] == ["late"]
    assert [dataset for dataset, _ in remarks] == ["mlr_viper"] * 2
    assert "middle counts, being the later" in remarks[0][1]
    assert "early does not" in remarks[0][1]
    assert "late counts" in remarks[1][1]


def test_a_run_that_stopped_is_a_line_of_its_own_and_named(tmp_path: Path):
    write(tmp_path / "whole", "ID", 0.6)
    write(tmp_path / "half", "ID", 0.2, 1, epochs=12, steps=240)
    write(tmp_path / "cut", "ID", 0.3, 2, steps=590)
    block = only_block(tmp_path)
    notes = [note(line, block) for line in block.lines]
    assert notes[0] == ""
    assert set(notes[1:]) == {"stopped at epoch 12 of 30", "stopped at step 590, within epoch 30"}
    remarks = remarks_on([block])
    assert any("stopped at epoch 12 of 30, before its recipe ends" in text and "half" in text for text in remarks)


def test_runs_that_patience_ended_share_a_line(tmp_path: Path):
    for split, epochs in enumerate((12, 15, 21)):
        more = {"model__recipe__patience": 3, "epochs": epochs, "steps": 20 * epochs, "ended_by_patience": True}
        write(tmp_path / f"{split}", "ID", 0.4, split, **more)
    write(tmp_path / "to_the_end", "ID", 0.4, 3, **more | {"epochs": 30, "steps": 600, "ended_by_patience": False})
    write(tmp_path / "killed", "ID", 0.9, 4, **more | {"ended_by_patience": False})
    block = only_block(tmp_path)
    assert [(line.splits, line.stopped) for line in block.lines] == [
        ([0, 1, 2, 3], ""),
        ([4], "stopped at epoch 21 of 30"),
    ]
    assert "Line 1: patience ended 3 of its 4 runs, after 12 to 21 epochs." in remarks_on([block])


def test_runs_of_an_older_version_say_so(tmp_path: Path):
    write(tmp_path / "a", "ID")
    write(tmp_path / "b", "ID", 0.3, 1, training={})
    block = only_block(tmp_path)
    said = [text for text in remarks_on([block]) if "an older version" in text]
    (number,) = [line.number for line in block.lines if line.splits == [1]]
    assert said == [f"Line {number} was trained by an older version, which does not say by how many processes."]


def test_another_protocol_than_the_published_is_said(tmp_path: Path):
    write(tmp_path / "a", "ID", protocol={**PROTOCOL, "test_rates": [8], "degradation": "realistic"})
    write(tmp_path / "b", "ID", 0.3)
    (block,) = build_blocks(lines_of(tmp_path), [one for one in read_published() if one.shots == "single"])
    said = [text for text in remarks_on([block]) if "another protocol" in text]
    (number,) = [line.number for line in block.lines if line.settings["protocol"].get("test_rates")]
    beyond = "test_rates=[8], degradation=realistic"
    assert said == [f"Line {number} is of another protocol than the published figures: {beyond}."]
    words = {line.number: protocol_words(line) for line in block.lines}
    assert "; test_rates=[8]; degradation=realistic; " in words.pop(number)
    assert "test_rates" not in "".join(words.values())


def test_what_is_usual_is_what_the_protocol_begins_with():
    begins = {field.name: field.default for field in fields(MLRProtocol)}
    named = {word.partition("=")[0]: word for word in beyond_the_paper({"protocol": dict.fromkeys(begins, "x")})}
    assert {*VARIANTS, "rates", "interpolation"} == {*named}
    usual = {name: list(value) if isinstance(value, tuple) else value for name, value in begins.items()}
    assert beyond_the_paper({"protocol": usual}) == []


def test_people_who_were_trained_on(tmp_path: Path):
    write(tmp_path / "own", "ID", 0.4, data_hash_in_training="a" * 64)
    write(tmp_path / "across", "ID", 0.4, data_hash_in_training="a" * 64, trained_on=["mlr_cuhk01"])
    write(tmp_path / "honest", "ID", 0.4)
    block = only_block(tmp_path)
    assert len(block.lines) == 3
    remarks = [text for text in remarks_on([block]) if "scored on other data" in text]
    assert sorted(text.rpartition(": ")[2] for text in remarks) == [
        "across sets.",
        "another split or protocol of the same set.",
    ]
    assert not any("too good" in text for text in remarks_on([block]))
    write(tmp_path / "leaked", "ID", 0.9, seed=1, searched_and_trained_on=12)
    (leak,) = [text for text in remarks_on([only_block(tmp_path)]) if "too good" in text]
    assert "up to 12 in" in leak
    assert "leaked" in leak


def test_where_a_run_started_from_counts_and_not_the_file_s_name(tmp_path: Path):
    """Given files are the same start if they were trained on the same, at whatever path; also those of phases."""
    old, new = "trained on a (9 images, hash 1)", "trained on a (9 images, hash 2)"
    for seed, path, words in ((0, "a.ckpt", old), (1, "b.ckpt", old), (2, "a.ckpt", new)):
        settings = {"model__sr_checkpoint": path, "phases__teacher__reid__weights": path}
        origins = {"sr_checkpoint": "trained on the same data", "teacher.reid.weights": words}
        write(tmp_path / str(seed), "ID+SR+PS", 0.4, seed=seed, origins=origins, **settings)
    lines = only_block(tmp_path).lines
    assert sorted(len(line.runs) for line in lines) == [1, 2]
    assert {line.settings["phases"]["teacher"]["reid"]["weights"] for line in lines} == {old, new}
    assert {line.settings["model"]["sr_checkpoint"] for line in lines} == {"trained on the same data"}


def test_other_joined_data_are_another_line(tmp_path: Path):
    for seed, joined in enumerate(("a" * 64, "b" * 64, "a" * 64)):
        write(tmp_path / str(seed), "ID", 0.4, seed=seed, trained_on=["mlr_viper", "more"], joined_hash=joined)
    assert sorted(len(line.runs) for line in only_block(tmp_path).lines) == [1, 2]


def test_mixed_makes_are_named(tmp_path: Path):
    write(tmp_path / "a", split=0)
    write(tmp_path / "b", split=1, precision="bf16-mixed", versions__torch="2.7")
    remarks = remarks_on([only_block(tmp_path)])
    assert "Line 1 mixes precision: 32-true; bf16-mixed." in remarks
    assert any("versions: torch 2.6, psnet 0.1.0; torch 2.7" in text for text in remarks)
    assert not any("revision" in text for text in remarks)


def test_the_order_is_that_of_the_paper(tmp_path: Path):
    for number, row in enumerate(("SR", "bound", "ID+SR+PS", "ID", "new", "ID+SR")):
        known = row if row in ("bound", "ID+SR+PS", "ID", "ID+SR") else "other"
        write(tmp_path / f"v{number}", known, dataset="mlr_viper")
        text = (tmp_path / f"v{number}" / "metrics.json").read_text()
        (tmp_path / f"v{number}" / "metrics.json").write_text(text.replace('"row": "other"', f'"row": "{row}"'))
    write(tmp_path / "c", dataset="abc")
    write(tmp_path / "m", dataset="mlr_market", shots="multi")
    found = [(line.dataset, line.row, line.number) for line in lines_of(tmp_path)]
    rows = ["ID", "ID+SR", "ID+SR+PS", "bound", "SR", "new"]
    expected = [("mlr_market", "ID", 1), *(("mlr_viper", row, n) for n, row in enumerate(rows, start=2))]
    assert found == [*expected, ("abc", "ID", 8)]
