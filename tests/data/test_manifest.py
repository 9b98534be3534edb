"""The manifest as a file, and as the identity of a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from psnet.data.manifest import Manifest, Row
from psnet.data.manifest_file import check_sources, read_manifest, write_manifest
from psnet.data.samples import DataError


def row(path: str = "a.png", **more: object) -> Row:
    settings = {"pid": 1, "camid": 2, "split": "train", "rate": 3.0, "degradation": "bicubic", "seed": 0}
    return Row(path=path, source="set", **{"sha256": "5" * 64, **settings, **more})  # type: ignore[arg-type]


ROOTS = {"set": Path("/somewhere")}
MANIFEST = Manifest(
    (
        row(),
        row("b, with a comma.png", rate=1.0, degradation="", native_low=True),
        row("c.png", high="d.png", rate=2.5, high_sha256="7" * 64),
        row("e.png", rate=8 / 3, degradation="blur(1.31) bicubic noise(5.2,8812345) jpeg(63)"),
    ),
    ROOTS,
)


def test_what_is_written_is_read(tmp_path: Path):
    write_manifest(MANIFEST, tmp_path / "new" / "manifest.csv")
    found = read_manifest(tmp_path / "new" / "manifest.csv", ROOTS)
    assert found.rows == MANIFEST.rows
    assert found.hash() == MANIFEST.hash()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["manifest.csv"]


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 9},
        {"camid": 9},
        {"split": "query"},
        {"rate": 4.0},
        {"degradation": "box"},
        {"sha256": "6" * 64},
        {"high_sha256": "6" * 64},
    ],
)
def test_every_change_changes_the_hash(change: dict[str, object]):
    rows = (replace(MANIFEST.rows[0], **change), *MANIFEST.rows[1:])  # type: ignore[arg-type]
    assert replace(MANIFEST, rows=rows).hash() != MANIFEST.hash()


def test_where_the_images_lie_does_not_change_the_hash():
    assert replace(MANIFEST, roots={"set": Path("/elsewhere")}).hash() == MANIFEST.hash()


def another(*rows: Row) -> Manifest:
    """Of other images than MANIFEST."""
    return Manifest(tuple(replace(r, sha256="6" * 64) for r in rows), {"set": Path("/another")})


def test_labels_are_without_gaps_and_keep_sources_apart():
    joined = MANIFEST.joined(another(row(pid=1), row("x.png", pid=7)), "other")
    assert joined.train_labels() == {("other", 1): 0, ("other", 7): 1, ("set", 1): 2}
    assert [joined.path(r) for r in joined.rows[-2:]] == [Path("/another/a.png"), Path("/another/x.png")]


def test_joining_takes_training_images_only():
    assert MANIFEST.joined(another(row(split="query")), "other").rows == MANIFEST.rows


def test_joining_the_same_images_or_the_same_name():
    with pytest.raises(DataError, match=r"join\.set: a data set of this name is there already"):
        MANIFEST.joined(another(row()), "set")
    with pytest.raises(DataError, match=r"join\.again: 4 of its 4 training images are there already, e\.g\. a\.png"):
        MANIFEST.joined(MANIFEST, "again")


def test_a_manifest_of_joined_sets_gives_the_set_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    joined = MANIFEST.joined(another(row()), "other")
    write_manifest(joined, tmp_path / "manifest.csv")
    assert read_manifest(tmp_path / "manifest.csv", ROOTS).rows == MANIFEST.rows == joined.without_joined().rows
    assert "1 training images of the joined ['other'] are left out; join them again" in caplog.text


def test_classes_stand_for_people():
    other_rates = replace(MANIFEST, rows=tuple(replace(r, rate=4.0) for r in MANIFEST.rows))
    assert other_rates.people_hash() == MANIFEST.people_hash()
    assert another(row(pid=2)).people_hash() != another(row(pid=1)).people_hash()


def test_files_that_are_no_manifest(tmp_path: Path):
    with pytest.raises(DataError, match=r"nothing\.csv does not exist; write one with `psnet build-mlr`"):
        read_manifest(tmp_path / "nothing.csv", ROOTS)
    file = tmp_path / "list.csv"
    file.write_text("path,pid\na.png,1\n")
    with pytest.raises(DataError, match=r"list\.csv, line 2: not a row of a manifest"):
        read_manifest(file, ROOTS)
    write_manifest(MANIFEST, file)
    with pytest.raises(DataError, match="names the source 'set', but the sources given are"):
        read_manifest(file, {"VIPeR": Path()})
    file.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DataError, match=r"list\.csv is no manifest \(.*; write one with `psnet build-mlr`"):
        read_manifest(file, ROOTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "Train"}, r"line 3: split='Train' must be one of train, query, gallery"),
        ({"rate": 0.0}, r"line 3: rate='0' must be a down-sampling factor of 1 or more"),
        ({"rate": float("nan")}, r"line 3: rate='nan' must be"),
        ({"split": "query"}, r"manifest\.csv: 1 identities are in train and test, e\.g\. pid 1; keep them apart"),
    ],
)
def test_what_a_hand_has_changed_is_checked(change: dict[str, object], message: str, tmp_path: Path):
    write_manifest(Manifest((row(), row("b.png", **change)), ROOTS), tmp_path / "manifest.csv")
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / "manifest.csv", ROOTS)


def test_a_degradation_that_nobody_can_make_is_noticed_when_read(tmp_path: Path):
    rows = (MANIFEST.rows[0], replace(MANIFEST.rows[2], degradation="bicubic sharpen(2)"))
    write_manifest(replace(MANIFEST, rows=rows), tmp_path / "manifest.csv")
    with pytest.raises(
        DataError, match=r"manifest\.csv, line 3: degradation 'bicubic sharpen\(2\)' has the step 'sharpen"
    ):
        read_manifest(tmp_path / "manifest.csv", ROOTS)


def test_the_column_by_its_name_before(tmp_path: Path):
    file = tmp_path / "manifest.csv"
    write_manifest(MANIFEST, file)
    file.write_text(file.read_text().replace("degradation", "interpolation", 1))
    assert read_manifest(file, ROOTS).rows == MANIFEST.rows


def test_steps_are_told_by_example():
    assert "1 degraded in several steps, e.g. e.png: blur(1.31) bicubic noise" in MANIFEST.describe()
    assert "degraded" not in replace(MANIFEST, rows=MANIFEST.rows[:3]).describe()


def digest(letter: str) -> str:
    return letter * 64


TRAINED = Manifest(
    (
        row("seen.png", sha256=digest("1")),
        row("low.bmp", sha256=digest("2"), native_low=True, high="sharp.png", high_sha256=digest("3")),
    ),
    ROOTS,
)


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({"sha256": digest("1")}, True),
        ({"sha256": digest("2")}, True),
        ({"sha256": digest("3")}, True),  # the sharp twin of an image that was trained on
        ({"sha256": digest("9"), "high": "twin.png", "high_sha256": digest("1")}, True),
        ({"sha256": digest("9"), "high": "twin.png", "high_sha256": digest("8")}, False),
        ({"sha256": digest("9")}, False),  # an empty high_sha256 is that of no file
        ({"sha256": digest("1"), "split": "train"}, False),
    ],
)
def test_images_that_were_trained_on(asked: dict[str, object], seen: bool):
    test = Manifest((row("asked.png", **{"split": "gallery", **asked}),), ROOTS)
    assert [r.path for r in test.trained_on(TRAINED.train_digests())] == ["asked.png"] * seen


def test_other_images_under_the_same_names_are_noticed():
    digests = {r.path: r.sha256 for r in MANIFEST.rows} | {"d.png": "7" * 64}
    check_sources(MANIFEST, digests)
    with pytest.raises(DataError, match=r"1 differ \['a\.png'\], 0 are missing"):
        check_sources(MANIFEST, {**digests, "a.png": "0" * 64})
    with pytest.raises(DataError, match=r"1 differ \['d\.png'\], 0 are missing"):
        check_sources(MANIFEST, {**digests, "d.png": "0" * 64})
    del digests["c.png"]
    with pytest.raises(DataError, match=r"0 differ \[\], 1 are missing \['c\.png'\]"):
        check_sources(MANIFEST, digests)
