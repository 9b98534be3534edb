"""What is written is read again, bit for bit; and is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from psnet.embeddings import EmbeddingError, EmbeddingSet, EmbeddingSide, read_embeddings, save_embeddings
from tests.embeddings.world import check_equal, folder_of, npz_of, psnet_arrays, torchreid_arrays, world

PLACES = ["e.npz", "e.parquet", "folder"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)


@st.composite
def embedding_sets(draw: st.DrawFn) -> EmbeddingSet:
    """Everything that a table can hold; pids of one kind, names in the order in which they are numbered."""
    width = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    people = sorted(draw(st.sets(TEXT.map(lambda t: f"p{t}"), min_size=1, max_size=4))) if draw(st.booleans()) else []
    present, used = {name: draw(st.booleans()) for name in ("camid", "rate", "path", "label")}, []

    def side() -> EmbeddingSide:
        rows = draw(st.integers(1, 5))
        numbers = hnp.arrays(np.int64, rows, elements=st.integers(-1, 9))
        chosen = hnp.arrays(np.int64, rows, elements=st.integers(0, max(0, len(people) - 1)))
        texts = st.lists(TEXT, min_size=rows, max_size=rows).map(lambda t: np.array(t, dtype=str))
        pid = draw(chosen if people else numbers)
        used.extend(pid.tolist())
        return EmbeddingSide(
            embedding=draw(hnp.arrays(dtype, (rows, width))),
            pid=pid,
            camid=draw(numbers) if present["camid"] else None,
            rate=draw(hnp.arrays(np.float64, rows, elements=st.floats(1, 9))) if present["rate"] else None,
            path=draw(texts) if present["path"] else None,
            labels={"weather": draw(texts), "night": draw(hnp.arrays(bool, rows))} if present["label"] else {},
        )

    query, gallery = side(), side()
    if people:  # all of them appear, else the numbers would be others when they are read
        kept = {number: place for place, number in enumerate(sorted(set(used)))}
        query, gallery = (_numbered(s, kept) for s in (query, gallery))
        return EmbeddingSet(query, gallery, pid_names={place: people[number] for number, place in kept.items()})
    return EmbeddingSet(query, gallery)


def _numbered(side: EmbeddingSide, kept: dict[int, int]) -> EmbeddingSide:
    pid = np.array([kept[number] for number in side.pid.tolist()])
    return EmbeddingSide(side.embedding, pid, side.camid, side.rate, side.labels, side.path)


@pytest.mark.parametrize("name", PLACES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=embedding_sets())
def test_round_trip(name: str, wanted: EmbeddingSet, tmp_path: Path):
    place = save_embeddings(wanted, tmp_path / name)
    assert place == tmp_path / name
    found = read_embeddings([place])
    for own, side in ((found.query, wanted.query), (found.gallery, wanted.gallery)):
        assert own.embedding.tobytes() == side.embedding.tobytes()  # NaN too
    check_equal(_without_embeddings(found), _without_embeddings(wanted))


def _without_embeddings(whole: EmbeddingSet) -> EmbeddingSet:
    sides = (EmbeddingSide(None, s.pid, s.camid, s.rate, s.labels, s.path) for s in (whole.query, whole.gallery))
    return EmbeddingSet(*sides, distances=np.zeros((len(whole.query), len(whole.gallery))), pid_names=whole.pid_names)


@pytest.mark.parametrize("name", PLACES)
def test_one_side_may_have_more(name: str, tmp_path: Path):
    query, gallery = (EmbeddingSide(side["embedding"], side["pid"]) for side in world().sides())
    more = EmbeddingSide(
        query.embedding, query.pid, rate=np.array([2.0, 3, 4]), labels={"view": np.array(["a", "b", "c"])}
    )
    wanted = EmbeddingSet(more, gallery)
    check_equal(read_embeddings([save_embeddings(wanted, tmp_path / name)]), wanted)


@pytest.mark.parametrize("name", ["e.npz", "folder"])
def test_distances(name: str, tmp_path: Path):
    sides = [EmbeddingSide(None, side["pid"], side["camid"]) for side in world().sides()]
    wanted = EmbeddingSet(*sides, distances=np.random.default_rng(0).random((3, 4)))
    check_equal(read_embeddings([save_embeddings(wanted, tmp_path / "new" / name)]), wanted)
    with pytest.raises(EmbeddingError, match=r"a table has no place for distances; write an \.npz or a folder"):
        save_embeddings(wanted, tmp_path / "e.parquet")


def some() -> EmbeddingSet:
    return EmbeddingSet(*(EmbeddingSide(**side) for side in world().sides()))


def test_another_tool_can_read_the_archive(tmp_path: Path):
    save_embeddings(some(), tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as archive:
        assert {name: values.tolist() for name, values in archive.items()} == {
            name: values.tolist() for name, values in psnet_arrays(world()).items()
        }


def test_what_was_read_from_a_folder_can_be_written_to_it(tmp_path: Path):
    """Memory maps of the very files that are replaced."""
    place = save_embeddings(some(), tmp_path / "e")
    save_embeddings(read_embeddings([place]), place)
    check_equal(read_embeddings([place]), some())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e"]


@pytest.mark.parametrize("name", PLACES)
def test_a_writer_that_dies_leaves_the_one_before(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = save_embeddings(some(), tmp_path / name)
    calls: list[Any] = []

    def full(*given: Any) -> None:
        calls.append(given)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_embeddings(EmbeddingSet(some().gallery, some().query), place)
    monkeypatch.undo()
    assert calls
    check_equal(read_embeddings([place]), some())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_only_folders_of_embeddings_are_replaced(tmp_path: Path):
    images = folder_of(tmp_path / "images", {"0001_c1s1_000151_00": np.zeros(3)})
    (tmp_path / "file").write_text("mine")
    for place in (images, tmp_path / "file", tmp_path):
        with pytest.raises(EmbeddingError, match="is there already, and is no folder of embeddings; give another name"):
            save_embeddings(some(), place)
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in images.iterdir()] == ["0001_c1s1_000151_00.npy"]


def test_names_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(
        EmbeddingError, match=r"ends in '\.pt'; end it in \.npz or \.parquet, or in nothing for a folder"
    ):
        save_embeddings(some(), tmp_path / "e.pt")
    query = some().query
    strange = EmbeddingSide(query.embedding, query.pid, labels={"a/b": query.pid})
    odd = EmbeddingSet(strange, EmbeddingSide(query.embedding, query.pid))
    with pytest.raises(EmbeddingError, match="'query_a/b' cannot be the name of a file; rename that label"):
        save_embeddings(odd, tmp_path / "e")
    split = EmbeddingSide(query.embedding, query.pid, labels={"split": query.pid})
    with pytest.raises(EmbeddingError, match="a label is named 'split', a column of its own in a table; rename it"):
        save_embeddings(EmbeddingSet(split, EmbeddingSide(query.embedding, query.pid)), tmp_path / "e.parquet")
    mixed = {"view": np.arange(3)}, {"view": np.array(["a"] * 4)}
    sides = [EmbeddingSide(s["embedding"], s["pid"], labels=m) for s, m in zip(world().sides(), mixed, strict=True)]
    with pytest.raises(EmbeddingError, match="query and gallery have columns of different types"):
        save_embeddings(EmbeddingSet(*sides), tmp_path / "e.parquet")


def test_one_form_into_another(tmp_path: Path):
    found = read_embeddings([npz_of(tmp_path / "t.npz", torchreid_arrays(world()))])
    for name in PLACES:
        check_equal(read_embeddings([save_embeddings(found, tmp_path / name)]), found)
