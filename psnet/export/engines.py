"""A model in other forms, each compared with its checkpoint before it takes its place in the model's folder."""

from __future__ import annotations

import logging
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from psnet.atomic import WriteError
from psnet.data.images import as_unit, stack
from psnet.data.preprocess import Preprocess
from psnet.embedder import Embedder
from psnet.embedder.given import Listing, Loaded
from psnet.engines import EngineError, TorchEngine
from psnet.engines.exported import ExportedEngine
from psnet.engines.graph import traced
from psnet.engines.kept import FILES, Check, keep
from psnet.engines.onnx_file import write_onnx
from psnet.engines.opening import OPENERS
from psnet.engines.openvino_file import write_int8, write_openvino
from psnet.engines.pt2_file import write_pt2
from psnet.export.check import MOST_IMAGES, NEAREST, Labelled, change, compared, scored

log = logging.getLogger("psnet")

EXACT = 1e-4
"""The largest 1 - cos of a graph in 32 bits that is as its checkpoint. Rounding in another order makes 1e-12; a pixel
that falls on the edge between two bytes when a large image is resized (see `Resize`), up to some 1e-6."""

CALIBRATED = 300
"""Images that int8's ranges are taken from, NNCF's own number."""

LIBRARIES = ("psnet", "torch", "onnxscript", "onnxruntime", "openvino", "nncf")


@dataclass(frozen=True)
class Wish:
    """What to export.

    forms: names of `FILES`. images: to compare on. calibration: to take int8's ranges from. labelled: to see what int8
    costs; None leaves it unknown. inside: preprocessing is part of the graph. most_loss: of Rank-1 by int8, in [0, 1].
    """

    forms: Sequence[str]
    images: Listing
    calibration: Listing
    labelled: Labelled | None = None
    inside: bool = True
    most_loss: float = 0.005


@dataclass(frozen=True)
class Made:
    """name: of `FILES`. size: of its files, bytes. checks: see `Check`."""

    name: str
    size: int
    checks: Sequence[Check]


def export_engines(embedder: Embedder, wish: Wish) -> list[Made]:
    """Write forms into the folder of a model.

    Args:
        embedder: of that folder, with the engine pytorch in 32 bits on the CPU, and the whole descriptor.

    Raises:
        EngineError: a form is not known, its library is not installed, too few images can be read, or it is not as
            exact as it should be; forms before it are in the folder then. WriteError: a file cannot be written.
    """
    unknown = [form for form in wish.forms if form not in FILES]
    if unknown:
        raise EngineError(f"--to {unknown[0]} must be of {', '.join(FILES)}, with commas between several")
    images = _read(wish.images, MOST_IMAGES, NEAREST + 2, "to compare on")
    assert isinstance(embedder.engine, TorchEngine)
    log.info("tracing the network")
    program = traced(embedder.engine.task, embedder.preprocess, wish.inside)
    made = []
    with tempfile.TemporaryDirectory(dir=embedder.place, prefix=".export-") as name:
        maker = _Maker(embedder, wish, program, Path(name), images)
        for form in wish.forms:
            log.info("%s: writing it", form)
            made.append(maker.make(form))
    return made


