"""A trained model, ready for anybody's images."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.assembly import preprocess_of, trained_task
from psnet.calibration import CalibrationError, Decision, Threshold
from psnet.calibration.kept import read_threshold
from psnet.checkpoint import read_checkpoint
from psnet.data.images import stack
from psnet.data.preprocess import Preprocess
from psnet.embedder.errors import EmbedderError
from psnet.embedder.given import Color, Images, Listing, listed, named, reason
from psnet.embedder.image_table import Failed, ImageTable
from psnet.embedder.labels import check_columns
from psnet.embedder.model_folder import fetch, read_folder
from psnet.embedder.origin import made_by_of
from psnet.embedder.reading import Ready, read_ahead
from psnet.embeddings import DescriptorPart, MadeBy
from psnet.engines import Engine, open_engine
from psnet.progress import shown
from psnet.tasks import SuperResolution

NAMED = 5
"""How many unreadable images an error names."""


class Embedder:
    """From images to embeddings that can be compared by their scalar product, which is the cosine.

    An embedding is the method's: descriptors of the image and its mirror image, summed, of unit length. All images go
    through the `Preprocess` that the model was trained with.

    Args:
        engine: computes embeddings. preprocess: to its input. made_by: what goes with every embedding. place: where
            the model lies, and its thresholds beside it. trained_images: digests of what it was trained on, see
            `Manifest.train_digests`.
    """

    def __init__(
        self,
        engine: Engine,
        preprocess: Preprocess,
        made_by: MadeBy,
        place: Path,
        trained_images: Collection[str] = (),
    ) -> None:
        self.engine, self.preprocess, self.made_by, self.place = engine, preprocess, made_by, place
        self.trained_images = frozenset(trained_images)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        part: DescriptorPart = "whole",
        device: str = "auto",
        precision: str = "auto",
        engine: str = "pytorch",
        trusted: Collection[str] = (),
    ) -> Embedder:
        """The student, or the network, of a last.ckpt that train.py wrote.

        Args:
            part: of the descriptor: "whole", the method's; or "neck", its last part alone, as wide as the bottleneck
                (512 for the method's 6,656), for galleries that must be small.
            device, precision: see `psnet.engines.TorchEngine`. engine: "pytorch", or "auto", which tries whether 16
                bits are faster here. trusted: see `psnet.assembly.check_ours`.

        Raises:
            CheckpointError, EmbedderError, EngineError: the file, or an argument, cannot be used.
        """
        return cls._of(read_checkpoint(path), Path(path), part, device, precision, engine, trusted)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        part: DescriptorPart = "whole",
        device: str = "auto",
        precision: str = "auto",
        engine: str = "pytorch",
        trusted: Collection[str] = (),
    ) -> Embedder:
        """A model that `psnet export` has written: a local folder, or the name of one on the Hugging Face hub, such as
        "someone/ps-hrnet-market".

        Args:
            engine: what computes: "pytorch"; one of the forms that were exported into the folder, "onnx", "openvino",
                "int8", "pt2"; or "auto", the fastest here that is exact enough, see `open_engine`. A pt2 file may
                run code when it is read, so none is fetched from the hub.
            Others as of `from_checkpoint`.

        Raises:
            EmbedderError: there is no such model, the hub is out of reach, or a file of it is damaged.
            EngineError: that engine cannot be had.
        """
        folder = fetch(name, engine)
        return cls._of(read_folder(folder), folder, part, device, precision, engine, trusted)

    @classmethod
    def _of(
        cls,
        content: Mapping[str, Any],
        place: Path,
        part: DescriptorPart,
        device: str,
        precision: str,
        engine: str,
        trusted: Collection[str],
    ) -> Embedder:
        if part not in get_args(DescriptorPart):
            raise EmbedderError(f"part={part!r} must be one of {', '.join(get_args(DescriptorPart))}")
        try:
            task, preprocess = trained_task(content, trusted), preprocess_of(content["psnet"]["model"])
        except (KeyError, TypeError, AttributeError) as error:
            raise EmbedderError(f"{place} does not describe a model ({error!r}); export it again") from error
        if isinstance(task, SuperResolution):
            raise EmbedderError(
                "this network restores images and describes none; give a checkpoint of re-identification"
            )
        made_by = made_by_of(content, task, part)
        opened = open_engine(engine, place, task, preprocess.image_size, made_by.digest, device, precision)
        if opened.name == "int8":  # the others compute the same up to rounding
            made_by = replace(made_by, engine=opened.name)
        return cls(opened, preprocess, made_by, place, content["psnet"]["trained_images"])

    def embed(
        self,
        images: Images | Listing,
        *,
        color: Color | None = None,
        names: Sequence[str] | None = None,
        columns: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        progress: bool = True,
    ) -> ImageTable:
        """The embeddings of any number of images, in the order given. One that cannot be read is named in `failed`, and
        the others go through.

        Args:
            images: see `Images`. color: of arrays, "rgb" or "bgr". names: of the images, in place of their paths and of
                "image 0", "image 1" for those in memory. columns: what else is known, an array or list each, with an
                entry an image. batch_size: images that the network computes at once. progress: show a bar on
                standard error if it takes more than two seconds.

        Raises:
            EmbedderError: nothing is given, or none of it can be read, or something else is no image at all.
        """
        listing = images if isinstance(images, Listing) else listed(images, color)
        if names is not None:
            listing = named(listing, names)
        if columns:
            listing = replace(listing, columns=check_columns(columns, len(listing)))
        (table,) = self.stream(listing, len(listing), batch_size, progress)
        if not len(table):
            first = ", ".join(f"{one.path} ({one.reason})" for one in table.failed[:NAMED])
            raise EmbedderError(f"none of {len(listing):,} images can be read: {first}")
        return table

    def stream(
        self, listing: Listing, at_once: int, batch_size: int = 32, progress: bool = True
    ) -> Iterator[ImageTable]:
        """Tables of so many images at once, some of which may have failed; for more than memory holds.

        Args:
            Others as of `embed`.
        """
        if batch_size < 1:
            raise EmbedderError(f"batch_size={batch_size} must be at least 1")
        loaded = read_ahead(listing.given, self.preprocess, 2 * batch_size)
        loaded = shown(loaded, len(listing), "Embedding") if progress else loaded
        for begin in range(0, len(listing), at_once):
            part = listing.rows(range(begin, min(begin + at_once, len(listing))))
            yield self._table(part, islice(loaded, len(part)), batch_size)

    def _table(self, listing: Listing, loaded: Iterator[Ready | Exception], batch_size: int) -> ImageTable:
        embedding: list[Tensor] = []
        failed, rows, sizes, hashes = [], [], [], []
        numbered = enumerate(loaded)
        while chunk := list(islice(numbered, batch_size)):
            good = [(row, one) for row, one in chunk if isinstance(one, Ready)]
            failed += [Failed(listing.given[row].name, reason(one)) for row, one in chunk if isinstance(one, Exception)]
            if good:
                embedding.append(self._embed([one.image for _, one in good]))
            rows += [row for row, _ in good]
            sizes += [one.size for _, one in good]
            hashes += [one.sha256 for _, one in good]
        made = torch.cat(embedding).numpy() if rows else np.empty((0, self.made_by.dimensions), np.float32)
        own = {
            "path": np.array([listing.given[row].name for row in rows], dtype=np.str_),
            "width": np.array([width for _, width in sizes], dtype=np.int64),
            "height": np.array([height for height, _ in sizes], dtype=np.int64),
            "sha256": np.array(hashes, dtype=np.str_),
        }
        others = {name: values[rows] for name, values in listing.columns.items()}
        return ImageTable(made, own | others, self.made_by, listing.root, tuple(failed))

    @property
    def threshold(self) -> Threshold | None:
        """By which pairs are told apart, where one has been calibrated."""
        return read_threshold(self.place, self.made_by)

    def compare(self, one: Images, other: Images, *, color: Color | None = None) -> Decision:
        """Whether two images show the same person, and how far to trust the answer.

        Raises:
            CalibrationError: no threshold has been calibrated, so nobody can tell. EmbedderError: see `embed`.
        """
        threshold = self.threshold
        if threshold is None:
            raise CalibrationError(
                f"no threshold is known for {self.made_by}, so a score is neither yes nor no; find one with psnet "
                "calibrate"
            )
        tables = [self.embed(image, color=color, progress=False) for image in (one, other)]
        for table in tables:
            if len(table) != 1 or table.failed:
                raise EmbedderError(f"{len(table) + len(table.failed)} images are given where one is compared with one")
        return threshold.decide(min(1.0, float(tables[0].embedding[0] @ tables[1].embedding[0])))

    def restore(self, image: Tensor) -> Tensor | None:
        """What super-resolution makes of one image, as the network sees it: uint8 RGB (3, H, W) of any size to
        (3, h, w) of the network's input; None of a network without."""
        restored = self.engine.restore(stack([self.preprocess(image)]))
        return None if restored is None else restored[0]

    def _embed(self, images: Sequence[Tensor]) -> Tensor:
        whole = self.engine.embed(stack(images))
        return whole if self.made_by.part == "whole" else F.normalize(whole[:, -self.made_by.dimensions :], dim=1)
