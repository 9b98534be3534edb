"""One world in each form that tools write it in: the same set comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy import io

from psnet.embeddings import FORMATS, NAMINGS, read_embeddings
from tests.embeddings.world import (
    IMAGES,
    QUERIES,
    SPLIT,
    World,
    arrow_table,
    check_set,
    folder_of,
    npz_of,
    predictions,
    psnet_arrays,
    tensors_of,
    torchreid_arrays,
    without,
    world,
)


def own_npz(w: World, place: Path) -> list[Path]:
    return [npz_of(place / "own.npz", psnet_arrays(w))]


def table_npz(w: World, place: Path) -> list[Path]:
    return [npz_of(place / "table.npz", {**vars(w), "split": SPLIT})]


def table_npz_compressed(w: World, place: Path) -> list[Path]:
    np.savez_compressed(place / "table.npz", **vars(w), split=SPLIT.astype("S"))
    return [place / "table.npz"]


def two_npz(w: World, place: Path) -> list[Path]:
    return [npz_of(place / f"{n}.npz", c) for n, c in zip(("query", "gallery"), w.sides(), strict=True)]


def own_folder(w: World, place: Path) -> list[Path]:
    return [folder_of(place / "own", psnet_arrays(w))]


def folder_of_two(w: World, place: Path) -> list[Path]:
    for name, columns in zip(("query", "gallery"), w.sides(), strict=True):
        folder_of(place / "both" / name, columns)
    return [place / "both"]


def single_files(w: World, place: Path) -> list[Path]:
    return sorted(folder_of(place / "files", torchreid_arrays(w)).iterdir())


def torchreid_npz(w: World, place: Path) -> list[Path]:
    return [npz_of(place / "torchreid.npz", torchreid_arrays(w))]


def torchreid_pt(w: World, place: Path) -> list[Path]:
    torch.save(tensors_of(torchreid_arrays(w)), place / "torchreid.pt")
    return [place / "torchreid.pt"]


def torchreid_lists(w: World, place: Path) -> list[Path]:
    """In the old form of torch.save, which cannot be mapped."""
    content = {n: torch.tensor(v) if v.ndim == 2 else v.tolist() for n, v in torchreid_arrays(w).items()}
    content["qf"].requires_grad_()
    torch.save(content, place / "torchreid.pth", _use_new_zipfile_serialization=False)
    return [place / "torchreid.pth"]


def fastreid_npz(w: World, place: Path) -> list[Path]:
    arrays = {"feats": w.embedding, "pids": w.pid, "camids": w.camid, "num_query": QUERIES}
    return [npz_of(place / "fastreid.npz", arrays)]


def fastreid_predictions(w: World, place: Path) -> list[Path]:
    torch.save({"predictions": predictions(w), "num_query": QUERIES}, place / "fastreid.pt")
    return [place / "fastreid.pt"]


def market_files(w: World, place: Path, gallery: str = "gallery") -> list[Path]:
    """As demo.py of fast-reid: one row a file, names in the order of the table."""
    rows = zip(w.embedding, w.pid, w.camid, SPLIT, strict=True)
    for number, (row, pid, camid, split) in enumerate(rows):
        folder = place / {"query": "query", "gallery": gallery}[split]
        folder.mkdir(parents=True, exist_ok=True)
        person = f"{pid:04d}" if pid >= 0 else "-1"
        np.save(folder / f"{person}_c{camid}s1_{number:06d}_00.npy", row[None])
    return [place / "query", place / gallery]


def market_folder(w: World, place: Path) -> list[Path]:
    market_files(w, place / "out", gallery="bounding_box_test")
    return [place / "out"]


def mat(w: World, place: Path) -> list[Path]:
    """As many baselines: labels as lists, which become (1, N)."""
    query, gallery = w.sides()
    content = {
        f"{side}_{name}": values if name == "f" else values.tolist()
        for side, columns in (("query", query), ("gallery", gallery))
        for name, values in zip(("f", "label", "cam"), columns.values(), strict=True)
    }
    content["mquery_f"], content["mquery_label"] = w.embedding, w.pid.tolist()
    io.savemat(place / "pytorch_result.mat", content)
    return [place / "pytorch_result.mat"]


def parquet(w: World, place: Path) -> list[Path]:
    pq.write_table(arrow_table(w), place / "table.parquet", row_group_size=2)
    return [place / "table.parquet"]


def parquet_shards(w: World, place: Path) -> list[Path]:
    table = arrow_table(w)
    for number, part in enumerate((table[:2], table[2:5], table[5:])):
        pq.write_table(part, place / f"{number}.parquet")
    return [place / f"{number}.parquet" for number in range(3)]


def parquet_sides(w: World, place: Path) -> list[Path]:
    table = arrow_table(w, split=False)
    pq.write_table(table[:QUERIES], place / "query.parquet")
    pq.write_table(table[QUERIES:], place / "gallery.parquet")
    return [place / "gallery.parquet", place / "query.parquet"]


FORMS: list[Callable[[World, Path], list[Path]]] = [
    own_npz,
    table_npz,
    table_npz_compressed,
    two_npz,
    own_folder,
    folder_of_two,
    single_files,
    torchreid_npz,
    torchreid_pt,
    torchreid_lists,
    fastreid_npz,
    fastreid_predictions,
    mat,
    parquet,
    parquet_shards,
    parquet_sides,
]


DTYPES = (np.float32, np.float64, np.float16)
CASES = [(w, d) for w in FORMS for d in DTYPES if (w, d) != (mat, np.float16)]  # MATLAB has no half precision

NAMED_BY_FILE = (own_folder, folder_of_two, single_files, torchreid_lists)
"""Forms in which the names of files are those of arrays, or in which a file has no mark of its own."""


@pytest.mark.parametrize(("write", "dtype"), CASES, ids=lambda case: case.__name__)
def test_the_same_set_comes_back(write, dtype, tmp_path: Path):

    w = world(dtype)
    found = read_embeddings(write(w, tmp_path))
    check_set(found, w)
    assert found.distances is None
    assert found.pid_names == {}
    assert found.query.labels == found.gallery.labels == {}


@pytest.mark.parametrize("write", [w for w in FORMS if w not in NAMED_BY_FILE], ids=lambda write: write.__name__)
def test_the_end_of_a_name_does_not_matter(write, tmp_path: Path):
    renamed = [file.rename(file.with_suffix(".data")) for file in write(world(), tmp_path)]
    check_set(read_embeddings(renamed), world())


@pytest.mark.parametrize("write", [market_files, market_folder], ids=lambda write: write.__name__)
def test_one_file_an_image(write, tmp_path: Path):
    w = world()
    found = read_embeddings(write(w, tmp_path))
    query, gallery = w.sides()
    for side, wanted in ((found.query, query), (found.gallery, gallery)):
        numbers = [int(str(path).split("_")[2]) for path in side.path]  # rows are in the order of names
        order = np.array(numbers) - min(numbers)
        assert sorted(side.path.tolist()) == side.path.tolist()
        assert (side.embedding == wanted["embedding"][order]).all()
        assert (side.pid == wanted["pid"][order]).all()
        assert (side.camid == wanted["camid"][order]).all()


def test_duke_names_and_vectors(tmp_path: Path):
    for folder, name in (("query", "0001_c2_f0046182"), ("gallery", "0005_c8_f0000001")):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / f"{name}.npy", np.arange(3.0))
    found = read_embeddings([tmp_path])
    assert (found.query.pid[0], found.query.camid[0], found.gallery.camid[0]) == (1, 2, 8)
    assert found.gallery.embedding.tolist() == [[0, 1, 2]]


def test_every_naming_and_format_is_tried():
    assert set(NAMINGS) == {"psnet", "torchreid", "fast-reid", "pytorch_result.mat"}
    assert set(FORMATS) == {"npz", "npy", "folder", "images", "parquet", "torch", "mat"}


def test_ready_distances(tmp_path: Path):
    arrays = without(torchreid_arrays(world()), "qf", "gf")
    distances = np.arange(QUERIES * (IMAGES - QUERIES), dtype=np.float32).reshape(QUERIES, -1)
    found = read_embeddings([npz_of(tmp_path / "d.npz", {**arrays, "distmat": distances})])
    assert found.query.embedding is None
    assert found.gallery.embedding is None
    assert (found.distances == distances).all()
    assert found.query.pid.tolist() == [5, 3, 5]


def test_distances_of_a_table(tmp_path: Path):
    w, distances = world(), np.ones((QUERIES, IMAGES - QUERIES))
    arrays = {"pids": w.pid, "num_query": QUERIES, "distances": distances}
    found = read_embeddings([npz_of(tmp_path / "d.npz", arrays)])
    assert found.distances.shape == distances.shape
    assert (len(found.query), len(found.gallery)) == (QUERIES, IMAGES - QUERIES)


def test_predictions_alone_need_num_query(tmp_path: Path):
    torch.save(predictions(world()), tmp_path / "p.pt")
    check_set(read_embeddings([tmp_path / "p.pt"], num_query=QUERIES), world())


def test_rows_in_any_order(tmp_path: Path):
    w = world()
    order = np.random.default_rng(1).permutation(IMAGES)
    columns = {name: values[order] for name, values in vars(w).items()}
    found = read_embeddings([npz_of(tmp_path / "t.npz", {**columns, "split": SPLIT[order]})])
    query = order[order < QUERIES]
    assert (found.query.embedding == w.embedding[query]).all()
    assert (found.query.pid == w.pid[query]).all()
    assert (found.gallery.pid == w.pid[order[order >= QUERIES]]).all()


def test_no_cameras(tmp_path: Path):
    arrays = without(torchreid_arrays(world()), "q_camids", "g_camids")
    found = read_embeddings([npz_of(tmp_path / "n.npz", arrays)])
    assert found.query.camid is None
    assert found.gallery.camid is None


def test_rates_paths_and_labels(tmp_path: Path):
    more = {
        "query_rate": np.array([2, 3, 4]),
        "query_path": np.array(["a.png", "b.png", "é.png"]),
        "query_weather": np.array(["rain", "sun", "sun"]),
        "gallery_night": np.zeros(IMAGES - QUERIES, dtype=bool),
        "query_maps": np.zeros((QUERIES, 2, 2)),
        "epoch": np.array(9),
    }
    found = read_embeddings([npz_of(tmp_path / "m.npz", {**psnet_arrays(world()), **more})])
    assert found.query.rate.tolist() == [2.0, 3.0, 4.0]
    assert found.query.rate.dtype == np.float64
    assert found.query.path.tolist() == ["a.png", "b.png", "é.png"]
    assert found.gallery.rate is None
    assert {name: values.tolist() for name, values in found.query.labels.items()} == {"weather": ["rain", "sun", "sun"]}
    assert list(found.gallery.labels) == ["night"]
    assert found.notes == ("Not used: epoch, query_maps.",)


def test_labels_of_a_table_and_rows_to_train_on(tmp_path: Path):
    w, split = world(), SPLIT.copy()
    split[QUERIES] = "train"
    arrays = {**vars(w), "split": split, "weather": np.arange(IMAGES), "classes": np.zeros((751, 2))}
    found = read_embeddings([npz_of(tmp_path / "t.npz", arrays)])
    assert found.gallery.labels["weather"].tolist() == list(range(QUERIES + 1, IMAGES))
    assert found.notes == ("Not used: classes.", "1 rows of split train are left out.")


def test_multi_queries_are_not_used_and_said(tmp_path: Path):
    assert read_embeddings(mat(world(), tmp_path)).notes == ("Not used: mquery_f, mquery_label.",)


def test_arrays_that_are_not_used_may_be_what_they_like(tmp_path: Path):
    np.savez(tmp_path / "o.npz", **torchreid_arrays(world()), configuration=np.array({"a": 1}, dtype=object))
    found = read_embeddings([tmp_path / "o.npz"])
    check_set(found, world())
    assert found.notes == ("Not used: configuration.",)


def test_whole_floats_are_numbers_of_people(tmp_path: Path):
    """MATLAB's numbers are doubles unless told otherwise."""
    w = world()
    w.pid = w.pid.astype(np.float64)[:, None]
    found = read_embeddings([npz_of(tmp_path / "f.npz", psnet_arrays(w))])
    assert found.query.pid.tolist() == [5, 3, 5]


def test_the_source_is_named(tmp_path: Path):
    files = single_files(world(), tmp_path)
    assert read_embeddings(files).source == f"{files[0]}, {files[1]}, {files[2]} and 3 more"


def test_a_format_is_forced(tmp_path: Path):
    """A folder of arrays one of which is named like an image of Market-1501."""
    folder = folder_of(tmp_path / "odd", {**psnet_arrays(world()), "0001_c1s1_000151_00": np.zeros(3)})
    check_set(read_embeddings([folder], format="folder"), world())
