"""What is answered, as it stands in the OpenAPI description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from psnet.calibration import Threshold
from psnet.gallery import Hit
from psnet.gallery.gallery import ROOT
from psnet.serving.service import Seen, Unread

Value = int | float | str


class Error(BaseModel):
    error: str


class Rates(BaseModel):
    """From which score on two images are said to show one person, and how often that is wrong and right."""

    value: float = Field(description="scores of this or more are a yes")
    asked: float = Field(description="the false-accept rate that was asked for")
    far: float | None = Field(description="the false-accept rate that was measured")
    tar: float | None = Field(description="the share of true pairs that are accepted")
    false_pairs: int
    true_pairs: int
    words: str

    @classmethod
    def of(cls, threshold: Threshold | None) -> Rates | None:
        if threshold is None:
            return None
        found = threshold.found
        words = f"yes from {threshold.value:.4f} on, which {found}"
        return cls(value=threshold.value, asked=threshold.asked, words=words, **vars(found))


class Match(BaseModel):
    rank: int
    score: float = Field(description="cosine, -1 to 1")
    same: bool | None = Field(description="whether it is the same person; null where no threshold is known")
    path: str
    id: str
    picture: str = Field(description="where its picture is, relative to this service")
    columns: dict[str, Value]

    @classmethod
    def of(cls, rank: int, hit: Hit, threshold: Threshold | None) -> Match:
        same = None if threshold is None else threshold.decide(hit.score).same
        columns = {name: value for name, value in hit.columns.items() if name != ROOT}
        picture = f"pictures/{hit.id}"
        return cls(rank=rank, score=hit.score, same=same, path=hit.path, id=hit.id, picture=picture, columns=columns)


class Image(BaseModel):
    """One of those that were sent. error: why it could not be read; the rest is null then. width, height: pixels."""

    name: str
    error: str | None = None
    width: int | None = None
    height: int | None = None

    @staticmethod
    def own(one: Seen | Unread) -> dict[str, Any]:
        if isinstance(one, Unread):
            return {"name": one.name, "error": one.reason}
        return {"name": one.name, "width": one.width, "height": one.height}


class Embedded(Image):
    embedding: list[float] | None = Field(None, description="of unit length: scalar products are cosines")


class Searched(Image):
    shown: str | None = Field(None, description="the image as a data URI, with pictures=true")
    restored: str | None = Field(None, description="what super-resolution makes of it, with pictures=true")
    hits: list[Match] | None = None


class EmbedAnswer(BaseModel):
    made_by: dict[str, Any]
    images: list[Embedded]


class SearchAnswer(BaseModel):
    made_by: dict[str, Any]
    threshold: Rates | None
    images: list[Searched]


class Health(BaseModel):
    """Strangers are told no more than the first two."""

    status: str = "ok"
    token_needed: bool
    version: str | None = None
    model: str | None = None
    gallery: str | None = None
    images: int | None = None
    columns: dict[str, str] | None = None
    cameras: list[Value] | None = None
    threshold: Rates | None = None
    explains: bool | None = None
    limits: dict[str, int] | None = None
