"""Networks that a model is given ready trained: kept, found again, and checked for what they are wanted for."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from psnet.checkpoint import FORM, Begun, CheckpointError, before, load_part, newest, read_checkpoint
from psnet.configuration import build, own_sources
from psnet.data.manifest import Manifest
from psnet.differences import differences
from psnet.processes import alone, is_first, meet
from psnet.run_folder import take

log = logging.getLogger("psnet")

Settings = dict[str, Any]
"""A model's resolved configuration, plain values."""


class Needed(NamedTuple):
    """A network that a model is given ready trained.

    argument: of the task. part: its name in the checkpoint it comes from. given: the setting with a checkpoint's path.
    phase: the setting with the model that makes one, where none is given.
    """

    argument: str
    part: str
    given: str
    phase: str

    @property
    def in_student(self) -> bool:
        """It is trained on, so that it is in the model's own checkpoint too."""
        return self.argument == self.part


NEEDED = (Needed("teacher", "reid", "teacher_checkpoint", "teacher"), Needed("sr", "sr", "sr_checkpoint", "sr_start"))


def own_settings(model: Settings) -> Settings:
    """Without those of the phases before it."""
    return {key: value for key, value in model.items() if key not in {need.phase for need in NEEDED}}


_NOT_COMPARED = ("weights", "start_as_identity", "dropout", "checkpointing", "compile")
"""Of a network's settings: of its beginning, and of its training."""

_OF_THE_OPTIMISER = ("recipe.optimizer", "sr_lr", "recipe.frozen", "recipe.lr_factors", "recipe.average")
"""Settings whose state a checkpoint holds, weight by weight and rate by rate: that is what a run goes on with."""

_PACKAGE = Path(__file__).parent
_ROOMS = ("data", "models", "tasks", "losses.py")
"""What decides how a phase comes out."""

_UNTRAINABLE = "psnet.models.NoRestoration"


def settings_hash(settings: Settings) -> str:
    """Equal for phases that would come out equal.

    Args:
        settings: all that decides it but the code, which counts by itself: who edits a loss wants another teacher.
    """
    files = sorted(file for room in _ROOMS for file in ([_PACKAGE / room, *(_PACKAGE / room).rglob("*.py")]))
    files += own_sources(settings)
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()
    everything = json.dumps({**settings, "code": code, "form": FORM}, sort_keys=True)
    return hashlib.sha256(everything.encode()).hexdigest()[:12]


def without_idle_phases(model: Settings) -> Settings:
    """Without phases for a network that cannot be trained, as `sr_start` is beside net@model.sr=none."""
    idle = [need.phase for need in NEEDED if model.get(need.phase) and _is_idle(model[need.phase][need.part])]
    for phase in idle:
        log.info("%s: left out, as its network has nothing to train", phase)
    return {**model, **dict.fromkeys(idle)}


def has_restorer(model: Settings) -> bool:
    """One that can be trained."""
    return "sr" in model and not _is_idle(model["sr"])


def _is_idle(network: Settings) -> bool:
    return bool(network["_target_"] == _UNTRAINABLE)


def keep(folder: Path, name: str, make: Callable[[Begun | None], Path]) -> Path:
    """The checkpoint of a phase: found in its folder, or made and kept there.

    A phase that was killed goes on from its last epoch. Where another run is making it, this one waits.

    Args:
        make: trains in the folder, from where it was begun or from the start, and returns its checkpoint.
    """
    finished = folder / "model.ckpt"
    with alone(folder, name):
        if finished.is_file():
            log.info("%s: found, made with the same settings: %s", name, finished)
            return finished
        begun = newest(folder)
        if is_first():
            take(folder, begun)
        log.info("%s: %s it first, kept in %s", name, "going on with" if begun else "training", folder)
        try:
            made = make(begun)
        except (KeyboardInterrupt, SystemExit):
            log.warning("%s: stopped; the same command goes on with it", name)
            raise
        meet()
        if is_first():
            before(made).unlink(missing_ok=True)
            os.replace(made, finished)
        meet()
    return finished


