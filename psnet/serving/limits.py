"""How much may be asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from psnet.serving.errors import ServingError


@dataclass(frozen=True)
class Limits:
    """
    images: of one request. bytes: of one request, and of one file of the gallery. pixels: of one image. results: of
    one image. per_minute: requests of one address; looking (GET) counts a fiftieth. queue: images that wait or are
    computed at once, and requests that are read at once. batch: images that the network computes at once. seconds:
    in which a request must have come in whole.

    Raises:
        ServingError: one is less than 1, or a request may bring more images than the queue takes.
    """

    images: int = 32
    bytes: int = 32 * 2**20
    pixels: int = 16 * 2**20
    results: int = 100
    per_minute: int = 120
    queue: int = 128
    batch: int = 16
    seconds: int = 30

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise ServingError(f"the limit of {name.replace('_', ' ')} is {value}; give 1 or more")
        if self.images > self.queue:
            raise ServingError(
                f"one request may have {self.images} images and the queue takes {self.queue}, so the largest would "
                "always be refused; give --queue more or --most-images less"
            )