class _Maker:
    """Makes one form after the other in a folder beside, from what they share."""

    def __init__(
        self, embedder: Embedder, wish: Wish, program: ExportedProgram, beside: Path, images: Sequence[Tensor]
    ) -> None:
        self.embedder, self.wish, self.program, self.beside, self.images = embedder, wish, program, beside, images
        self.wanted = embedder.engine.embed(stack([embedder.preprocess(image) for image in images]))
        self._onnx: Path | None = None

    def make(self, form: str) -> Made:
        files = [self.beside / file for file in FILES[form]]
        self._write(form, files[0])
        log.info("%s: comparing it with the checkpoint on %d images", form, len(self.images))
        checks = [self._checked(form, files[0], precision) for precision in self._precisions(form)]
        folder = self.embedder.place
        size = sum(file.stat().st_size for file in files)
        for file in reversed(files):  # the one that is opened last
            try:
                os.replace(file, folder / file.name)
            except OSError as error:
                raise WriteError.of(folder / file.name, error) from error
        keep(folder, self.embedder.made_by.digest, form, self.wish.inside, checks)
        return Made(form, size, checks)

    def _write(self, form: str, file: Path) -> None:
        if form == "pt2":
            return write_pt2(self.program, file)
        if self._onnx is None:
            self._onnx = self.beside / "source.onnx"
            write_onnx(self.program, self._onnx)
        if form == "onnx":
            file.write_bytes(self._onnx.read_bytes())
        elif form == "openvino":
            write_openvino(self._onnx, file)
        else:
            batches = _batches(self.wish, self.embedder.preprocess)
            write_int8(self._onnx, file, batches, len(batches))
        return None

    def _precisions(self, form: str) -> list[str]:
        """In which it may run here: in 32 bits, where it must be exact, and as it is chosen here."""
        return {"openvino": ["32-true", "auto"], "int8": ["auto"]}.get(form, ["32-true"])

    def _checked(self, form: str, file: Path, precision: str) -> Check:
        engine = OPENERS[form](file, "cpu", precision, self.wish.inside)
        check = replace(compared(engine, self.embedder.preprocess, self.images, self.wanted), made=_made())
        if form == "int8":
            check = replace(check, precision="int8", scored=self._change(engine))
            refuse_loss(check, self.wish.most_loss)
        elif engine.precision == "32-true":
            refuse_inexact(form, check)
        return check

    def _change(self, engine: ExportedEngine) -> dict[str, Any] | None:
        if self.wish.labelled is None:
            return None
        made_by = replace(self.embedder.made_by, engine="int8")
        other = Embedder(engine, self.embedder.preprocess, made_by, self.embedder.place, self.embedder.trained_images)
        return change(scored(self.embedder, self.wish.labelled), scored(other, self.wish.labelled))


def refuse_inexact(form: str, check: Check) -> None:
    """
    Raises:
        EngineError: a graph in 32 bits is not as its checkpoint.
    """
    if not check.cosine <= EXACT:  # nor where it is no number
        raise EngineError(
            f"{form} is not exact: its 1 - cos to the checkpoint is up to {check.cosine:.1e}, and rounding makes less "
            f"than {EXACT:g}; it was not written. The fault is the export's, not yours"
        )


def refuse_loss(check: Check, most: float) -> None:
    """
    Args:
        most: that Rank-1 may lose, in [0, 1].

    Raises:
        EngineError: it was seen to lose more.
    """
    if check.scored is None:
        return
    before, after = check.scored["Rank-1"]
    if before - after > most + 1e-9:
        raise EngineError(
            f"int8 takes Rank-1 from {before:.1%} to {after:.1%}, more than --most-loss {100 * most:g} points; it was "
            "not written. Calibrate it on more or other images, or allow the loss"
        )


def _batches(wish: Wish, preprocess: Preprocess) -> list[NDArray[np.generic]]:
    """One image each, as the graph takes them."""
    images = _read(wish.calibration, CALIBRATED, 1, "to calibrate on")
    if wish.inside:
        return [np.ascontiguousarray(image.permute(1, 2, 0).numpy())[None] for image in images]
    return [np.ascontiguousarray(as_unit(stack([preprocess(image)])).numpy()) for image in images]


def _read(listing: Listing, most: int, least: int, why: str) -> list[Tensor]:
    """Images evenly over a listing; those that cannot be read are passed over.

    Raises:
        EngineError: too few are left.
    """
    number = min(len(listing), most)
    found = [_image(listing.given[row * len(listing) // number].load) for row in range(number)]
    images = [image for image in found if image is not None]
    if len(images) < least:
        raise EngineError(f"{len(images)} of {len(listing):,} images {why} can be read; give {least} or more")
    return images


def _image(load: Callable[[], Loaded]) -> Tensor | None:
    try:
        return load().image
    except (OSError, ValueError):
        return None


def _made() -> dict[str, str]:
    found = {"processor": platform.processor() or platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
