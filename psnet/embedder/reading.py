"""Images that are read, decoded and brought to the network's size while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from torch import Tensor

from psnet.data.images import ImageError
from psnet.data.preprocess import Preprocess
from psnet.embedder.given import Given

READERS = 2
"""Threads."""


class Ready(NamedTuple):
    """image: uint8 RGB (3, h, w) of the network's input. size: (height, width) of the one it was made of. sha256: see
    `Loaded`."""

    image: Tensor
    size: tuple[int, int]
    sha256: str


def read_ahead(given: Sequence[Given], preprocess: Preprocess, ahead: int) -> Iterator[Ready | Exception]:
    """Each image, or why it cannot be had, in order.

    Args:
        ahead: so many wait at most. They wait at the network's size, as photographs are large.
    """

    def ready(one: Given) -> Ready | Exception:
        try:
            loaded = one.load()
        except (ImageError, OSError) as error:
            return error
        height, width = loaded.image.shape[1:]
        return Ready(preprocess(loaded.image), (height, width), loaded.sha256)

    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[Future[Ready | Exception]] = deque()
        coming = iter(given)
        while True:
            waiting.extend(pool.submit(ready, one) for one in islice(coming, ahead - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
