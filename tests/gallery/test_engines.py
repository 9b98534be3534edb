"""Every engine behind the one interface, against all images one by one."""

from __future__ import annotations

import operator
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from psnet.embedder import ImageTable
from psnet.embeddings import MadeBy
from psnet.gallery import Condition, Gallery, GalleryError, conditions_of, create_gallery, open_gallery
from psnet.gallery.conditions import SIGNS
from psnet.gallery.opening import is_there

MADE_BY = MadeBy("a model", "0" * 16, {"image_size": [64, 32], "upsampling": "bilinear"}, "neck", 16)
TEXTS = ('it\'s "here"', "back\\slash", "ß 人")

ENGINES = {"lance": "gallery", "milvus": "gallery.db"}


def table(number: int, seed: int = 0, root: str = "/crops", first: int = 0) -> ImageTable:
    random = np.random.default_rng(seed)
    embedding = random.normal(size=(number, 16)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    columns = {
        "path": np.array([f"a/{first + i:04d}.jpg" for i in range(number)]),
        "sha256": np.array([f"{seed}-{i}" for i in range(number)]),
        "camid": random.integers(1, 4, number),
        "time": np.array([f"2026-01-{1 + i % 28:02d}" for i in range(number)]),
        "Light": random.random(number).round(3),
        "order": np.array(['it\'s "here"', "back\\slash", "ß 人"] * number)[:number],
    }
    return ImageTable(embedding, columns, MADE_BY, root)


@pytest.fixture(params=ENGINES)
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / ENGINES[request.param])


def filled(uri: str) -> Gallery:
    made = create_gallery(uri, table(60), "a/last.ckpt")
    made.add(table(60))
    return made


@pytest.fixture
def gallery(uri: str) -> Gallery:
    """One to change."""
    return filled(uri)


@pytest.fixture(scope="module", params=ENGINES)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """One to look at."""
    return filled(str(tmp_path_factory.mktemp("kept") / ENGINES[request.param]))


def found(gallery: Gallery, query: np.ndarray, k: int = 10, *where: str) -> list[tuple[str, float]]:
    hits = gallery.search(query[None], MADE_BY, k, conditions_of(where, gallery.columns))[0]
    return [(hit.path, hit.score) for hit in hits]


def nearest(given: ImageTable, query: np.ndarray, k: int, rows: np.ndarray | None = None) -> list[tuple[str, float]]:
    """One by one."""
    score = given.embedding @ query
    order = [row for row in np.argsort(-score) if rows is None or rows[row]][:k]
    return [(str(given.columns["path"][row]), float(score[row])) for row in order]


def test_the_nearest_are_found(kept: Gallery):
    query = table(1, seed=9).embedding[0]
    for k in (1, 10, 60, 100):
        expected = nearest(table(60), query, k)
        got = found(kept, query, k)
        assert [path for path, _ in got] == [path for path, _ in expected]
        np.testing.assert_allclose([s for _, s in got], [s for _, s in expected], atol=1e-6)
    queries = table(3, seed=10).embedding
    assert [len(hits) for hits in kept.search(queries, MADE_BY, 4)] == [4, 4, 4]
    own = kept.search(table(60).embedding[7:8], MADE_BY, 1)[0][0]
    assert own.score == pytest.approx(1, abs=1e-6)
    assert own.columns == {name: values[7] for name, values in table(60).columns.items()} | {"root": "/crops"}


COMPARED = dict(zip(SIGNS, (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge), strict=True))


@pytest.mark.parametrize("sign", COMPARED)
@pytest.mark.parametrize(
    ("column", "value"),
    [("camid", 2), ("time", "2026-01-14"), ("Light", 0.5), *(("order", text) for text in TEXTS)],
)
def test_conditions(kept: Gallery, column: str, value: object, sign: str):
    given, query = table(60), table(1, seed=9).embedding[0]
    rows = COMPARED[sign](given.columns[column], value)
    got = found(kept, query, 60, f"{column}{sign}{value}")
    assert [path for path, _ in got] == [path for path, _ in nearest(given, query, 60, rows)]


def test_several_conditions(kept: Gallery):
    given, query = table(60), table(1, seed=9).embedding[0]
    rows = (given.columns["camid"] == 3) & (given.columns["time"] >= "2026-01-10")
    got = found(kept, query, 5, "camid = 3", "time >= 2026-01-10")
    assert [path for path, _ in got] == [path for path, _ in nearest(given, query, 5, rows)]
    assert found(kept, query, 5, "camid=99") == []


