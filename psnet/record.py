"""What a run was, as plain values: what a checkpoint says of itself, and what metrics.json says of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from psnet.checkpoint import FORM, git_revision, is_checkpoint, read_checkpoint, versions
from psnet.data.manifest import Manifest
from psnet.phases import NEEDED, Settings, own_settings

WEIGHTS = "reid.weights"
"""The setting that names what re-identification starts from."""

OF_THE_TRAINER = ("sync_batchnorm", "max_epochs", "max_steps", "limit_train_batches", "overfit_batches")
"""Its settings that decide how much is learnt. The recipe has the others; how many processes there are is known when
they are."""

_OF_THIS_MACHINE = ("root", "path", "cache", "partitions")
"""Settings of readers that say where files lie. Which they are is known by the data hash."""


def meta_of(cfg: DictConfig, manifest: Manifest, model: Settings) -> Settings:
    """What a checkpoint says of itself. The data set's paths stay as written, so that they fit another machine.

    Args:
        cfg: the whole configuration. model: what is trained, resolved; a phase of the run, or the run's own.
    """
    given = given_checkpoints(model)
    images = set(manifest.train_digests()).union(*(meta["trained_images"] for meta in given.values()))
    return {
        "form": FORM,
        "model": own_settings(model),
        "phases": _phases(model, given),
        "weights": weights_of(model, given.get(WEIGHTS)),
        "origins": origins_of(model, given, manifest),
        "given": given_digests(model),
        "dataset": OmegaConf.to_container(cfg.dataset, resolve=False),
        "joined": list(cfg.join),
        "data_hash": manifest.hash(),
        "set_hash": manifest.without_joined().hash(),
        "joined_hash": manifest.joined_alone().hash() if cfg.join else "",
        "people": manifest.people_hash(),
        "set_people": manifest.without_joined().people_hash(),
        "trained_images": sorted(images),
        "num_classes": len(manifest.train_labels()),
        "training": _training_of(cfg),
        "seed": cfg.seed,
        "versions": versions(),
        "git_revision": git_revision(),
    }


def _training_of(cfg: DictConfig) -> Settings:
    trainer: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    return {"same_batch": cfg.same_batch, **{name: trainer.get(name) for name in OF_THE_TRAINER}}


def given_files(model: Settings, prefix: str = "") -> dict[str, Path]:
    """The files that a model and the phases before it start from, by the setting that names each."""
    named = {need.given: model.get(need.given) for need in NEEDED}
    weights = model.get("reid", {}).get("weights")
    named[WEIGHTS] = None if weights == "imagenet" else weights
    files = {prefix + setting: Path(path) for setting, path in named.items() if path is not None}
    for need in NEEDED:
        if model.get(need.phase) and not model.get(need.given):
            files |= given_files(model[need.phase], f"{prefix}{need.phase}.")
    return files


def given_checkpoints(model: Settings) -> dict[str, Settings]:
    """What each checkpoint of ours that a model starts from says of itself; weights may also be an official file."""
    files = given_files(model)
    return {
        setting: read_checkpoint(file)["psnet"]
        for setting, file in files.items()
        if not setting.endswith(WEIGHTS) or is_checkpoint(file)
    }


def given_digests(model: Settings) -> dict[str, str]:
    """sha256 of the files that a model starts from: another file of the same name is another start.

    One that is not there is left for its reader to complain of.
    """
    files = {setting: file for setting, file in given_files(model).items() if file.is_file()}
    return {setting: hashlib.sha256(file.read_bytes()).hexdigest() for setting, file in files.items()}


def given_now(cfg: DictConfig) -> dict[str, str]:
    """`given_digests` of the model in a configuration, before the data are known."""
    model: Any = OmegaConf.to_container(cfg.model, resolve=True)
    return given_digests(model)


def weights_of(model: Settings, meta: Settings | None) -> str:
    """Where re-identification started from, in words.

    Args:
        meta: of the checkpoint of ours that it started from, if it is one.
    """
    weights = model.get("reid", {}).get("weights")
    if meta is None:
        return {None: "random", "imagenet": "ImageNet"}.get(weights) or Path(weights).name
    return _training(meta)


def origins_of(model: Settings, given: Mapping[str, Settings], manifest: Manifest) -> dict[str, str]:
    """What each file that a model starts from has been trained on, in words, by the setting that names the file.

    Equal words mean equal origins, whatever the files are called. A checkpoint of the very data of this run, as a
    teacher is, says so, and is thus the same for each split.

    Args:
        given: `given_checkpoints`. manifest: of this run.
    """
    origins = {}
    for setting, file in given_files(model).items():
        meta = given.get(setting)
        if meta is None:
            origins[setting] = file.name
        else:
            same = meta["data_hash"] == manifest.hash()
            origins[setting] = "trained on the same data" if same else _training(meta)
    for need in NEEDED:  # a phase that is given has origins of its own
        earlier = given[need.given]["origins"] if need.given in given else {}
        origins |= {f"{need.phase}.{setting}": words for setting, words in earlier.items()}
    return origins


def _training(meta: Settings) -> str:
    sets = " + ".join([meta["dataset"]["name"], *meta["joined"]])
    return f"trained on {sets} ({len(meta['trained_images']):,} images, hash {meta['data_hash'][:12]})"


def _phases(model: Settings, given: Mapping[str, Settings]) -> Settings:
    """The models that came before, as they were set, wherever they come from."""
    phases = {need.phase: model.get(need.phase) for need in NEEDED}
    phases |= {need.phase: given[need.given]["model"] for need in NEEDED if need.given in given}
    return {name: settings for name, settings in phases.items() if settings}


def run_of(content: Settings, dataset: DictConfig, manifest: Manifest, precision: str) -> Settings:
    """What metrics.json says of a run: all that decides whether two runs may share a line of a table.

    Sets that were joined in training are not needed to evaluate, so data hashes are of the set alone, and theirs is
    another.

    Args:
        content: of the checkpoint. dataset, manifest, precision: of the evaluation.
    """
    meta = content["psnet"]
    source = _source(dataset)
    protocol = source.pop("protocol")
    return {
        "row": row_of(meta["model"], meta["phases"]),
        "dataset": dataset.name,
        "set": next(iter(manifest.roots)),
        "source": source,
        "split": protocol.pop("split"),
        "seed": meta["seed"],
        "shots": dataset.shots,
        "repeats": dataset.repeats,
        "camera_rule": dataset.source.camera_rule,
        "protocol": protocol,
        "data_hash": manifest.without_joined().hash(),
        "trained_on": [meta["dataset"]["name"], *meta["joined"]],
        "data_hash_in_training": meta["set_hash"],
        "joined_hash": meta["joined_hash"],
        "searched_and_trained_on": len(manifest.trained_on(meta["trained_images"])),
        "weights": meta["weights"],
        "origins": meta["origins"],
        "given": meta["given"],
        "model": meta["model"],
        "phases": meta["phases"],
        "training": meta.get("training", {}),  # checkpoints of before do not say
        "image_size": list(meta["model"]["recipe"]["image_size"]),
        "epochs": min(content["epoch"] + 1, meta["model"]["recipe"]["epochs"]),  # one more where none was left
        "steps": content["global_step"],
        "ended_by_patience": ended_by_patience(content),
        "precision": precision,
        "revision": meta["git_revision"],
        "versions": meta["versions"],
        "finished": datetime.now().isoformat(timespec="seconds"),
    }


def _source(dataset: DictConfig) -> Settings:
    """All that makes the set of files, but where they lie."""
    source: Any = OmegaConf.to_container(dataset.source, resolve=True)
    for name in ("camera_rule", "manifest"):  # which has a place of its own; which makes what the data hash says
        source.pop(name, None)
    source["reader"] = {name: value for name, value in source["reader"].items() if name not in _OF_THIS_MACHINE}
    return source


def ended_by_patience(content: Settings) -> bool:
    """Of a checkpoint: its training had waited for something better as long as its recipe says."""
    states = [state for name, state in content.get("callbacks", {}).items() if name.startswith("Patience")]
    return any(state["wait_count"] >= state["patience"] for state in states)


def row_of(model: Settings, phases: Settings) -> str:
    """The row of the paper's table that a model is: ID, ID+SR, ID+SR+PS; "bound" of the teacher, which sees sharp
    images; SR of restoration alone."""
    if "reid" not in model:
        return "SR"
    if model.get("view") == "high":
        return "bound"
    restores = "sr" in model and not model["sr"]["_target_"].endswith("NoRestoration")
    follows = "teacher" in phases and model["ps_weight"] > 0
    return "ID" + "+SR" * restores + "+PS" * follows
