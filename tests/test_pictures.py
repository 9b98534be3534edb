"""Which images are shown, and that they are the right ones."""

from __future__ import annotations

import base64
import io
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from psnet.browsing import browser_of
from psnet.data.dataset import EvalDataset, as_unit
from psnet.data.images import Filter, to_pillow
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.embedder import Embedder
from psnet.embedder.explain import explain
from psnet.metrics import RetrievalMetric, psnr
from psnet.models import VDSRCA
from psnet.pictures import (
    choose_queries,
    choose_restorations,
    explained,
    explained_queries,
    pixels,
    ranked_list,
    restorations,
    with_thumbnails,
)
from psnet.regions import regions_of_score
from psnet.report import Entry
from psnet.tasks import ReID, SuperResolution, Task

SIZE = (64, 32)


def low_seeing() -> Task:
    return SuperResolution(VDSRCA(16, 1))


@pytest.fixture(scope="module")
def images(tiny: Manifest) -> EvalDataset:
    return EvalDataset(tiny, Preprocess(SIZE))


def retrieval(images: EvalDataset):
    """Embeddings by which the first query's best is wrong, and all others' are right."""
    rows = images.rows
    embedding = torch.stack([F.one_hot(torch.tensor(row.pid), 20).float() for row in rows])
    embedding[0] = 0.6 * embedding[0] + 0.8 * embedding[-1]
    metric = RetrievalMetric(expected=len(rows))
    pid, camid, rate = (torch.tensor([getattr(row, name) for row in rows]) for name in ("pid", "camid", "rate"))
    is_query = torch.tensor([row.split == "query" for row in rows])
    metric.update(embedding, pid, is_query, camid, rate, torch.arange(len(rows)))
    metric.compute()
    assert metric.found is not None
    return metric.found


def test_queries_by_kind(images: EvalDataset):
    found = retrieval(images)
    assert images.rows[0].pid != images.rows[-1].pid
    chosen = choose_queries(found, 2)
    assert list(chosen) == ["random", "worst", "best"]
    assert chosen["worst"][0] == 0
    assert 0 not in chosen["best"]
    assert len(set(chosen["random"])) == 2
    everything = choose_queries(found, 1000)
    assert everything["random"] != sorted(everything["random"])
    assert len(everything["random"]) == len(found.query.pid)


def test_best_and_worst_show_a_person_once(images: EvalDataset):
    found = retrieval(images)
    ap = found.results.ap
    for kind, order in (("best", 1), ("worst", -1)):
        queries = choose_queries(found, 1000)[kind]
        people = [int(found.query.pid[query]) for query in queries]
        assert sorted(people) == sorted(set(found.query.pid.tolist()))
        values = [order * float(ap[query]) for query in queries]
        assert values == sorted(values, reverse=True)
        for query, pid in zip(queries, people, strict=True):
            assert values[queries.index(query)] == max(order * ap[found.query.pid == pid].double())


def test_queries_without_a_match_are_not_shown(images: EvalDataset):
    found = retrieval(images)
    found.results.valid[0] = False
    assert all(0 not in queries for queries in choose_queries(found, 100).values())


def test_a_ranked_list_shows_its_images(images: EvalDataset):
    shown = ranked_list(low_seeing(), retrieval(images), images, 0, length=3)
    row = images.rows[0]
    assert shown.query.caption == f"pid {row.pid}, camera {row.camid}, {row.path}"
    assert len(shown.entries) == 3
    assert [entry.match for entry in shown.entries[:2]] == [False, False]
    assert shown.first_hit == 3
    assert [entry.score for entry in shown.entries] == sorted((e.score for e in shown.entries), reverse=True)
    for entry in shown.entries:
        (number,) = [i for i, other in enumerate(images.rows) if other.path == entry.crop.caption.split(", ")[-1]]
        assert np.array_equal(entry.crop.image, pixels(as_unit(images[number]).low))  # gallery images are sharp


def test_regions_are_those_of_the_first_image_and_of_the_first_match(images: EvalDataset, embedder: Embedder):
    found = retrieval(images)
    ranked = ranked_list(embedder.engine.task, found, images, 0, length=3)
    shown = explained(embedder.engine.task, found, images, 0)
    assert np.array_equal(shown.query.image, ranked.query.image)
    assert [(pair.rank, pair.entry.match) for pair in shown.pairs] == [(1, False), (3, True)]
    for pair in shown.pairs:
        entry = ranked.entries[pair.rank - 1]
        assert (pair.entry.score, pair.entry.crop.caption) == (entry.score, entry.crop.caption)
        given = [images[0].low, images[number_of(entry, images)].low]
        maps = explain(embedder, *given)
        assert max(float(of.max()) for of in maps) == 1
        for picture, plain, of in zip((pair.image, pair.entry.crop.image), given, maps, strict=True):
            assert np.abs(picture - by_hand(plain, of)).max() <= 1
    assert not np.array_equal(shown.pairs[0].image, shown.pairs[1].image)


