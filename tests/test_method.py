"""Both ways of what the source of the method leaves open: see the last table of docs/method.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

import train as main_job
from psnet.assembly import build_task
from psnet.checkpoint import AtomicCheckpointIO
from psnet.configuration import SettingsError, build, build_manifest
from psnet.data.manifest import Manifest
from psnet.differences import differences
from psnet.models import HRNetReID
from psnet.record import meta_of
from psnet.tasks import PSHRNet, SuperResolution
from tests.composed import composed
from tests.data import trees

SMALL = [
    "model.reid.backbone=hrnet_w18_small",
    "model.reid.weights=null",
    "model.sr.blocks=1",
    "model.recipe.image_size=[64,32]",
    "model.recipe.batch.identities=2",
    "model.recipe.batch.images=2",
    "loader.workers=0",
]


def job(manifest: Manifest, *overrides: str) -> tuple[main_job.Run, dict[str, Any]]:
    """A run on a data set, and its model's settings, as `train.train` has them."""
    cfg = composed(*SMALL, *overrides)
    run = main_job.Run(cfg, manifest, cfg.resume and Path(cfg.resume))
    return run, main_job.model_of(run)


@pytest.mark.parametrize(("settings", "length"), [([], 6144), (["model.reid.pool_sizes=[4,3,2,1]"], 7424)])
def test_the_second_branch_pooled_by_two_or_three(settings: list[str], length: int):
    """FC1 follows, of the student and of the teacher."""
    cfg = composed("model=ps_hrnet", *SMALL, *settings, "model.reid.num_classes=3")
    for node in (cfg.model.reid, cfg.model.teacher.reid):
        network = build(node)
        assert network.fc1.in_features == length
        with torch.no_grad():
            assert network.eval()(torch.rand(1, 3, 64, 64)).pooled.shape == (1, length)


def test_epochs_of_phase_1_are_its_own():
    for settings, expected in ([], 71), (["model.teacher.recipe.epochs=120"], 120):
        cfg = composed("model=ps_hrnet", *settings)
        assert build(cfg.model.teacher.recipe).epochs == expected
        assert build(cfg.model.recipe).epochs == 71


def test_the_restorer_trained_jointly_or_first():
    assert composed("model=ps_hrnet").model.sr_start is None
    model: Any = OmegaConf.to_container(composed("model=ps_hrnet", "+model@model.sr_start=vdsr_ca").model, resolve=True)
    first = model["sr_start"]
    assert not differences(first["sr"], model["sr"])
    assert first["recipe"]["image_size"] == model["recipe"]["image_size"]
    assert isinstance(build_task(first, build(first["recipe"])), SuperResolution)


@pytest.fixture
def teacher(tiny: Manifest, tmp_path: Path) -> tuple[HRNetReID, list[str]]:
    """A network, and the settings that give it as the teacher."""
    run, model = job(tiny, "model=ps_hrnet")
    torch.manual_seed(5)
    network: HRNetReID = build(model["teacher"]["reid"])
    state = {f"reid.{key}": value.clone() for key, value in network.state_dict().items()}
    content = {"state_dict": state, "psnet": meta_of(run.cfg, run.manifest, model["teacher"])}
    AtomicCheckpointIO().save_checkpoint(content, tmp_path / "teacher.ckpt")
    return network, ["model=ps_hrnet", f"model.teacher_checkpoint={tmp_path / 'teacher.ckpt'}"]


@pytest.mark.parametrize("from_teacher", [False, True])
def test_where_the_student_starts(teacher: tuple[HRNetReID, list[str]], tiny: Manifest, from_teacher: bool):
    network, given = teacher
    run, model = job(tiny, *given, *(["model.student_from_teacher=true"] if from_teacher else []))
    task, _, _ = main_job.build_phase(run, model, **main_job.build_parts(run, model))
    assert isinstance(task, PSHRNet)
    same = [torch.equal(value, network.state_dict()[key]) for key, value in task.reid.state_dict().items()]
    assert all(same) == from_teacher
    assert all(p.requires_grad for p in task.reid.parameters())
    (frozen,) = task._teacher
    assert torch.equal(frozen.fc1.weight, network.fc1.weight)
    assert frozen.fc1.weight.data_ptr() != task.reid.fc1.weight.data_ptr()
    assert not any(p.requires_grad for p in frozen.parameters())


def test_a_run_that_goes_on_does_not_start_from_the_teacher_again(teacher: tuple[HRNetReID, list[str]], tiny: Manifest):
    run, model = job(tiny, *teacher[1], "model.student_from_teacher=true", "resume=last.ckpt")
    assert set(main_job.build_parts(run, model)) == {"teacher"}


def test_a_student_cannot_start_from_no_teacher(tiny: Manifest):
    run, model = job(tiny, "model=ps_hrnet", "model.student_from_teacher=true", "model.teacher=null")
    with pytest.raises(SettingsError, match=r"model\.student_from_teacher=true: there is no teacher"):
        main_job.check(run, model)


@pytest.mark.parametrize(
    ("settings", "camera", "interpolation"),
    [
        ([], 3, "bicubic"),
        (["dataset.source.protocol.low_cameras=[1]"], 1, "bicubic"),
        (["dataset.source.protocol.interpolation=bilinear"], 3, "bilinear"),
    ],
)
def test_the_low_camera_and_the_interpolation(drawn: Path, settings: list[str], camera: int, interpolation: str):
    size = [f"dataset.source.reader.{x}" for x in ("identities=8", "images_per_camera=2", "height=64", "width=32")]
    own = [f"dataset.source.reader.root={drawn}", "dataset.source.protocol.train_identities=4", *size]
    manifest = build_manifest(composed("dataset=mlr_synthetic", *own, *settings).dataset)
    low = [row for row in manifest.rows if row.is_low]
    assert {(row.camid, row.degradation) for row in low} == {(camera, interpolation)}
    assert len(low) == 8 * 2


CAVIAR = ["dataset=caviar", "dataset.source.protocol.train_identities=4", "model=hrnet_reid_sr"]


def test_caviar_has_sharp_images_made_low_once_anew_or_never(tmp_path: Path):
    """Images that are low as they are have no twin in any case, and stay as they are."""
    root = f"dataset.source.reader.root={trees.caviar(tmp_path, two_cameras=6)}"
    kinds: dict[str, list[set[bool]]] = {}
    ways = {
        "once": [],
        "anew": ["model.recipe.rates_anew=true"],
        "never": ["dataset.source.protocol.train_low_share=0"],
    }
    for way, settings in ways.items():
        manifest = build_manifest(composed(root, *CAVIAR, *settings).dataset)
        _, _, data = main_job.build_phase(*job(manifest, root, *CAVIAR, *settings))
        native = [i for i, row in enumerate(data.train_data.rows) if row.native_low]
        sharp = [i for i, row in enumerate(data.train_data.rows) if not row.native_low]
        assert (len(native), len(sharp)) == (40, 40)
        assert not any(data.train_data[i, seed].has_high for i in native[:5] for seed in range(3))
        assert all(data.train_data[i, seed].has_high for i in sharp[:5] for seed in range(3))
        kinds[way] = [{bool(data.train_data[i, seed].is_low) for seed in range(12)} for i in sharp[:20]]
    assert {True} in kinds["once"]
    assert {False} in kinds["once"]
    assert {True, False} not in kinds["once"]
    assert kinds["anew"].count({True, False}) > 15
    assert kinds["never"] == [{False}] * 20
