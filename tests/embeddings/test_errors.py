"""What is wrong with a file is said in the file's own names, with what to do."""

from __future__ import annotations

import builtins
import pickle
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import io

from psnet.embeddings import EmbeddingError, EmbeddingSet, EmbeddingSide, read_embeddings
from tests.embeddings.world import (
    IMAGES,
    QUERIES,
    SPLIT,
    WIDTH,
    folder_of,
    npz_of,
    predictions,
    psnet_arrays,
    tensors_of,
    torchreid_arrays,
    without,
    world,
)

Arrays = dict[str, Any]
TORCHREID = torchreid_arrays(world())
TABLE: Arrays = {**vars(world()), "num_query": np.array(QUERIES)}


def refused(paths: list[Path], **more: Any) -> str:
    with pytest.raises(EmbeddingError) as caught:
        read_embeddings(paths, **more)
    message = str(caught.value)
    assert message.startswith(str(paths[0])) or "format=" in message, "the file comes first"
    return message.replace(f"{paths[0]}: ", "")


# ---------------------------------------------------------------- arrays


ARRAYS: list[tuple[Arrays, str]] = [
    # missing
    ({}, "it has no arrays. psnet's form needs .*; or torchreid's form needs qf, q_pids, gf, g_pids; or fast-reid's"),
    ({"features": np.zeros(3), "ids": np.zeros(3)}, r"it has features, ids\. psnet's form needs query_embedding, "),
    (
        without(TORCHREID, "q_pids", "g_pids"),
        "it has g_camids, gf, q_camids, qf. torchreid's form needs qf, q_pids, gf,",
    ),
    (without(TORCHREID, "gf"), "there is no 'gf'; there is 'g_camids', 'g_pids', 'q_camids', 'qf', 'q_pids'"),
    (without(TORCHREID, "gf", "g_pids", "g_camids"), "there is no 'gf' and no 'g_pids'; there is 'q_camids', 'qf'"),
    (without(TORCHREID, "g_camids"), "'q_camids' is there and 'g_camids' is missing. The same-camera rule needs both"),
    (without(TORCHREID, "q_camids"), "'g_camids' is there and 'q_camids' is missing. The same-camera rule needs both"),
    (
        without(TABLE, "num_query"),
        "nothing says which rows are queries. Give 'split' .*, or 'num_query' .*, or two files",
    ),
    # too much
    ({**TORCHREID, **psnet_arrays(world())}, r"the names are psnet's \(.*\) and torchreid's \(qf, .*\) at once"),
    ({**TORCHREID, "pid": np.zeros(3)}, "there are 'pid' for all images and 'q_pids' too; leave one of them out"),
    ({**TABLE, "split": np.array(["query"] * 7)}, "'split' and 'num_query' are both there; leave one out"),
    ({**TORCHREID, "distmat": np.zeros((3, 4))}, "there are 'distmat' and embeddings too, and these can rank diff"),
    # lengths
    ({**TORCHREID, "q_pids": np.arange(2)}, "'qf' has 3 rows and 'q_pids' has 2; each image has one entry in both"),
    ({**TORCHREID, "g_camids": np.arange(9)}, "'g_camids' has 9 rows and 'g_pids' has 4"),
    ({**TORCHREID, "qf": np.zeros((4, 3))}, r"'qf' has 4 rows and 'q_pids' has 3; it looks transposed"),
    ({**TABLE, "embedding": np.zeros((4, 7))}, "'embedding' has 4 rows and 'pid' has 7; it looks transposed"),
    ({**TABLE, "embedding": np.zeros(())}, r"'embedding' has shape \(\); give \(images, dimensions\)"),
    ({**TABLE, "pid": np.zeros(0, int)}, "'pid' is empty: there is no image"),
    ({**TABLE, "camid": np.arange(6)}, "'camid' has 6 rows and 'pid' has 7"),
    ({**TABLE, "weather": np.arange(6)}, "'weather' has 6 rows and 'pid' has 7"),
    ({**without(TABLE, "num_query"), "split": np.array(["query"] * 6)}, "'split' has 6 rows and 'pid' has 7"),
    # shapes
    ({**TORCHREID, "qf": np.zeros(3)}, r"'qf' has shape \(3,\); give \(images, dimensions\)"),
    ({**TORCHREID, "qf": np.zeros((3, 4, 1, 1))}, r"'qf' has shape \(3, 4, 1, 1\); give \(images, dimensions\)"),
    ({**TORCHREID, "qf": np.zeros((3, 0)), "gf": np.zeros((4, 0))}, r"'qf' has shape \(3, 0\): it is empty"),
    ({**TORCHREID, "gf": np.zeros((4, 5))}, "'qf' has 4 dimensions and 'gf' 5; both must come from one network"),
    ({**TORCHREID, "q_pids": np.zeros((3, 2), int)}, r"'q_pids' has shape \(3, 2\); give \(images,\)"),
    ({**TORCHREID, "q_pids": np.int64(3)}, r"'q_pids' has shape \(\); give \(images,\)"),
    ({**TORCHREID, "g_pids": np.zeros(0, int), "gf": np.zeros((0, 4))}, "'g_pids' is empty: there is no gallery image"),
    (
        {**without(TORCHREID, "qf", "gf"), "distmat": np.zeros((4, 3))},
        r"'distmat' .* here \(3, 4\); it looks transposed",
    ),
    (
        {**without(TORCHREID, "qf", "gf"), "distmat": np.zeros((3, 9))},
        r"'distmat' has shape \(3, 9\); .*here \(3, 4\)$",
    ),
    # types
    ({**TORCHREID, "qf": np.zeros((3, 4), np.uint8)}, r"'qf' has dtype \|u1; save it as float16, float32 or float64"),
    ({**TORCHREID, "qf": np.zeros((3, 4), ">f4")}, "'qf' has dtype >f4; save it as float16, float32 or float64"),
    ({**TORCHREID, "qf": np.zeros((3, 4), complex)}, "'qf' has dtype <c16; save it"),
    ({**TORCHREID, "q_pids": np.array([1.5, 2, 3])}, r"'q_pids' holds 1\.5 at row 0; give whole numbers or text"),
    ({**TORCHREID, "g_pids": np.array([1, 2, 3, np.nan])}, "'g_pids' holds nan at row 3"),
    ({**TORCHREID, "g_pids": np.array([1, 2, 3, 1e300])}, r"'g_pids' holds 1e\+300 at row 3"),
    ({**TORCHREID, "q_pids": np.array([True, False, True])}, "'q_pids' has dtype bool; give whole numbers or text"),
    (
        {**TORCHREID, "q_pids": np.array([2**63, 1, 2], np.uint64)},
        "'q_pids' holds 9223372036854775808, which is beyond",
    ),
    (
        {**TORCHREID, "q_pids": np.array(["1", "2", "3"])},
        r"'q_pids' is text \(\['1'\]\) and 'g_pids' is whole numbers \(\[3\]\), so nothing would match",
    ),
    # values
    ({**TABLE, "num_query": np.array(7)}, "'num_query' is 7; give a whole number from 1 to 6"),
    ({**TABLE, "num_query": np.array(0)}, "'num_query' is 0; give"),
    ({**TABLE, "num_query": np.array([3, 4])}, r"'num_query' is \[3, 4\]; give"),
    (
        {**without(TABLE, "num_query"), "split": np.array(["query"] * 7)},
        r"no row has the 'split' gallery; .*'query': 7",
    ),
    (
        {**without(TABLE, "num_query"), "split": np.array(["test"] * 7)},
        "'split' is 'test' for some rows; give 'query' or",
    ),
    ({**psnet_arrays(world()), "query_rate": np.array([1, 0.5, 2])}, r"'query_rate' is 0\.5 at row 1; give the factor"),
    ({**psnet_arrays(world()), "query_rate": np.array([1, np.nan, 2])}, r"'query_rate' is nan at row 1"),
    ({**psnet_arrays(world()), "query_rate": np.array(["1", "2", "3"])}, "'query_rate' has dtype <U1; give numbers"),
    ({**psnet_arrays(world()), "query_path": np.arange(3)}, "'query_path' has dtype int64; give text"),
    ({**psnet_arrays(world()), "query_label": np.arange(2)}, "'query_label' has 2 rows and 'query_pid' has 3"),
]