def number_of(entry: Entry, images: EvalDataset) -> int:
    (number,) = [i for i, row in enumerate(images.rows) if row.path == entry.crop.caption.split(", ")[-1]]
    return number


def by_hand(image: torch.Tensor, strength: torch.Tensor) -> np.ndarray:
    share = 0.75 * strength.numpy()[..., None]
    return (1 - share) * image.permute(1, 2, 0).numpy() + share * np.array([255, 70, 0])


def test_a_right_answer_is_explained_once(images: EvalDataset, embedder: Embedder):
    (pair,) = explained(embedder.engine.task, retrieval(images), images, 1).pairs
    assert (pair.rank, pair.entry.match) == (1, True)


def test_those_of_each_kind_are_explained(images: EvalDataset, embedder: Embedder):
    found = retrieval(images)
    shown = explained_queries(embedder.engine.task, found, images, 2)
    chosen = choose_queries(found, 2)
    assert list(shown) == list(chosen)
    for kind, queries in chosen.items():
        wanted = [ranked_list(low_seeing(), found, images, query, length=1).query.caption for query in queries]
        assert [explained.query.caption for explained in shown[kind]] == wanted
    assert explained_queries(embedder.engine.task, found, images, 0) == {kind: [] for kind in chosen}


def test_a_network_that_sees_sharp_images_is_shown_with_them(images: EvalDataset, embedder: Embedder):
    task = ReID(embedder.engine.task.reid, view="high").eval()
    query = next(i for i, row in enumerate(images.rows) if row.split == "query" and row.is_low and row.has_high)
    pair = explained(task, retrieval(images), images, query).pairs[0]
    item, other = images[query], images[number_of(pair.entry, images)]
    maps = regions_of_score(task, item.high / 255, other.high / 255)
    assert np.abs(pair.image - by_hand(item.high, maps[0])).max() <= 1
    assert not torch.equal(item.high, item.low)
    shown = ranked_list(task, retrieval(images), images, query, length=1).query.image
    assert np.array_equal(shown, item.high.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("view", ["low", "high"])
def test_thumbnails_show_what_the_network_sees(images: EvalDataset, embedder: Embedder, view: Any) -> None:
    names = [row.path for row in images.rows]
    task = ReID(embedder.engine.task.reid, view=view)
    browser = with_thumbnails(browser_of(retrieval(images), names), task, images, 2_000_000)
    assert browser.thumbnails is not None
    (sheet,) = browser.thumbnails.sheets
    assert sheet.height == 2 * sheet.width  # as the network's input
    whole = Image.open(io.BytesIO(base64.b64decode(sheet.uri.split(",")[1]))).convert("RGB")
    for cell, shown in enumerate(browser.images):
        row = images.rows[shown.number]
        assert (shown.name, shown.pid, shown.camid) == (row.path, row.pid, row.camid)
        left, top = cell % sheet.columns * sheet.width, cell // sheet.columns * sheet.height
        crop = whole.crop((left, top, left + sheet.width, top + sheet.height))
        image = images.images.high(row) if view == "high" else images.images.low(row, Filter.NEAREST)
        seen = to_pillow(image).resize(crop.size, Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(crop, float) - np.asarray(seen, float)).mean() < 6


def test_restorations_are_spread_over_the_rates(images: EvalDataset):
    rates = {i: row.rate for i, row in enumerate(images.rows) if row.is_low}
    there = Counter(rates.values())
    number = len(there)
    chosen = choose_restorations(images, number)
    assert sorted(rates[i] for i in chosen) == sorted(there)
    assert sorted(choose_restorations(images, 100)) == sorted(rates)


def test_a_restoration_beside_its_figures(images: EvalDataset):
    rows = choose_restorations(images, 2)
    task = SuperResolution(VDSRCA(16, 1, start_as_identity=True)).eval()
    for row, example in zip(rows, restorations(task, images, rows), strict=True):
        item = as_unit(images[row])
        assert np.array_equal(example.restored, pixels(item.low))  # the identity
        assert np.array_equal(example.high, pixels(item.high))
        assert example.psnr_restored == pytest.approx(float(psnr(item.low[None], item.high[None])))
        assert example.psnr_bicubic == pytest.approx(float(psnr(item.bicubic[None], item.high[None])))
        assert example.low.shape[0] == round(64 / example.rate)


def test_nothing_to_restore(images: EvalDataset):
    assert restorations(Task().eval(), images, choose_restorations(images, 2)) == []
    assert restorations(SuperResolution(VDSRCA(16, 1)).eval(), images, []) == []


def test_pixels_round():
    values = torch.tensor([0.0, 0.4, 0.6, 254.6]) / 255
    assert pixels(values.expand(3, 1, 4))[0, :, 0].tolist() == [0, 0, 1, 255]
