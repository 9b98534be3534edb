"""A set on disk is the set that is made on the fly."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from psnet.data import export as module
from psnet.data.dataset import EvalDataset, PairDataset
from psnet.data.export import export, seen_path
from psnet.data.manifest import Manifest
from psnet.data.manifest_file import read_manifest, write_manifest
from psnet.data.preprocess import Preprocess
from psnet.data.protocol import MLRProtocol
from psnet.data.readers import read_csv
from psnet.data.samples import DataError
from psnet.data.source import MLRSource
from psnet.data.synthetic import read_synthetic

SIZE = (64, 32)


def digests(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def nothing(images: torch.Tensor) -> torch.Tensor:
    return images


def test_read_back_it_gives_the_same_tensors(tiny: Manifest, tmp_path: Path):
    listed = export(tiny, tmp_path / "set")
    read = MLRSource(lambda: read_csv(listed), MLRProtocol(published_roles=True)).prepare()
    at = {row.path: i for i, row in enumerate(read.rows)}
    assert [read.rows[at[seen_path(row)]].rate for row in tiny.rows] == [row.rate for row in tiny.rows]
    ours, theirs = images_of(tiny), images_of(read)
    assert len(ours) == len(theirs) == len(tiny.rows)
    for row in tiny.rows:
        for first, second in zip(ours[row.path], theirs[seen_path(row)], strict=True):
            assert torch.equal(first, second)


def test_variants_read_back_too(drawn: Path, tmp_path: Path):
    """Low gallery images stay gallery, and every step is in the files."""

    def reader():  # type: ignore[no-untyped-def]
        return read_synthetic(drawn, identities=8, cameras=2, images_per_camera=2, height=64, width=32)

    variants = {"test_rates": [8], "gallery_low_share": 0.5, "degradation": "realistic"}
    varied = MLRSource(reader, MLRProtocol(low_cameras=[2], train_identities=4, **variants)).prepare()  # type: ignore[arg-type]
    listed = export(varied, tmp_path / "set")
    read = MLRSource(lambda: read_csv(listed), MLRProtocol(published_roles=True)).prepare()
    assert {row.rate for row in read.split("gallery")} == {1.0, 8.0}
    ours, theirs = images_of(varied), images_of(read)
    for row in varied.rows:
        for first, second in zip(ours[row.path], theirs[seen_path(row)], strict=True):
            assert torch.equal(first, second)
    kept = MLRSource(reader, manifest=str(tmp_path / "set" / "manifest.csv")).prepare()
    assert kept.hash() == varied.hash()
    assert all(
        torch.equal(a, b) for path, pair in images_of(kept).items() for a, b in zip(pair, ours[path], strict=True)
    )


def images_of(manifest: Manifest) -> dict[str, tuple[torch.Tensor, ...]]:
    """(low, high, has_high, rate) by path."""
    pairs, evaluated = PairDataset(manifest, Preprocess(SIZE), nothing), EvalDataset(manifest, Preprocess(SIZE))
    items = {row.path: pairs[i, 0] for i, row in enumerate(pairs.rows)}
    items |= {row.path: evaluated[i] for i, row in enumerate(evaluated.rows)}  # type: ignore[misc]
    return {path: (item.low, item.high, item.has_high, item.is_low) for path, item in items.items()}


def test_the_files(tiny: Manifest, tmp_path: Path):
    export(tiny, tmp_path / "set")
    found = digests(tmp_path / "set")
    low = [row for row in tiny.rows if row.is_low]
    assert len(found) == len(tiny.rows) + len(low) + 2
    for row in tiny.rows:
        assert (seen_path(row).endswith(".bmp")) == row.is_low
        if not row.is_low:
            assert found[seen_path(row)] == row.sha256
    assert all(found[f"high/{row.path}"] == row.sha256 for row in low)
    assert read_manifest(tmp_path / "set" / "manifest.csv", tiny.roots).hash() == tiny.hash()
    assert not list(tmp_path.glob("*.part*"))


def test_an_interrupted_export_goes_on(tiny: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = tmp_path / "whole"
    export(tiny, whole)
    written: list[str] = []
    write = module._write

    def counted(manifest, images, row, folder):  # type: ignore[no-untyped-def]
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(row.path)
        write(manifest, images, row, folder)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", counted)
        with pytest.raises(KeyboardInterrupt):
            export(tiny, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    first = tmp_path / "set.part" / seen_path(tiny.rows[0])
    before = first.stat().st_mtime_ns
    export(tiny, tmp_path / "set")
    assert (tmp_path / "set" / seen_path(tiny.rows[0])).stat().st_mtime_ns == before
    assert digests(tmp_path / "set") == digests(whole)


def test_what_another_export_left_is_not_mixed_in(tiny: Manifest, tmp_path: Path):
    stale = tmp_path / "set.part" / "train" / "stale.bmp"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another set")
    write_manifest(replace(tiny, rows=tiny.rows[1:]), tmp_path / "set.part" / "manifest.csv")
    export(tiny, tmp_path / "set")
    assert not (tmp_path / "set" / "train" / "stale.bmp").exists()


def test_a_folder_of_somebody_else_is_left_alone(tiny: Manifest, tmp_path: Path):
    theirs = tmp_path / "set.part" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("kept")
    with pytest.raises(DataError, match="in the way"):
        export(tiny, tmp_path / "set")
    assert theirs.read_text() == "kept"


def test_an_existing_folder_is_left_alone(tiny: Manifest, tmp_path: Path):
    with pytest.raises(DataError, match="exists; give another folder"):
        export(tiny, tmp_path)


def test_two_images_of_one_name(tiny: Manifest, tmp_path: Path):
    low = next(row for row in tiny.rows if row.is_low)
    other = replace(low, path=low.path + ".bmp")
    with pytest.raises(DataError, match="would both be written to"):
        export(replace(tiny, rows=(low, other)), tmp_path / "set")
