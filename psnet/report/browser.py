"""What the page's "query by query" is made of: every query, its figures and the first of its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """Thumbnails side by side in one picture, row by row.

    uri: data URI. width, height: pixels of one thumbnail. columns: in a row. count: thumbnails in this sheet.
    """

    uri: str
    width: int
    height: int
    columns: int
    count: int


@dataclass(frozen=True)
class Thumbnails:
    """Sheets one after the other: thumbnail i is the i-th cell of all. See `thumbnails.make_thumbnails`."""

    sheets: Sequence[Sheet]

    @property
    def count(self) -> int:
        return sum(sheet.count for sheet in self.sheets)


@dataclass(frozen=True)
class BrowsedImage:
    """A query or gallery image. number: the caller's, of the image in the whole set. pid: a number, or the name that a
    person goes by. camid: None where unknown."""

    number: int
    name: str
    pid: int | str
    camid: int | None = None


@dataclass(frozen=True)
class BrowsedEntry:
    """One place in a ranking. image: index into `Browser.images`. score: similarity. match: the same identity."""

    image: int
    score: float
    match: bool


@dataclass(frozen=True)
class BrowsedQuery:
    """A query and the first gallery images of its ranking, best first, excluded images left out.

    image: index into `Browser.images`. rate: down-sampling rate, None where the image is low by nature. ap: average
    precision, 0..1, None without a match. first_hit: rank of the first match in the whole ranking, from 1, None
    without a match. matches: number of valid matches in the gallery.
    """

    image: int
    rate: float | None
    ap: float | None
    first_hit: int | None
    matches: int
    entries: Sequence[BrowsedEntry]


@dataclass(frozen=True)
class Browser:
    """All queries, in the order of the files; the page counts them from 1.

    images: those that are shown, each once. thumbnails: one for each of images, in that order; without, the page
    shows names.

    Raises:
        ValueError: there is no query, an index leaves images, first_hit and entries contradict each other, or the
            thumbnails are not as many as the images.
    """

    queries: Sequence[BrowsedQuery]
    images: Sequence[BrowsedImage]
    thumbnails: Thumbnails | None = None

    def __post_init__(self) -> None:
        if not self.queries:
            raise ValueError("there is no query to browse; leave the browser out")
        for number, query in enumerate(self.queries, start=1):
            self._check(number, query)
        if self.thumbnails is not None and self.thumbnails.count != len(self.images):
            raise ValueError(f"{self.thumbnails.count} thumbnails of {len(self.images)} images; give one of each")

    def _check(self, number: int, query: BrowsedQuery) -> None:
        for image in (query.image, *(entry.image for entry in query.entries)):
            if not 0 <= image < len(self.images):
                raise ValueError(f"query {number} shows image {image}, and there are {len(self.images)}")
        shown = next((rank for rank, entry in enumerate(query.entries, start=1) if entry.match), None)
        beyond = query.first_hit is None or query.first_hit > len(query.entries)
        if (shown is None and not beyond) or (shown is not None and query.first_hit != shown):
            raise ValueError(
                f"query {number}: first_hit is {query.first_hit}, but the first match among its "
                f"{len(query.entries)} entries stands at {shown}; take both from the same ranking"
            )
        if query.ap is not None and not 0 <= query.ap <= 1 + 1e-9:
            raise ValueError(f"query {number}: ap is {query.ap}; give a fraction in 0..1, or None without a match")
