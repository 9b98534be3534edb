"""Which images of an evaluation a person gets to see, and what they look like there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from psnet.data.dataset import EvalDataset, as_unit, collate
from psnet.data.draws import shuffled
from psnet.data.images import Filter
from psnet.metrics import Retrieval, psnr, ranked_gallery, ssim
from psnet.progress import shown
from psnet.regions import coloured, regions_of_score
from psnet.report import (
    Browser,
    Crop,
    Entry,
    ExplainedPair,
    ExplainedQuery,
    RankedList,
    RestorationExample,
    make_thumbnails,
)
from psnet.report.content import Pixels
from psnet.tasks import Task


def choose_queries(retrieval: Retrieval, number: int) -> dict[str, list[int]]:
    """Queries with the highest and the lowest AP, one a person, and some drawn without regard to it; labelled."""
    results = retrieval.results
    valid = results.valid.nonzero().flatten().tolist()
    by_ap = sorted(valid, key=lambda query: (-float(results.ap[query]), query))
    return {
        "random": shuffled(valid, 0, "report")[:number],
        "worst": _one_a_person(by_ap[::-1], retrieval)[:number],
        "best": _one_a_person(by_ap, retrieval)[:number],
    }


def _one_a_person(queries: Sequence[int], retrieval: Retrieval) -> list[int]:
    """The first query of each, in order."""
    first: dict[int, int] = {}
    for query in queries:
        first.setdefault(int(retrieval.query.pid[query]), query)
    return list(first.values())


def ranked_list(task: Task, retrieval: Retrieval, images: EvalDataset, query: int, length: int = 10) -> RankedList:
    """One query's list with its pictures. task: what was evaluated. images: query and gallery of that evaluation."""
    ranked = ranked_gallery(retrieval, query, length)
    entries = [
        Entry(_crop(task, images, int(retrieval.gallery.index[item])), float(score), bool(match))
        for item, score, match in zip(ranked.index, ranked.score, ranked.match, strict=True)
    ]
    crop = _crop(task, images, int(retrieval.query.index[query]))
    return RankedList(crop, entries, ap=float(retrieval.results.ap[query]), first_hit=ranked.first_match)


def explained_queries(
    task: Task, retrieval: Retrieval, images: EvalDataset, number: int
) -> dict[str, list[ExplainedQuery]]:
    """`explained` of so many queries of each kind in `choose_queries`; one that is of several is computed once."""
    chosen = choose_queries(retrieval, number)
    different = list(dict.fromkeys(query for queries in chosen.values() for query in queries))
    results = (explained(task, retrieval, images, query) for query in different)
    made = dict(zip(different, list(shown(results, len(different), "regions of scores")), strict=True))
    return {kind: [made[query] for query in queries] for kind, queries in chosen.items()}


def explained(task: Task, retrieval: Retrieval, images: EvalDataset, query: int) -> ExplainedQuery:
    """What made a query's score with the first of its ranking and, where that is another person, with its first match.

    The images are coloured as the network is shown them, before any restoration.

    Args:
        task: what the retrieval is of, in evaluation mode. images: query and gallery of that evaluation.

    Raises:
        RegionsError: see `check_explainable`.
    """
    first_match = ranked_gallery(retrieval, query, 1).first_match or 1
    ranked = ranked_gallery(retrieval, query, first_match)
    number = int(retrieval.query.index[query])
    pairs = []
    for place in sorted({0, first_match - 1}):
        other = int(retrieval.gallery.index[ranked.index[place]])
        batch = collate([images[number], images[other]])
        inputs = task.seen(as_unit(batch)).to(task.device)
        maps = regions_of_score(task, inputs[0], inputs[1])
        mine, its = (_as_array(coloured(image, of)) for image, of in zip(task.seen(batch), maps, strict=True))
        entry = Entry(Crop(its, _caption(images, other)), float(ranked.score[place]), bool(ranked.match[place]))
        pairs.append(ExplainedPair(mine, entry, place + 1))
    return ExplainedQuery(_crop(task, images, number), pairs)


def with_thumbnails(browser: Browser, task: Task, images: EvalDataset, budget: int) -> Browser:
    """The browser with a picture of each image in it, as the network's input, before any restoration.

    Args:
        task: what was evaluated. images: query and gallery of that evaluation.
        budget: bytes for all of them; see `room_for_thumbnails`.
    """
    height, width = images.images.preprocess.image_size
    crops = (_as_array(_shown(task, images, image.number)) for image in browser.images)
    return replace(browser, thumbnails=make_thumbnails(crops, len(browser.images), budget, height / width))


def choose_restorations(images: EvalDataset, number: int) -> list[int]:
    """Rows whose low images to show: drawn, and spread over the rates."""
    low = [i for i, row in enumerate(images.rows) if row.is_low]
    order = shuffled(low, 0, "restoration")
    turn: dict[int, tuple[int, float]] = {}
    for rate in {images.rows[i].rate for i in low}:
        turn |= {i: (n, rate) for n, i in enumerate(i for i in order if images.rows[i].rate == rate)}
    first = sorted(low, key=lambda i: turn[i])[:number]
    return sorted(first, key=lambda i: images.rows[i].rate)


@torch.inference_mode()
def restorations(task: Task, images: EvalDataset, rows: Sequence[int]) -> list[RestorationExample]:
    """low / bicubic / restored / high of some rows; empty of a task that restores nothing."""
    batch = [as_unit(images[i]) for i in rows]
    if not batch:
        return []
    restored = task.restore(torch.stack([item.low for item in batch]).to(task.device))
    if restored is None:
        return []
    restored = restored.float().clamp(0, 1).cpu()
    return [_example(images, i, item, image) for i, item, image in zip(rows, batch, restored, strict=True)]


def _example(images: EvalDataset, index: int, item: Any, restored: Tensor) -> RestorationExample:
    row = images.rows[index]
    figures: dict[str, float] = {}
    if row.has_high:
        for name, image in (("bicubic", item.bicubic), ("restored", restored)):
            figures[f"psnr_{name}"] = float(psnr(image[None], item.high[None]))
            figures[f"ssim_{name}"] = float(ssim(image[None], item.high[None]))
    return RestorationExample(
        low=_as_array(images.images.low_native(row)),
        bicubic=pixels(item.bicubic),
        restored=pixels(restored),
        high=pixels(item.high) if row.has_high else None,
        rate=None if row.rate == 1 else row.rate,  # low by a factor nobody knows
        caption=row.path,
        **figures,
    )


def pixels(image: Tensor) -> Pixels:
    """(3, H, W) in [0, 1] -> (H, W, 3) of bytes."""
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def _crop(task: Task, images: EvalDataset, index: int) -> Crop:
    """An image with its labels."""
    return Crop(_as_array(_shown(task, images, index)), _caption(images, index))


def _caption(images: EvalDataset, index: int) -> str:
    row = images.rows[index]
    camera = f", camera {row.camid}" if row.camid >= 0 else ""
    return f"pid {row.pid}{camera}, {row.path}"


def _shown(task: Task, images: EvalDataset, index: int) -> Tensor:
    """An image as the network's input, before any restoration, uint8 (3, H, W)."""
    if task.sees_high:
        return images.images.high(images.rows[index])
    return images.images.low(images.rows[index], Filter.NEAREST)  # shows how few pixels there are


def _as_array(image: Tensor) -> Pixels:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