def test_it_stays(gallery: Gallery, uri: str):
    again = open_gallery(uri)
    assert (len(again), again.about) == (60, gallery.about)
    assert again.about.model == "a/last.ckpt"
    query = table(1, seed=9).embedding[0]
    assert found(again, query) == found(gallery, query)
    assert is_there(uri)


def test_an_image_that_is_added_again_is_replaced(gallery: Gallery):
    gallery.add(table(10, seed=5, first=55))  # five of them are new
    assert len(gallery) == 65
    assert found(gallery, table(10, seed=5).embedding[0], 1)[0] == ("a/0055.jpg", pytest.approx(1))
    gallery.add(table(60, root="/elsewhere"))
    assert len(gallery) == 125
    twice = table(2, seed=6, first=900)
    paths = np.array(["a/0900.jpg", "a/0900.jpg"])
    gallery.add(replace(twice, columns={**twice.columns, "path": paths}))
    assert len(gallery) == 126
    assert found(gallery, twice.embedding[1], 1)[0] == ("a/0900.jpg", pytest.approx(1))  # the last one stands


def test_deleting(gallery: Gallery):
    given = table(60)
    gone = given.columns["camid"] == 2
    assert gallery.delete(conditions_of(["camid=2"], gallery.columns)) == gone.sum()
    assert len(gallery) == 60 - gone.sum()
    query = table(1, seed=9).embedding[0]
    assert [p for p, _ in found(gallery, query, 60)] == [p for p, _ in nearest(given, query, 60, ~gone)]
    assert gallery.delete(conditions_of(["path=a/nowhere.jpg"], gallery.columns)) == 0


def test_digests(kept: Gallery):
    assert sorted(kept.digests().values()) == sorted(table(60).columns["sha256"].tolist())


def test_an_image_by_its_id(kept: Gallery):
    hit = kept.search(table(60).embedding[7:8], MADE_BY, 1)[0][0]
    assert kept.row(hit.id) == hit.columns
    for none in ("0" * 32, hit.id[:-1], hit.id.upper() + "'", "' OR '1'='1", "../../etc/passwd", ""):
        assert kept.row(none) is None


def test_values_of_a_column(kept: Gallery):
    assert kept.values("camid") == [1, 2, 3]
    assert kept.values("order") == sorted(TEXTS)
    assert kept.values("path") == table(60).columns["path"].tolist()
    with pytest.raises(GalleryError, match="no column 'pid'; there is root, path"):
        kept.values("pid")


def test_tidying_changes_nothing(gallery: Gallery, monkeypatch: pytest.MonkeyPatch):
    query = table(1, seed=9).embedding[0]
    before = found(gallery, query)
    for number in range(4):
        gallery.add(table(300, seed=20 + number, first=1000 * (number + 1), root="/more"))
    expected = found(gallery, query, 10)
    gallery.tidy()
    assert found(gallery, query, 10) == expected
    assert found(gallery, query, 10, "root=/crops") == before
    monkeypatch.setattr("psnet.gallery.lance.INDEXED_FROM", 500)
    gallery.tidy()
    gallery.add(table(50, seed=50, first=9000))  # after the index was made
    assert found(gallery, table(50, seed=50).embedding[3], 1) == [("a/9003.jpg", pytest.approx(1))]
    whole = np.concatenate([table(60).embedding, *(table(300, seed=20 + n).embedding for n in range(4))])
    for query in table(20, seed=77).embedding:  # which nobody has added
        best = np.sort(np.concatenate([whole, table(50, seed=50).embedding]) @ query)[::-1]
        assert [score for _, score in found(gallery, query, 3)] == pytest.approx(best[:3].tolist(), abs=1e-5)


def test_another_model_is_refused(gallery: Gallery, uri: str):
    other = replace(MADE_BY, digest="f" * 16)
    with pytest.raises(GalleryError, match=r"was made by a model \(0{16}.*and this is a model \(f{16}"):
        gallery.add(replace(table(1), made_by=other))
    with pytest.raises(GalleryError, match="cannot be compared"):
        gallery.search(table(1).embedding, replace(MADE_BY, preprocess={**MADE_BY.preprocess, "upsampling": "bicubic"}))
    with pytest.raises(GalleryError, match="cannot be compared"):
        create_gallery(uri, replace(table(1), made_by=other), "x")
    assert len(gallery) == 60


