"""Parquet as other libraries write it: all kinds of lists, gaps, categories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psnet.embeddings import EmbeddingError, EmbeddingSet, read_embeddings
from tests.embeddings.world import SPLIT, arrow_table, check_set, world


def read(place: Path, drop: tuple[str, ...] = (), **columns: Any) -> EmbeddingSet:
    """The world's table, with other columns in place of its own, in row groups of two."""
    table = arrow_table(world()).drop_columns(list(drop))
    for name, values in columns.items():
        kept = table.drop_columns([name]) if name in table.column_names else table
        table = kept.append_column(name, [values] if isinstance(values, pa.Array) else pa.chunked_array([values]))
    pq.write_table(table, place / "t.parquet", row_group_size=2)
    return read_embeddings([place / "t.parquet"])


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed"])
def test_all_kinds_of_lists(kind: str, tmp_path: Path):
    rows = world().embedding
    form = {
        "list": pa.list_(pa.float32()),
        "large_list": pa.large_list(pa.float32()),
        "fixed": pa.list_(pa.float32(), 4),
    }
    found = read(tmp_path, embedding=pa.array(rows.tolist(), form[kind]))
    check_set(found, world())


def test_categories_are_their_text(tmp_path: Path):
    split = pa.array(SPLIT).dictionary_encode()
    weather = pa.array(["sun", "rain", "sun", "sun", "rain", "sun", "sun"]).dictionary_encode()
    found = read(tmp_path, split=split, weather=weather)
    check_set(found, world())
    assert found.query.labels["weather"].tolist() == ["sun", "rain", "sun"]
    assert found.query.labels["weather"].dtype.kind == "U"


def test_kinds_of_labels(tmp_path: Path):
    days = np.arange("2026-01-01", "2026-01-08", dtype="datetime64[D]")
    found = read(tmp_path, **{"day": pa.array(days), "night": pa.array(days > days[2]), "cam.view": pa.array(SPLIT)})
    assert found.gallery.labels["day"].tolist() == days[3:].tolist()
    assert found.gallery.labels["night"].tolist() == [True] * 4
    assert found.gallery.labels["cam.view"].tolist() == ["gallery"] * 4


def test_a_column_may_be_empty_on_one_side(tmp_path: Path):
    rate = pa.array([2.0, 3.0, 4.0] + [None] * 4)
    weather = pa.array([None] * 3 + ["sun", "", "sun", "rain"])
    found = read(tmp_path, rate=rate, weather=weather, nothing=pa.nulls(7))
    assert found.query.rate.tolist() == [2, 3, 4]
    assert found.gallery.rate is None
    assert list(found.query.labels) == []
    assert {name: values.tolist() for name, values in found.gallery.labels.items()} == {
        "weather": ["sun", "", "sun", "rain"]
    }


def test_nested_columns_are_passed_over_and_said(tmp_path: Path):
    found = read(tmp_path, box=pa.array([[0, 1, 2, 3]] * 7), notes=pa.array([{"a": 1}] * 7))
    check_set(found, world())
    assert found.notes == ("t.parquet: nested columns are not used: box, notes.",)


def test_rows_of_a_side_need_not_lie_together(tmp_path: Path):
    order = np.array([3, 0, 4, 1, 5, 2, 6])
    pq.write_table(arrow_table(world()).take(order), tmp_path / "t.parquet", row_group_size=3)
    check_set(read_embeddings([tmp_path / "t.parquet"]), world())


def floats(rows: list[list[float] | None]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"embedding": floats([[1.0, 2.0]] * 3 + [None] + [[1.0, 2.0]] * 3)},
            "'embedding' has gaps in row 3; each image",
        ),
        (
            {"embedding": pa.array([[1.0, 2.0]] * 2 + [None] * 5, pa.list_(pa.float32(), 2))},
            r"gaps in row 2; each image|cannot be read \(Expected all lists",  # older releases do not read them
        ),
        ({"embedding": floats([[1.0, None]] * 7)}, "'embedding' has gaps in rows 0 to 6; each image"),
        ({"embedding": floats([[1.0, 2.0]] * 6 + [[1.0]])}, "has 1 numbers in row 6 and 2 before; all must"),
        ({"embedding": floats([[1.0, 2.0]] * 5 + [[1.0], [1.0, 2.0, 3.0]])}, "has 1 numbers in row 5 and 2 before"),
        ({"embedding": pa.array([["a", "b"]] * 7)}, "'embedding' holds list<.*string>.*; make it lists of floats"),
        ({"embedding": pa.array([[1, 2]] * 7)}, "'query_embedding' has dtype <i8; save it as float16"),
        ({"embedding": pa.array([1.0] * 7)}, r"'embedding' has shape \(7,\); give \(images, dimensions\)"),
        ({"embedding": floats([[]] * 7)}, r"'query_embedding' has shape \(3, 0\): it is empty"),
        ({"pid": pa.array([1, 2, None, 4, 5, 6, 7])}, "'pid' is missing for 1 of 3 query rows; fill the gaps"),
        ({"split": pa.array([*SPLIT[:-1].tolist(), None])}, "'split' is '' for some rows"),
        ({"pid": pa.array([b"a"] * 7)}, "'pid' has dtype object; make it numbers, or text"),
    ],
)
def test_columns_that_do_not_fit(columns: dict[str, pa.Array], message: str, tmp_path: Path):
    with pytest.raises(EmbeddingError, match=message):
        read(tmp_path, **columns)


def test_what_is_missing_and_what_is_there(tmp_path: Path):
    with pytest.raises(
        EmbeddingError, match=r"it has camid, embedding, split\. psnet's form needs .*or embedding, pid, spl"
    ):
        read(tmp_path, drop=("pid",))
    with pytest.raises(EmbeddingError, match="nothing says which rows are queries"):
        read(tmp_path, drop=("split",))


def test_no_rows(tmp_path: Path):
    pq.write_table(arrow_table(world())[:0], tmp_path / "t.parquet")
    with pytest.raises(EmbeddingError, match="'pid' is empty: there is no image"):
        read_embeddings([tmp_path / "t.parquet"])


def test_shards_with_other_columns(tmp_path: Path):
    table = arrow_table(world())
    pq.write_table(table[:4], tmp_path / "a.parquet")
    pq.write_table(table[4:].append_column("mood", [["good"] * 3]), tmp_path / "b.parquet")
    with pytest.raises(EmbeddingError) as caught:
        read_embeddings([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert re.search(
        r"'mood' is in .*b\.parquet and not in .*a\.parquet; files that are put together", str(caught.value)
    )
