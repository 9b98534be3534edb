"""Tables of embeddings as files, for psnet and for other tools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from psnet.embedder import Embedder, EmbedderError, ImageTable, read_table
from psnet.embeddings import EmbeddingError, read_embeddings


@pytest.fixture(scope="module")
def table(embedder: Embedder) -> ImageTable:
    random = np.random.default_rng(0)
    pictures = list(random.integers(0, 256, (6, 64, 32, 3), dtype=np.uint8))
    columns = {"pid": [1, 2, 3, 1, 2, 3], "camid": [1, 1, 1, 2, 2, 2], "place": ["hall", "gate", "ß"] * 2}
    return replace(embedder.embed(pictures, color="rgb", columns=columns), root="crops of mine")


@pytest.mark.parametrize("name", ["t.npz", "t.parquet"])
def test_it_is_read_again(table: ImageTable, tmp_path: Path, name: str):
    found = read_table(table.save(tmp_path / "new" / name))
    assert np.array_equal(found.embedding, table.embedding)
    assert found.columns.keys() == table.columns.keys()
    for column, values in table.columns.items():
        assert found.columns[column].tolist() == values.tolist(), column
        assert found.columns[column].dtype.kind == values.dtype.kind, column
    assert (found.made_by, found.root) == (table.made_by, "crops of mine")


def test_other_tools_read_it(table: ImageTable, tmp_path: Path):
    with np.load(table.save(tmp_path / "t.npz"), allow_pickle=False) as archive:
        assert archive["embedding"].shape == (6, table.made_by.dimensions)
        assert archive["pid"].tolist() == [1, 2, 3, 1, 2, 3]
    rows = pyarrow.parquet.read_table(table.save(tmp_path / "t.parquet")).to_pylist()
    assert rows[4]["place"] == "gate"
    np.testing.assert_array_equal(np.float32(rows[4]["embedding"]), table.embedding[4])


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_query_and_gallery_are_scored(table: ImageTable, tmp_path: Path, ending: str):
    sides = {"query": slice(0, 3), "gallery": slice(3, 6)}
    files = [part_of(table, rows).save(tmp_path / f"{side}.{ending}") for side, rows in sides.items()]
    found = read_embeddings(files)
    assert found.made_by == table.made_by
    assert found.query.pid.tolist() == found.gallery.pid.tolist() == [1, 2, 3]
    assert np.array_equal(found.gallery.embedding, table.embedding[3:])
    assert not any("Not used" in note for note in found.notes)
    other = replace(part_of(table, sides["gallery"]), made_by=replace(table.made_by, digest="another"))
    with pytest.raises(EmbeddingError, match=r"query.* and .*gallery.* were made by different models.*another"):
        read_embeddings([files[0], other.save(files[1])])


def part_of(table: ImageTable, rows: slice) -> ImageTable:
    columns = {name: values[rows] for name, values in table.columns.items()}
    return replace(table, embedding=table.embedding[rows], columns=columns)


def test_endings(table: ImageTable, tmp_path: Path):
    with pytest.raises(EmbedderError, match=r"ends in '.csv'; end it in .npz or .parquet"):
        table.save(tmp_path / "t.csv")
    with pytest.raises(EmbedderError, match=r"ends in ''"):
        read_table(tmp_path)


@pytest.mark.parametrize("made_by", [None, "a good one", '{"model": "x"}'])
def test_a_file_that_does_not_say_which_model(tmp_path: Path, made_by: str | None):
    arrays = {"embedding": np.zeros((2, 3), np.float32), **({} if made_by is None else {"made_by": np.array(made_by)})}
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(EmbedderError, match=r"does not say which model made the embeddings"):
        read_table(tmp_path / "t.npz")


def test_a_damaged_file(table: ImageTable, tmp_path: Path):
    for name in ("t.npz", "t.parquet"):
        file = table.save(tmp_path / name)
        file.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(EmbeddingError, match="damaged"):
            read_table(file)