def test_other_columns_are_refused(kept: Gallery):
    given = table(3, first=500)
    less = {name: values for name, values in given.columns.items() if name != "camid"}
    with pytest.raises(GalleryError, match=r"the column 'camid' is in .*gallery.* and not in these images"):
        kept.add(replace(given, columns=less))
    with pytest.raises(GalleryError, match="the column 'pid' is in these images and not in "):
        kept.add(replace(given, columns={**given.columns, "pid": np.arange(3)}))
    with pytest.raises(GalleryError, match="the column 'camid' holds str in these images and int in "):
        kept.add(replace(given, columns={**given.columns, "camid": np.array(["a", "b", "c"])}))
    with pytest.raises(GalleryError, match="the column 'camid' has dtype complex128"):
        kept.add(replace(given, columns={**given.columns, "camid": np.zeros(3, complex)}))
    assert len(kept) == 60


def test_hand_made_conditions(kept: Gallery):
    query = table(1).embedding
    for wrong in (Condition("camid", "= 1 OR 1 =", 1), Condition("nobody", "=", 1), Condition("camid", "=", "1")):
        with pytest.raises(GalleryError, match="cannot be asked for"):
            kept.search(query, MADE_BY, 1, [wrong])
        with pytest.raises(GalleryError, match="cannot be asked for"):
            kept.delete([wrong])
    with pytest.raises(GalleryError, match="say which images to delete"):
        kept.delete([])
    assert len(kept) == 60


def test_images_without_names(kept: Gallery):
    given = table(2)
    nameless = {**given.columns, "path": np.array(["image 0", "image 1"]), "sha256": np.array(["", ""])}
    with pytest.raises(GalleryError, match="'image 0' has no name of its own"):
        kept.add(replace(given, columns=nameless))


def test_k(kept: Gallery):
    with pytest.raises(GalleryError, match="k=0 must be at least 1"):
        kept.search(table(1).embedding, MADE_BY, 0)


def test_there_is_none(uri: str, tmp_path: Path):
    assert not is_there(uri)
    with pytest.raises(GalleryError, match=r"there is no gallery .*; make one with psnet index"):
        open_gallery(uri)
    assert not Path(uri).exists()


def test_what_is_no_gallery(tmp_path: Path):
    folder = tmp_path / "g" / "images.lance"
    folder.mkdir(parents=True)
    (folder / "notes").write_text("mine")
    with pytest.raises(GalleryError, match="is no gallery of psnet, or is damaged"):
        open_gallery(str(tmp_path / "g"))
    with pytest.raises(GalleryError, match=r"begins with ftp://; give the path of a folder"):
        open_gallery("ftp://x")
    with pytest.raises(GalleryError, match=r"there is no Milvus at http://127\.0\.0\.1:9"):
        open_gallery("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camid", "'camid' is no condition; write it like camid=3"),
        ("camid~3", "is no condition"),
        ("cam=3", "there is no column 'cam'; there is camid, time"),
        ("order==x", "'order==x' is no condition"),
        ("time=>2026", "is no condition"),
        ("camid=1_000", "none that it can hold"),
        ("camid=99999999999999999999", "none that it can hold"),
        ("Light>nan", "none that it can hold"),
        ("Light<inf", "none that it can hold"),
        ("camid=two", "camid holds whole numbers, and 'two' is none"),
        ("Light>dark", "Light holds numbers, and 'dark' is none"),
        ("time=1' OR '1'='1", None),  # a text like any other
    ],
)
def test_conditions_that_cannot_be_used(text: str, message: str | None):
    columns = {"camid": int, "time": str, "Light": float, "order": str}
    if message is None:
        assert conditions_of([text], columns)[0].value == "1' OR '1'='1"
        return
    with pytest.raises(GalleryError, match=message):
        conditions_of([text], columns)


def test_a_name_that_no_condition_could_say_makes_no_column(uri: str):
    for name in ("a.b", "cam-id", "", "2nd"):
        given = table(3)
        with pytest.raises(GalleryError, match=re.escape(f"a gallery can have no column {name!r}; name it by letters")):
            create_gallery(uri, replace(given, columns={**given.columns, name: given.columns["camid"]}), "m")


def test_more_are_asked_for_than_an_engine_can_count(gallery: Gallery):
    query = table(60).embedding[:1]
    if gallery.uri.endswith(".db"):
        with pytest.raises(GalleryError, match="refuses"):
            gallery.search(query, MADE_BY, 10**12)
    else:
        assert len(gallery.search(query, MADE_BY, 10**12)[0]) == 60


def test_a_file_that_is_gone_is_told(tmp_path: Path):
    made = filled(str(tmp_path / "gallery"))
    for file in (tmp_path / "gallery").rglob("*.lance"):
        if file.is_file():
            file.unlink()
    again = open_gallery(made.uri)
    for ask in (lambda: again.search(table(60).embedding[:1], MADE_BY), again.digests, lambda: again.values("camid")):
        with pytest.raises(GalleryError, match=r"gallery cannot be read \(.*; is a file of it damaged or gone\?"):
            ask()
