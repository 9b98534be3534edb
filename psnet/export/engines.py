"""A model in other forms, each compared with its checkpoint before it takes its place in the model's folder."""

from __future__ import annotations

import logging
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from psnet.atomic import whole
from psnet.data.images import as_unit, stack
from psnet.embedder import Embedder, Failed
from psnet.embedder.command import tell_failed
from psnet.embedder.given import Given, Listing, reason
from psnet.engines import EngineError, TorchEngine
from psnet.engines.exported import ExportedEngine
from psnet.engines.graph import traced
from psnet.engines.kept import FILES, Check, Kept, digests_of, keep
from psnet.engines.onnx_file import write_onnx
from psnet.engines.opening import OPENERS
from psnet.engines.openvino_file import write_int8, write_openvino
from psnet.engines.pt2_file import write_pt2
from psnet.export.check import MOST_IMAGES, NEAREST, change, check_unseen, compared, scored
from psnet.export.refuse import refuse_inexact, refuse_loss
from psnet.export.wish import Wish, check_wish

log = logging.getLogger("psnet")

CALIBRATED = 300
"""Images that int8's ranges are taken from, NNCF's own number."""

BESIDE = ".export-"

LIBRARIES = ("psnet", "torch", "onnxscript", "onnxruntime", "openvino", "nncf")


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
        EngineError: see `check_wish`; too few images can be read, or a form is not as exact as it should be; forms
            before it are in the folder then. WriteError: a file cannot be written.
    """
    check_wish(wish)
    if wish.labelled is not None:
        check_unseen(wish.labelled, embedder.trained_images)
    for left in embedder.place.glob(f"{BESIDE}*"):  # by a process that was killed
        shutil.rmtree(left)
    images = _read(wish.images, MOST_IMAGES, NEAREST + 2, "to compare on")
    assert isinstance(embedder.engine, TorchEngine)
    log.info("tracing the network")
    program = traced(embedder.engine.task, embedder.preprocess, wish.inside)
    made = []
    with tempfile.TemporaryDirectory(dir=embedder.place, prefix=BESIDE) as name:
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
        try:
            self._write(form, files[0])
        except (EngineError, OSError):
            raise
        except Exception as error:  # of whichever library, such as for an operation that it does not know
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise EngineError(f"this model cannot be made {form} ({reason})") from error
        log.info("%s: comparing it with the checkpoint on %d images", form, len(self.images))
        checks = [self._checked(form, files[0], precision) for precision in self._precisions(form)]
        folder = self.embedder.place
        for file in reversed(files):  # the one that is opened last
            with whole(folder / file.name) as beside:
                shutil.copyfile(file, beside)
        digests = digests_of(folder, form)
        keep(folder, self.embedder.made_by.digest, form, Kept(self.wish.inside, digests, checks))
        size = sum(file.stat().st_size for file in files)
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
            write_int8(self._onnx, file, _readable(self.wish.calibration), self._input)
        return None

    def _input(self, given: Given) -> NDArray[np.generic]:
        """One image, as the graph takes it."""
        image = given.load().image
        if self.wish.inside:
            return np.ascontiguousarray(image.permute(1, 2, 0).numpy())[None]
        return np.ascontiguousarray(as_unit(stack([self.embedder.preprocess(image)])).numpy())

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


def _read(listing: Listing, most: int, least: int, why: str) -> list[Tensor]:
    """Images evenly over a listing; those that cannot be read are told.

    Raises:
        EngineError: too few are left.
    """
    found = [(given, _image(given)) for given in _evenly(listing, most)]
    tell_failed([Failed(given.name, reason(image)) for given, image in found if isinstance(image, Exception)])
    images = [image for _, image in found if not isinstance(image, Exception)]
    if len(images) < least:
        raise EngineError(f"{least} images or more are needed {why}, and {len(images)} of {len(listing):,} can be read")
    return images


def _readable(listing: Listing) -> list[Given]:
    """Images to calibrate on, evenly over a listing.

    Raises:
        EngineError: there is none.
    """
    found = [given for given in _evenly(listing, CALIBRATED) if not isinstance(_image(given), Exception)]
    if not found:
        raise EngineError(f"none of {len(listing):,} images to calibrate on can be read; give others")
    return found


def _evenly(listing: Listing, most: int) -> list[Given]:
    number = min(len(listing), most)
    return [listing.given[row * len(listing) // number] for row in range(number)]


def _image(given: Given) -> Tensor | Exception:
    try:
        return given.load().image
    except (OSError, ValueError) as error:
        return error


def _made() -> dict[str, str]:
    found = {"processor": platform.processor() or platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
