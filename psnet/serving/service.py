"""What is asked of a model and a gallery, for many people at once. Nothing here knows of HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from psnet.calibration import Threshold
from psnet.data.images import ImageError, decode
from psnet.embedder import Embedder, EmbedderError
from psnet.gallery import Condition, Gallery, GalleryError, Hit, conditions_of
from psnet.serving.batches import Batches
from psnet.serving.errors import Refused
from psnet.serving.files import SHOWN, Pictures, data_uri, encoded, shrunk
from psnet.serving.limits import Limits
from psnet.serving.network import Explain, Look, Looked, compute

log = logging.getLogger("psnet")

T = TypeVar("T")

DECODERS = 2
"""Threads, each of which holds one image of at most `Limits.pixels`."""

CAMERA, CAMERAS = "camid", 200
"""The column that the page lets people choose from, and so many values of it at most."""

FRESH = 60
"""Seconds for which what was counted in the gallery is told again."""


class Upload(NamedTuple):
    """A file as it came. name: what its sender calls it."""

    name: str
    content: bytes


class Seen(NamedTuple):
    """An image that was looked at. width, height: as displayed, pixels. shown: data URI, None if not asked for."""

    name: str
    width: int
    height: int
    shown: str | None
    looked: Looked

    @property
    def restored(self) -> str | None:
        """Data URI."""
        return None if self.looked.restored is None else data_uri(self.looked.restored)


class Unread(NamedTuple):
    """An image that could not be read, and why."""

    name: str
    reason: str


class Service:
    """
    Args:
        observe: told the size of each batch of the network.

    Raises:
        GalleryError: the gallery is of another model.
    """

    def __init__(
        self,
        embedder: Embedder,
        gallery: Gallery,
        pictures: Pictures,
        limits: Limits,
        observe: Callable[[int], object] = lambda _: None,
    ) -> None:
        gallery.check(embedder.made_by)
        self.embedder, self.gallery, self.pictures, self.limits = embedder, gallery, pictures, limits
        self.threshold: Threshold | None = embedder.threshold
        self.batches: Batches[Look | Explain, Any] = Batches(
            partial(compute, embedder), limits.batch, limits.queue, observe
        )
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        self._searcher = ThreadPoolExecutor(1, "search")
        self._counted: tuple[float, dict[str, Any]] | None = None

    def start(self) -> None:
        self.batches.start()

    def close(self) -> None:
        """When all that was begun is done."""
        self.batches.close()
        for pool in (self._decoders, self._searcher):
            pool.shutdown()

    @property
    def explains(self) -> bool:
        """PyTorch alone has gradients."""
        return self.embedder.engine.name == "pytorch" and find_spec("captum") is not None

    async def look(self, uploads: Sequence[Upload], pictures: bool = False) -> list[Seen | Unread]:
        """Each image's embedding; and with `pictures` itself and what super-resolution makes of it.

        Raises:
            Refused: too much is asked for at the moment.
        """
        with self.batches.taking(len(uploads)):
            return list(await asyncio.gather(*(self._look(upload, pictures) for upload in uploads)))

    async def search(self, seen: Seen, k: int, where: Sequence[Condition]) -> list[Hit]:
        """Raises Refused: the gallery cannot be searched."""
        return await self._in(self._searcher, self._search, seen, k, where)

    def conditions(self, given: Sequence[str]) -> list[Condition]:
        """Raises Refused: see `conditions_of`."""
        try:
            return conditions_of(given, self.gallery.columns)
        except GalleryError as error:
            raise Refused(422, str(error)) from error

    async def picture(self, id: str, small: bool) -> tuple[bytes, str]:
        """An image of the gallery as a file, and its media type.

        Raises:
            Refused: see `Pictures.image`.
        """
        return await self._in(self._decoders, lambda: encoded(self.pictures.image(id), SHOWN if small else None))

    async def explain(self, upload: Upload, id: str) -> tuple[bytes, str]:
        """Where an image and one of the gallery are alike, as a file, and its media type.

        Raises:
            Refused: an image cannot be had, or there is no way to explain, or too much is asked for.
        """
        with self.batches.taking(1):
            query = await self._in(self._decoders, self._decode, upload.content)
            if isinstance(query, ImageError):
                raise Refused(422, f"{upload.name}: {query}")
            match = await self._in(self._decoders, self.pictures.image, id)
            both = await self._in(self._decoders, lambda: [shrunk(image, SHOWN) for image in (query, match)])
            found = await asyncio.wrap_future(self.batches.submit(Explain(*both)))
        if isinstance(found, EmbedderError):
            raise Refused(501, str(found))
        return await self._in(self._decoders, encoded, found)

    async def counted(self) -> dict[str, Any]:
        """How many images the gallery has, and which cameras, as of a minute ago or less.

        Raises:
            Refused: the gallery cannot be read.
        """
        if self._counted is None or time.monotonic() - self._counted[0] > FRESH:
            self._counted = (time.monotonic(), await self._in(self._searcher, self._count))
        return self._counted[1]

    def _count(self) -> dict[str, Any]:
        with_cameras = CAMERA in self.gallery.columns
        cameras = self.gallery.values(CAMERA) if with_cameras else []
        return {"images": len(self.gallery), "cameras": cameras if len(cameras) <= CAMERAS else []}

    async def _look(self, upload: Upload, pictures: bool) -> Seen | Unread:
        image = await self._in(self._decoders, self._prepare, upload.content, pictures)
        if isinstance(image, ImageError):
            return Unread(upload.name, str(image))
        input, (height, width), shown = image
        looked = await asyncio.wrap_future(self.batches.submit(Look(input, pictures)))
        return Seen(upload.name, width, height, shown, looked)

    def _prepare(self, content: bytes, pictures: bool) -> tuple[Tensor, tuple[int, int], str | None] | ImageError:
        """Made small at once, so that the queue holds no large images."""
        image = self._decode(content)
        if isinstance(image, ImageError):
            return image
        size = (image.shape[1], image.shape[2])
        return self.embedder.preprocess(image), size, data_uri(image) if pictures else None

    def _decode(self, content: bytes) -> Tensor | ImageError:
        try:
            return decode(content, self.limits.pixels)
        except ImageError as error:
            return error
        except MemoryError:
            return ImageError("it takes more memory than there is")

    def _search(self, seen: Seen, k: int, where: Sequence[Condition]) -> list[Hit]:
        made_by = self.embedder.made_by
        return self.gallery.search(seen.looked.embedding[None], made_by, k, where)[0]

    async def _in(self, pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
        except GalleryError as error:
            log.error("%s", error)
            raise Refused(503, "the gallery cannot be read at the moment") from error
