"""A report with every section, from drawn pictures; and a reader of pages that does not know the template."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from psnet.report import (
    Band,
    BrowsedEntry,
    BrowsedImage,
    BrowsedQuery,
    Browser,
    Crop,
    Entry,
    ExplainedPair,
    ExplainedQuery,
    GroupRow,
    RankedList,
    RateRow,
    Report,
    RestorationExample,
    RestorationRow,
    Roc,
    Row,
    make_thumbnails,
)
from psnet.report.content import Pixels

HOSTILE = '<script>alert("x")</script>&amp;\'.jpg'
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


@dataclass
class Page(HTMLParser):
    """Tags with their attributes, text by the innermost open tag, and whatever was not closed in order."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    open: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self) -> str:
        return " ".join(self.text.split())


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def decode(uri: str | None) -> Pixels:
    """The image inside a data URI."""
    assert uri is not None
    head, data = uri.split(",", 1)
    assert head.startswith("data:image/")
    assert head.endswith(";base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))).convert("RGB"))


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Noise: the picture that compresses worst."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ranked_list(label: str, entries: int = 10, hit: int = 2, size: tuple[int, int] = (128, 64)) -> RankedList:
    return RankedList(
        query=Crop(picture(32, 16), f"query of {label}"),
        entries=[
            Entry(Crop(picture(*size, seed=k), f"{label} entry {k}"), 0.9 - 0.07 * k, k == hit)
            for k in range(1, entries + 1)
        ],
        ap=0.4567,
        first_hit=hit,
    )


def explained(label: str) -> ExplainedQuery:
    """A query whose first image is another person, and whose first match comes third."""
    entries = {rank: Entry(Crop(picture(64, 32, 9 + rank), f"{label} {rank}"), 0.8, rank == 3) for rank in (1, 3)}
    pairs = [ExplainedPair(picture(64, 32, rank), entry, rank) for rank, entry in entries.items()]
    return ExplainedQuery(Crop(picture(32, 16), f"query of {label}"), pairs)


def example(caption: str = "pid 7") -> RestorationExample:
    return RestorationExample(
        low=picture(16, 8, 1), bicubic=picture(64, 32, 2),
        restored=picture(64, 32, 3), high=picture(64, 32, 4),
        rate=4, caption=caption,
        psnr_bicubic=21.304, psnr_restored=23.711, ssim_bicubic=0.6124, ssim_restored=0.7013,
    )  # fmt: skip


def browser(queries: int = 6, gallery: int = 12, length: int = 10) -> Browser:
    """Query k is of person k modulo 3 and of rate 2, 3 or native; its first match stands at rank k + 1."""
    names = [f"query/{k:04d}_c1.jpg" for k in range(queries)] + [f"gallery/{k:04d}_c2.jpg" for k in range(gallery)]
    images = [
        BrowsedImage(number, name, number % 3 if number < queries else number - queries, 1 if number < queries else 2)
        for number, name in enumerate(names)
    ]
    made = []
    for k in range(queries):
        order = [queries + (k + rank) % gallery for rank in range(min(length, gallery))]
        entries = [BrowsedEntry(image, 0.9 - 0.05 * rank, rank == k) for rank, image in enumerate(order)]
        first = k + 1
        made.append(BrowsedQuery(k, (2.0, 3.0, None)[k % 3], 1 / first, first, 1, entries))
    return Browser(made, images)


def with_pictures(given: Browser) -> Browser:
    """Thumbnail i is of one colour, `colour_of(i)`."""
    pictures = (np.full((128, 64, 3), colour_of(i), np.uint8) for i in range(len(given.images)))
    return replace(given, thumbnails=make_thumbnails(pictures, len(given.images), 500_000))


def colour_of(index: int) -> tuple[int, int, int]:
    """Colours that survive compression: no two are nearer than 40."""
    return 20 + 43 * (index % 6), 20 + 43 * (index // 6 % 6), 20 + 43 * (index // 36 % 6)


def full_report() -> Report:
    """Every section filled."""
    return Report(
        title="PS-HRNet on MLR-VIPeR",
        subtitle="split 0",
        facts={"data hash": "9f86d081884c", "input size": "256 x 128"},
        summary=[
            Row("trained", {
                "rank1": 0.4213, "rank5": 0.6137, "rank10": 0.7321, "rank20": 0.8449,
                "mAP": 0.5171, "mAP_trapezoid": 0.4987, "mINP": 0.5063,
                "queries": 316, "queries_without_match": 2,
            }, {"rank1": (0.3907, 0.4519)}),
            Row("untrained network", {"rank1": 0.0319, "mAP": 0.0583}),
            Row("chance", {"rank1": 1 / 316}),
        ],
        cmc={"trained": [0.4213, 0.5, 0.6137], "untrained network": [0.0319, 0.05], "chance": [0.003, 0.006]},
        cmc_band={"trained": Band([0.39, 0.47, 0.58], [0.45, 0.53, 0.65])},
        roc={"trained": Roc([0.0, 1e-3, 0.01, 1.0], [0.11, 0.2345, 0.6789, 1.0], {1e-3: 0.2345, 0.01: 0.6789})},
        per_rate=[
            RateRow(2, 110, {"rank1": 0.4827, "mAP": 0.5739}, {"rank1": (0.3883, 0.5771)}),
            RateRow(None, 3, {"rank1": 0.3333}),
        ],
        groups={"camera": [GroupRow("camera 4", 57, {"rank1": 0.2917})]},
        ap=[0.25, 0.75, 1.0],
        browser=browser(),
        ranked={label: [ranked_list(label)] for label in ("random", "best", "worst")},
        regions={"worst": [explained("regions")]},
        restoration=[example()],
        restoration_table=[
            RestorationRow(2, 10, 25.31, 27.02, 0.801, 0.843),
            RestorationRow(4, 30, 21.31, 20.02, 0.601, 0.643),
        ],
        notes=["single-shot, mean of 100 draws"],
    )  # fmt: skip
