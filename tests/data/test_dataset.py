"""Pairs that stay pairs, and images that are what the manifest says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from psnet.data.datamodule import MLRDataModule
from psnet.data.dataset import EvalDataset, PairBatch, PairDataset, RowImages, as_unit
from psnet.data.images import from_pillow
from psnet.data.manifest import Manifest, Row
from psnet.data.preprocess import Preprocess

SIZE = (64, 32)


def nothing(images: torch.Tensor) -> torch.Tensor:
    return images


def test_low_is_down_sampled_and_high_is_not(tiny: Manifest):
    data = PairDataset(tiny, Preprocess((96, 48)), nothing)
    for index, row in enumerate(data.rows):
        pair = data[index, 0]
        source = Image.open(tiny.path(row)).convert("RGB")
        assert_same(pair.high, from_pillow(source.resize((48, 96), Image.Resampling.BILINEAR)))
        if row.is_low:
            small = source.resize((round(32 / row.rate), round(64 / row.rate)), Image.Resampling.BICUBIC)
            assert_same(pair.low, from_pillow(small.resize((48, 96), Image.Resampling.BILINEAR)))
        else:
            assert torch.equal(pair.low, pair.high)
        assert pair.is_low == row.is_low
        assert pair.has_high


def assert_same(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.fixture
def marked(tmp_path: Path) -> Manifest:
    """Pairs whose two images are the same pattern, in which each pixel says where it was."""
    y, x = np.mgrid[0:64, 0:32]
    Image.fromarray(np.stack([x * 8, y * 4, x * 0 + 255], axis=2).astype(np.uint8)).save(tmp_path / "a.png")
    Image.open(tmp_path / "a.png").save(tmp_path / "b.png")
    row = Row("a.png", 1, 1, "train", 2.0, "", 0, "", high="b.png", native_low=True, source="marked")
    return Manifest((row,), {"marked": tmp_path})


def test_pairs_share_flip_and_crop(marked: Manifest):
    augment = v2.Compose([v2.RandomHorizontalFlip(0.5), v2.Pad(10), v2.RandomCrop(SIZE)])
    data = PairDataset(marked, Preprocess(SIZE), augment)
    seen = []
    for seed in range(40):
        pair = data[0, seed]
        assert torch.equal(pair.low, pair.high)
        seen.append(pair.low)
    flipped = [image[0, 32, 20] < image[0, 32, 12] for image in seen]
    assert 0 < sum(flipped) < len(seen)
    assert len({tuple(image[:2, 32, 16].tolist()) for image in seen}) > 20  # crops differ
    assert torch.equal(seen[7], data[0, 7].low)  # the seed decides


def test_rates_anew_keep_the_share_of_each_camera(tmp_path: Path):
    """Camera 1: half of the images low; camera 2: none; camera 3: low as they are. Nothing but camera 1 changes."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(12):
        camid, name = number % 3 + 1, f"{number}.png"
        Image.fromarray(random.integers(0, 256, (64, 32, 3), dtype=np.uint8)).save(tmp_path / name)
        rate, interpolation = {0: (2.0, "bicubic"), 3: (4.0, "box")}.get(number, (1.0, ""))
        rows.append(Row(name, number, camid, "train", rate, interpolation, 0, "", native_low=camid == 3, source="s"))
    manifest = Manifest(tuple(rows), {"s": tmp_path})
    once, anew = (
        PairDataset(manifest, Preprocess(SIZE), nothing),
        PairDataset(manifest, Preprocess(SIZE), nothing, rates_anew=True),
    )
    images = RowImages(manifest, Preprocess(SIZE))
    seen: dict[int, list[PairBatch]] = {i: [anew[i, s] for s in range(25 if i % 3 == 0 else 3)] for i in range(12)}
    assert all(torch.equal(pair.high, once[i, 0].high) for i, pairs in seen.items() for pair in pairs)
    assert all(torch.equal(pair.low, once[i, 0].low) for i, pairs in seen.items() if i % 3 for pair in pairs)
    assert all(torch.equal(once[i, 1].low, once[i, 0].low) for i in seen)
    for interpolation, rate, share in (("", 1.0, 0.5), ("bicubic", 2.0, 0.25), ("box", 4.0, 0.25)):
        made = {i: images.low(replace(rows[i], rate=rate, degradation=interpolation)) for i in (0, 3, 6, 9)}
        hits = [torch.equal(pair.low, low) for i, low in made.items() for pair in seen[i]]
        assert abs(sum(hits) / 100 - share) < 4 * (share * (1 - share) / 100) ** 0.5
    assert all(bool(pair.is_low) != torch.equal(pair.low, pair.high) for i in (0, 3, 6, 9) for pair in seen[i])
    assert torch.equal(seen[0][7].low, anew[0, 7].low)  # the seed decides