def load_network(path: Path, part: str, wanted: Settings, manifest: Manifest) -> nn.Module:
    """The network `part` of a checkpoint, which must be what is wanted.

    Raises:
        CheckpointError: it has no such part, or one of another shape or for other people.
    """
    content = read_checkpoint(path)
    meta = content["psnet"]
    found = meta["model"].get(part)
    if found is None:
        raise CheckpointError(f"{path} holds {meta['model']['_target_']}, which has no {part}; give another checkpoint")
    differ = {key: pair for key, pair in differences(wanted, found).items() if key not in _NOT_COMPARED}
    if differ:
        raise CheckpointError(f"{path} does not fit as {part}: {_text(differ)}. Give one that fits, or none")
    if "num_classes" in wanted and meta["people"] != manifest.people_hash():
        raise CheckpointError(
            f"{path} was trained on other people than this run, so its classes are others. Give one that was trained "
            "on the same set and split, or none to train it"
        )
    if meta["data_hash"] != manifest.hash():
        log.warning("%s was trained on other data (hash %s) than this run", path, meta["data_hash"][:16])
    network: nn.Module = build({**wanted, "weights": None} if "weights" in wanted else wanted)
    load_part(network, content, part)
    return network


def check_resume(begun: Begun, now: Settings) -> None:
    """Refuse to go on with another model, optimiser, seed, data or weights to start from; say what else differs.

    Args:
        now: what the run that goes on would say of itself, see `psnet.record.meta_of`.
    """
    path, meta = begun.file, begun.meta
    if meta["data_hash"] != now["data_hash"]:
        raise CheckpointError(
            f"{path} was trained on other data (hash {meta['data_hash'][:16]}) than this run "
            f"(hash {now['data_hash'][:16]}); people to search for may have been trained on. "
            "Go on with the same dataset settings, or start without resume"
        )
    if meta["seed"] != now["seed"]:
        raise CheckpointError(
            f"{path} was begun with seed={meta['seed']}, and a run has one seed; say so, or start without resume"
        )
    differ = differences(now["model"], meta["model"])
    network = {key: pair for key, pair in differ.items() if key.startswith(("_target_", "reid.", "sr."))}
    refused = {key: pair for key, pair in network.items() if key.rpartition(".")[2] not in _NOT_COMPARED}
    if refused:
        raise CheckpointError(f"{path} is of another model: {_text(refused)}. Go on with the same model")
    state = {key: pair for key, pair in differ.items() if key.startswith(_OF_THE_OPTIMISER)}
    if state:
        raise CheckpointError(
            f"{path} holds the state of another optimiser: {_text(state)}. Go on with the same settings, or start "
            "without resume"
        )
    loaded_anew = tuple(name for need in NEEDED if not need.in_student for name in (need.given, f"{need.phase}."))
    starts = {key for key in differences(now["given"], meta["given"]) if not key.startswith(loaded_anew)}
    if starts:
        raise CheckpointError(
            f"{path} was started from other files than are now behind {', '.join(sorted(starts))}, and a run that goes "
            "on has its weights already. Name the files it was started from, or start without resume"
        )
    others = {key: pair for key, pair in differ.items() if key not in network and not key.endswith("_checkpoint")}
    phases = differences(now["phases"], meta["phases"])
    kept = tuple(need.phase for need in NEEDED if need.in_student)
    begun_with = {key: pair for key, pair in phases.items() if key.startswith(kept)}
    if begun_with:
        raise CheckpointError(
            f"{path} was begun with another restorer than these settings make, and has its weights already: "
            f"{_text(begun_with)}. Say the same, or start without resume"
        )
    others |= phases
    if others:
        log.warning("%s goes on with other settings: %s", path, _text(others))


def _text(differ: Mapping[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{key}={found} where {wanted} is wanted" for key, (wanted, found) in differ.items())