@pytest.mark.parametrize(("arrays", "message"), ARRAYS, ids=[message[:50] for _, message in ARRAYS])
def test_arrays_that_do_not_fit(arrays: Arrays, message: str, tmp_path: Path):
    assert re.search(message, refused([npz_of(tmp_path / "a.npz", arrays)]))


def test_many_names_are_cut(tmp_path: Path):
    file = npz_of(tmp_path / "a.npz", {f"layer{number:02d}": np.zeros(1) for number in range(50)})
    assert "layer11 and 38 more. psnet's" in refused([file])


def test_num_query_by_hand(tmp_path: Path):
    table = npz_of(tmp_path / "t.npz", TABLE)
    assert "num_query=2 is given, and 'num_query' is 3" in refused([table], num_query=2)
    sides = npz_of(tmp_path / "s.npz", TORCHREID)
    assert "num_query=2 is given, and query and gallery are apart already" in refused([sides], num_query=2)


# ---------------------------------------------------------------- nothing is unpickled


class Trap:
    """Whoever unpickles it, runs it."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (exec, ("import builtins; builtins.sprung = True", ""))


@pytest.fixture
def _untouched():
    yield
    assert not hasattr(builtins, "sprung")


def test_what_is_no_archive_is_not_to_be_trusted(tmp_path: Path):
    file = tmp_path / "a.npz"
    file.write_bytes(bytes(range(7, 207)))
    said = refused([file])
    assert "cannot be read (no archive of np.savez): it is damaged" in said
    assert "pickle" not in said


@pytest.mark.usefixtures("_untouched")
def test_pickled_arrays_are_refused(tmp_path: Path):
    trap = np.array([Trap()] * 3, dtype=object)
    file = npz_of(tmp_path / "a.npz", {**TORCHREID, "q_pids": trap})
    assert re.match(r"q_pids holds pickled Python objects\. .*; save plain arrays: .*dtype=str", refused([file]))
    folder = folder_of(tmp_path / "arrays", TORCHREID)
    np.save(folder / "q_pids.npy", trap, allow_pickle=True)
    assert re.search(r"q_pids\.npy holds pickled Python objects", refused([folder]))


@pytest.mark.usefixtures("_untouched")
@pytest.mark.parametrize("name", ["p.pkl", "p.npz", "p.npy"])
def test_pickles_are_refused_whatever_their_name(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(pickle.dumps({"qf": Trap()}))
    assert re.search(r"holds pickled Python objects|cannot be read", refused([tmp_path / name]))


@pytest.mark.usefixtures("_untouched")
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_with_code_are_refused(zipped: bool, tmp_path: Path):
    torch.save({**TORCHREID, "q_pids": Trap()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert re.search("holds Python objects besides tensors.* refused", refused([tmp_path / "a.pt"]))


def test_numpy_in_torch_files_says_what_to_save(tmp_path: Path):
    torch.save(TORCHREID, tmp_path / "a.pt")
    assert re.search(r"\(numpy.*\).*save NumPy arrays as torch\.from_numpy\(array\)", refused([tmp_path / "a.pt"]))


# ---------------------------------------------------------------- files


def test_no_file(tmp_path: Path):
    with pytest.raises(EmbeddingError, match="no files are given"):
        read_embeddings([])
    assert "does not exist; give a file or a folder" in refused([tmp_path / "nowhere.npz"])


def test_a_file_given_twice_would_count_twice(tmp_path: Path):
    file = npz_of(tmp_path / "t.npz", TABLE)
    (tmp_path / "link.npz").symlink_to(file)
    assert "is given twice; give each file once" in refused([tmp_path / "link.npz", tmp_path / "link.npz"])
    with pytest.raises(EmbeddingError, match=r"link\.npz is given twice"):
        read_embeddings([file, tmp_path / "link.npz"])


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.pt", "a.mat", "a.parquet", "a.csv"])
def test_empty_files(name: str, tmp_path: Path):
    (tmp_path / name).touch()
    assert re.search(r"is empty \(0 bytes\)|is of no known format", refused([tmp_path / name]))


def writers() -> dict[str, Callable[[Path], None]]:
    from psnet.embeddings import save_embeddings

    tensors = tensors_of(TORCHREID)
    return {
        "a.npz": lambda path: np.savez(path, **TORCHREID),
        "a.pt": lambda path: torch.save(tensors, path),
        "a.pth": lambda path: torch.save(tensors, path, _use_new_zipfile_serialization=False),
        "a.mat": lambda path: io.savemat(path, TORCHREID, do_compression=True),
        "qf.npy": lambda path: np.save(path, TORCHREID["qf"]),
        "a.parquet": lambda path: save_embeddings(
            EmbeddingSet(*(EmbeddingSide(s["embedding"], s["pid"]) for s in world().sides())), path
        ),
    }


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", list(writers()))
def test_files_that_are_cut_off(name: str, share: float, tmp_path: Path):
    writers()[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    files = [tmp_path / name]
    if name == "qf.npy":
        files += folder_of(tmp_path / "rest", without(TORCHREID, "qf")).iterdir()
    assert re.search(r"(cannot be read \(.+\): it is damaged,|it is) cut off.*; write it again", refused(files))


def test_an_archive_with_a_flipped_bit(tmp_path: Path):
    file = npz_of(tmp_path / "a.npz", TORCHREID)
    content = bytearray(file.read_bytes())
    content[180] ^= 1  # within the numbers of qf
    file.write_bytes(content)
    assert "Bad CRC-32 for file 'qf.npy'" in refused([file])


def test_an_archive_of_other_things(tmp_path: Path):
    npz_of(tmp_path / "a.npz", without(TORCHREID, "qf"))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("qf", "1 2 3")
    assert "qf is no array; write the archive with np.savez" in refused([tmp_path / "a.npz"])


def test_unknown_formats_list_the_known(tmp_path: Path):
    (tmp_path / "a.csv").write_text("pid,1,2\n")
    message = refused([tmp_path / "a.csv"])
    assert re.match(r".*a\.csv is of no known format\. Known are: npz \(\.npz\): .*mat \(\.mat\): ", message)
    assert re.search("format='csv' is not known; it can be npz, npy, folder,", refused([tmp_path], format="csv"))


def test_a_forced_format_that_is_not_there(tmp_path: Path):
    file = npz_of(tmp_path / "a.npz", TORCHREID)
    assert "is a file, and format=folder is a folder of .npy files" in refused([file], format="folder")
    assert "is a folder, and format=npz is an archive" in refused([tmp_path], format="npz")
    assert "it is damaged, cut off, or of another form" in refused([file], format="mat")


def test_files_that_do_not_go_together(tmp_path: Path):
    one, two = (npz_of(tmp_path / name, TORCHREID) for name in ("one.npz", "two.npz"))
    assert re.search(
        r"one\.npz, .*two\.npz hold the same arrays; name two files query and gallery", refused([one, two])
    )
    three = npz_of(tmp_path / "three.npz", without(TORCHREID, "qf"))
    assert re.search(r"'qf' is in .*one\.npz and not in .*three\.npz; files that are put", refused([one, three]))
    folder = folder_of(tmp_path / "f", without(TORCHREID, "qf"))
    alone = [npz_of(tmp_path / f"{name}.npz", {name: np.zeros((3, 4))}) for name in ("qf",)]
    np.savez(tmp_path / "qf2.npz", qf=np.zeros((3, 4)), gf=np.zeros((4, 4)))
    assert "'gf' is in more than one file" in refused([folder, *alone, tmp_path / "qf2.npz"])


def test_tables_that_do_not_go_together(tmp_path: Path):
    table = {**without(TABLE, "num_query"), "split": SPLIT}
    one = npz_of(tmp_path / "one.npz", table)
    for name, values in (("pid", table["pid"].astype(str)), ("embedding", np.zeros((IMAGES, WIDTH), np.float16))):
        two = npz_of(tmp_path / "two.npz", {**table, name: values})
        assert re.search(rf"'{name}' is .* in .*two\.npz and .* in .*one\.npz; save it alike", refused([one, two]))


# ---------------------------------------------------------------- one file an image


def test_folders_of_images(tmp_path: Path):
    (tmp_path / "query").mkdir()
    assert "query holds no .npy files" in refused([tmp_path / "query"])
    np.save(tmp_path / "query" / "0001_c1s1_000151_00.npy", np.zeros(3))
    assert "there is no 'gallery_embedding' and no 'gallery_pid'" in refused([tmp_path / "query"])
    np.save(tmp_path / "query" / "0002_c1s1_000151_00.npy", np.zeros(4))
    folders = [tmp_path / "query", folder_of(tmp_path / "gallery", {"0003_c1s1_000151_00": np.zeros(3)})]
    assert re.search(r"0002_.*npy holds 4 numbers of float64 and 0001.* holds 3", refused(folders))
    np.save(tmp_path / "query" / "0002_c1s1_000151_00.npy", np.zeros((3, 2)))
    assert re.search(r"0002_.* has shape \(3, 2\); give one embedding a file", refused(folders))
    np.save(tmp_path / "query" / "anna.npy", np.zeros(3))
    assert re.search(r"anna\.npy is not named like 0001_c1s1_000151_00\.npy", refused(folders))


def test_folders_need_a_side(tmp_path: Path):
    folders = [folder_of(tmp_path / name, {"0003_c1s1_000151_00": np.zeros(3)}) for name in ("probe", "rest")]
    assert "hold the same arrays; name two files query and gallery" in refused(folders)


# ---------------------------------------------------------------- torch and MATLAB


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "holds a Tensor; save a dictionary of tensors"),
        ([1, 2], "predictions must be a list of dictionaries, one a batch"),
        ([], "predictions must be a list of dictionaries, one a batch, and not empty"),
        (predictions(world()), "nothing says which rows are queries"),
        (
            [*predictions(world()), {"feats": torch.zeros(1, 4)}],
            "batch 4: it has feats; give tensors named camids, feats",
        ),
        (
            {"predictions": [{"feats": torch.zeros(2, 3)}, {"feats": torch.zeros(2, 4)}], "num_query": 1},
            "the batches do not fit together",
        ),
        (
            {**tensors_of(TORCHREID), "qf": torch.zeros(3, 4).bfloat16()},
            r"qf is a torch\.bfloat16 tensor, .*; save value\.float\(\)",
        ),
        (
            {**tensors_of(TORCHREID), "q_pids": ["1", 2, "3"]},
            "q_pids is a list of int, str; save a tensor",
        ),
        (
            {**tensors_of(TORCHREID), "qf": [torch.zeros(4)] * 3},
            "qf is a list of Tensor; save a tensor",
        ),
    ],
)
def test_torch_files(content: Any, message: str, tmp_path: Path):
    torch.save(content, tmp_path / "a.pt")

    assert re.search(message, refused([tmp_path / "a.pt"]))


def test_matlab_cells_and_new_files(tmp_path: Path):
    cells = np.array(["a", "b", "c"], dtype=object)
    io.savemat(tmp_path / "a.mat", {**TORCHREID, "q_pids": cells})
    assert "q_pids is a cell array or a struct; save a numeric or a char array" in refused([tmp_path / "a.mat"])
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    assert "is of MATLAB's version 7.3; save it with scipy.io.savemat" in refused([tmp_path / "b.mat"])


@pytest.mark.parametrize(("name", "library"), [("a.mat", "scipy"), ("a.parquet", "pyarrow")])
def test_a_library_that_is_missing(name: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writers()[name](tmp_path / name)
    for module in [module for module in sys.modules if module.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    assert f"install it with pip install -e '.[{name[2:]}]'" in refused([tmp_path / name])


# ---------------------------------------------------------------- the set itself


def test_a_set_made_by_hand_is_checked_too():
    query, gallery = (EmbeddingSide(side["embedding"], side["pid"]) for side in world().sides())
    with pytest.raises(EmbeddingError, match="pid_names has no name for pid 3"):
        EmbeddingSet(query, gallery, pid_names={5: "anna"})
    with pytest.raises(EmbeddingError, match="there is no 'gallery_embedding', and no 'distances' either"):
        EmbeddingSet(query, EmbeddingSide(None, gallery.pid))
    with pytest.raises(EmbeddingError, match="a label is named 'rate', which means something else"):
        EmbeddingSet(EmbeddingSide(query.embedding, query.pid, labels={"rate": query.pid}), gallery)
    with pytest.raises(EmbeddingError, match="'query_pid' has dtype int32; make it int64"):
        EmbeddingSet(EmbeddingSide(query.embedding, query.pid.astype(np.int32)), gallery)
    with pytest.raises(EmbeddingError, match="'query_mood' has dtype object; make it numbers, or text"):
        EmbeddingSet(EmbeddingSide(query.embedding, query.pid, labels={"mood": query.pid.astype(object)}), gallery)