def test_augmentation_leaves_the_global_generator_alone(marked: Manifest):
    data = PairDataset(marked, Preprocess(SIZE), v2.RandomHorizontalFlip(0.5))
    before = torch.get_rng_state()
    data[0, 3]
    assert torch.equal(before, torch.get_rng_state())


def test_a_native_low_image_without_twin(tmp_path: Path):
    Image.new("RGB", (10, 20), (9, 8, 7)).save(tmp_path / "a.png")
    row = Row("a.png", 1, 1, "train", 1.0, "", 0, "", native_low=True, source="s")
    pair = PairDataset(Manifest((row,), {"s": tmp_path}), Preprocess(SIZE), nothing)[0, 0]
    assert not pair.has_high
    assert torch.equal(pair.low, pair.high)


def test_evaluation_images(tiny: Manifest):
    data = EvalDataset(tiny, Preprocess(SIZE))
    queries, gallery = len(tiny.split("query")), len(tiny.split("gallery"))
    assert len(data) == queries + gallery
    images = RowImages(tiny, Preprocess(SIZE))
    for number in range(len(data)):
        item, row = data[number], data.rows[number]
        assert (item.pid, item.camid, item.row) == (row.pid, row.camid, number)
        assert bool(item.is_query) == (number < queries)
        assert_same(item.low, images.low(row))
        if row.is_low:
            assert_same(item.bicubic, images.low(row, Image.Resampling.BICUBIC))
            assert not torch.equal(item.low, item.high)


def test_bicubic_up_sampling_in_training_and_evaluation(tiny: Manifest):
    size, filters = (96, 48), {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    for name, resampling in filters.items():
        module = MLRDataModule(tiny, Preprocess(size, name), batch=(2, 2), augment=nothing)
        for data in (module.train_data, module.eval_data):
            for index, row in enumerate(data.rows):
                item = data[index, 0] if isinstance(data, PairDataset) else data[index]
                source = Image.open(tiny.path(row)).convert("RGB")
                seen = source
                if row.is_low:
                    seen = source.resize((round(32 / row.rate), round(64 / row.rate)), Image.Resampling.BICUBIC)
                assert_same(item.low, from_pillow(seen.resize((48, 96), resampling)))
                assert_same(item.high, from_pillow(source.resize((48, 96), resampling)))
                if row.is_low and isinstance(data, EvalDataset):
                    assert_same(item.bicubic, from_pillow(seen.resize((48, 96), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loaders(tiny: Manifest, workers: int):
    """What a batch holds does not depend on the number of workers."""
    augment = v2.RandomHorizontalFlip(0.5)
    data = MLRDataModule(tiny, Preprocess(SIZE), batch=(2, 2), augment=augment, eval_batch_size=3, workers=workers)
    batches = list(data.train_dataloader())
    assert all(isinstance(batch, PairBatch) and batch.low.shape == (4, 3, 64, 32) for batch in batches)
    alone = list(MLRDataModule(tiny, Preprocess(SIZE), batch=(2, 2), augment=augment, workers=0).train_dataloader())
    assert all(
        torch.equal(a, b) for one, other in zip(batches, alone, strict=True) for a, b in zip(one, other, strict=False)
    )
    for batch in batches:
        unit = data.on_after_batch_transfer(batch, 0)
        assert torch.equal(unit.low, batch.low / 255)
        assert unit.high.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(unit.label, batch.label)
        assert all(a is b for a, b in zip(unit, as_unit(unit), strict=True))  # once is enough
    rows = torch.cat([batch.row for batch in data.val_dataloader()])
    assert sorted(rows.tolist()) == list(range(len(data.eval_data)))


def test_grey_and_transparent_images_become_rgb(tmp_path: Path):
    Image.new("L", (10, 20), 100).save(tmp_path / "grey.png")
    Image.new("RGBA", (10, 20), (1, 2, 3, 40)).save(tmp_path / "clear.png")
    rows = tuple(Row(f"{n}.png", 1, 1, "train", 2.0, "box", 0, "", source="s") for n in ("grey", "clear"))
    data = PairDataset(Manifest(rows, {"s": tmp_path}), Preprocess(SIZE), nothing)
    assert all(data[i, 0].low.shape == (3, 64, 32) for i in range(2))
