"""People's own images: a CSV file, or a folder per identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from psnet.data.protocol import MLRProtocol
from psnet.data.readers import describe, read_csv, read_folder
from psnet.data.readers.numbering import numbered
from psnet.data.roles import build_manifest
from psnet.data.samples import NO_CAMERA, DataError, Sample, SampleSet
from tests.data import trees


def labels(s: SampleSet) -> dict[str, tuple[int, int, str]]:
    return {x.path.as_posix(): (x.pid, x.camid, x.part) for x in s.samples}


# ---------------------------------------------------------------- identities


def places(*names: str) -> dict[str, str]:
    return {name: f"place of {name}" for name in names}


def test_numbers_keep_their_value() -> None:
    assert numbered(places("0012", "7", "0")) == {"0012": 12, "7": 7, "0": 0}


def test_names_are_numbered_in_sorted_order_all_of_them() -> None:
    assert numbered(places("zoe", "7", "anna")) == {"7": 0, "anna": 1, "zoe": 2}


def test_numbers_that_are_too_long_are_names() -> None:
    assert numbered(places("9223372036854775808", "7")) == {"7": 0, "9223372036854775808": 1}
    assert numbered(places("9223372036854775807", "7")) == {"9223372036854775807": 2**63 - 1, "7": 7}


@pytest.mark.parametrize("digit", ["²", "٣", "1.0", "1e3", " 1", ""])
def test_only_plain_digits_are_numbers(digit: str) -> None:
    assert sorted(numbered(places("5", digit)).values()) == [0, 1]


def test_one_number_in_two_ways_could_be_two_people() -> None:
    with pytest.raises(DataError, match=r"place of 1: identity '1' is also written '01' \(place of 01\)"):
        numbered(places("1", "01"))


def test_negative_pids_have_no_meaning_in_own_sets() -> None:
    with pytest.raises(DataError, match="place of -1: pid -1 is negative"):
        numbered(places("3", "-1", "anna"))


# ---------------------------------------------------------------- CSV


def test_least_a_csv_needs(tmp_path: Path) -> None:
    file = trees.table(tmp_path / "mine.csv", [{"path": "b.png", "pid": "zoe"}, {"path": "a.png", "pid": "anna"}])
    found = read_csv(file)
    assert found.samples == (Sample(Path("a.png"), 0), Sample(Path("b.png"), 1))
    assert (found.name, found.root, found.published, found.notes) == ("mine", tmp_path, {}, ())


def test_all_columns(tmp_path: Path) -> None:
    low = {"path": "low/1.png", "pid": 4, "camid": 2, "split": "query", "rate": "2.5", "high": "high/1.png"}
    sharp = {"path": "high/1.png", "pid": 4, "camid": 0, "split": "gallery", "rate": 1, "high": ""}
    bare = {"path": "high/2.png", "pid": 9, "camid": "", "split": "", "rate": "", "high": ""}
    found = read_csv(trees.table(tmp_path / "mine.csv", [low, sharp, bare]))
    assert found.samples == (
        Sample(Path("high/1.png"), 4, camid=0, part="gallery"),
        Sample(Path("high/2.png"), 9, camid=NO_CAMERA),
        Sample(Path("low/1.png"), 4, camid=2, part="query", rate=2.5, high=Path("high/1.png"), native_low=True),
    )


def test_paths_begin_at_root(tmp_path: Path) -> None:
    trees.pictures(tmp_path / "images", ["x/1.png", "2.png"])
    rows = [{"path": "x/1.png", "pid": 1}, {"path": str(tmp_path / "images" / "2.png"), "pid": 2}]
    file = trees.table(tmp_path / "lists" / "mine.csv", rows, draw=False)
    found = read_csv(file, root=tmp_path / "images")
    assert [s.path.as_posix() for s in found.samples] == ["2.png", "x/1.png"]


def test_bom_quotes_and_blank_lines(tmp_path: Path) -> None:
    trees.picture(tmp_path / "a, b.png")
    (tmp_path / "m.csv").write_bytes(b'\xef\xbb\xbfpath,pid\r\n\r\n"a, b.png",7\r\n')
    assert labels(read_csv(tmp_path / "m.csv")) == {"a, b.png": (7, NO_CAMERA, "")}


def test_unused_columns_are_said(tmp_path: Path) -> None:
    file = trees.table(tmp_path / "m.csv", [{"path": "a.png", "pid": 1, "cam_id": 3, "mood": "good"}])
    assert "columns not used: cam_id, mood" in describe(read_csv(file))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"m\.csv is empty"),
        ("path,pid\n", r"m\.csv has a header but no rows"),
        ("path,name\na.png,1\n", r"lacks the column 'pid'; it has path, name"),
        ("path;pid\na.png;1\n", r"lacks the column 'path'"),
        ("path,pid,pid\na.png,1,1\n", r"the column 'pid' twice"),
        ("path,pid\na.png,1\nb.png\n", r"line 3: the header has 2 columns"),
        ("path,pid\na.png,1,2\n", r"line 2: the header has 2 columns"),
        ("path,pid\na.png,\n", r"line 2: pid is empty"),
        ("path,pid\n,1\n", r"line 2: path is empty"),
        ("path,pid\na.png,1\nb.png,-1\n", r"line 3: pid -1 is negative"),
        ("path,pid\na.png,-1\nb.png,-1\n", r"line 2: pid -1 is negative"),
        ("path,pid\na.png,1\nb.png,01\n", r"line 2: identity '1' is also written '01' \(.*line 3\)"),
        ("path,pid\na.png,1\nc.png,1\n", r"line 3: there is no file .*c\.png"),
        ("path,pid\n.,1\n", r"line 2: there is no file"),
        ("path,pid\n../a.png,1\n", r"line 2: path='\.\./a\.png' lies outside the root"),
        ("path,pid\na.png,1\nb.png,1\n./a.png,1\n", r"line 4: path a\.png is listed already \(.*line 2\)"),
        ("path,pid,camid\na.png,1,left\n", r"line 2: camid='left'"),
        ("path,pid,camid\na.png,1,-2\n", r"line 2: camid='-2'"),
        ("path,pid,camid\na.png,1,9223372036854775808\n", r"line 2: camid='9223372036854775808' is beyond 2\*\*63 - 1"),
        ("path,pid,split\na.png,1,val\n", r"line 2: split='val' must be one of train"),
        ("path,pid,rate\na.png,1,half\n", r"line 2: rate='half'"),
        ("path,pid,rate\na.png,1,0.5\n", r"line 2: rate='0\.5'"),
        ("path,pid,rate\na.png,1,nan\n", r"line 2: rate='nan'"),
        ("path,pid,rate\na.png,1,inf\n", r"line 2: rate='inf'"),
        ("path,pid,high\na.png,1,b.png\n", r"line 2: high='b\.png' is given for a sharp image"),
        ("path,pid,rate,high\na.png,1,2,c.png\n", r"line 2: there is no file .*c\.png"),
        ("path,pid,rate,high\na.png,1,2,a.png\n", r"line 2: high='a\.png' is the image itself"),
        ('path,pid\n"a.png,1\n', r"m\.csv is no CSV file"),
    ],
)
def test_csv_errors_name_the_line(text: str, complaint: str, tmp_path: Path) -> None:
    trees.pictures(tmp_path, ["a.png", "b.png"])
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=complaint) as caught:
        read_csv(tmp_path / "m.csv")
    assert "m.csv" in str(caught.value)


def test_csv_that_is_a_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png"):
        read_csv(trees.picture(tmp_path / "a.png"))


def test_missing_csv_or_root_says_how_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no CSV file .*path, pid.*camid, split, rate, high.*dataset\.source\.reader"):
        read_csv(tmp_path / "m.csv")
    file = trees.table(tmp_path / "m.csv", [{"path": "a.png", "pid": 1}])
    with pytest.raises(DataError, match=r"no folder .*nowhere.*dataset\.source\.reader\.root"):
        read_csv(file, root=tmp_path / "nowhere")


# ---------------------------------------------------------------- folders


def test_folder_per_identity(tmp_path: Path) -> None:
    root = trees.folder(tmp_path / "mine", {"zoe": ["1.png", "2.JPG"], "anna": ["1.bmp"], "anna/day 2": ["1.png"]})
    found = read_folder(root)
    assert labels(found) == {
        "anna/1.bmp": (0, NO_CAMERA, ""),
        "anna/day 2/1.png": (0, NO_CAMERA, ""),
        "zoe/1.png": (1, NO_CAMERA, ""),
        "zoe/2.JPG": (1, NO_CAMERA, ""),
    }
    assert found.name == "mine"


def test_numbered_folders_keep_their_numbers(tmp_path: Path) -> None:
    root = trees.folder(tmp_path, {"0007": ["1.png"], "0031": ["1.png"]})
    assert {s.pid for s in read_folder(root).samples} == {7, 31}


def test_parts_share_pids(tmp_path: Path) -> None:
    images = {
        "train/bob": ["1.png"],
        "query/zoe": ["1.png"],
        "gallery/zoe": ["2.png"],
        "gallery/anna": ["1.png"],
    }
    found = read_folder(trees.folder(tmp_path, images))
    assert labels(found) == {
        "gallery/anna/1.png": (0, NO_CAMERA, "gallery"),
        "gallery/zoe/2.png": (2, NO_CAMERA, "gallery"),
        "query/zoe/1.png": (2, NO_CAMERA, "query"),
        "train/bob/1.png": (1, NO_CAMERA, "train"),
    }


def test_train_and_test_are_parts_too(tmp_path: Path) -> None:
    found = read_folder(trees.folder(tmp_path, {"train/1": ["1.png"], "test/2": ["1.png"]}))
    assert {s.part for s in found.samples} == {"train", "test"}


def test_cameras_by_pattern(tmp_path: Path) -> None:
    root = trees.folder(tmp_path, {"1": ["0001_c0_1.png", "0001_c12_1.png"]})
    found = read_folder(root, camera_pattern=r"_c(?P<camid>\d+)_")
    assert {s.path.name: s.camid for s in found.samples} == {"0001_c0_1.png": 0, "0001_c12_1.png": 12}


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (r"_c(?P<camid>\d+", "is no regular expression"),
        (r"_c(\d+)_", "has no group camid"),
        (r"_cam(?P<camid>\d+)_", r"1_c1_0\.png: camera_pattern=.* finds no camera number"),
        (r"_(?P<camid>[a-z])", r"1_c1_0\.png: camera_pattern=.* finds no camera number"),
        (r"_c(?P<camid>\d+)?x?", None),
        (r"_(?P<camid>\d\d)?", r"1_c1_0\.png: camera_pattern=.* finds no camera number"),
    ],
)
def test_camera_patterns_that_fail(pattern: str, complaint: str | None, tmp_path: Path) -> None:
    root = trees.folder(tmp_path, {"1": ["1_c1_0.png"]})
    if complaint is None:
        assert read_folder(root, pattern).samples[0].camid == 1
        return
    with pytest.raises(DataError, match=complaint):
        read_folder(root, pattern)


def test_litter_is_passed_over(tmp_path: Path) -> None:
    root = trees.folder(tmp_path, {"anna": ["1.png"], "__MACOSX/anna": ["1.png"], "anna/.thumbs": ["1.png"]})
    for place in (root, root / "anna"):
        (place / "Thumbs.db").write_bytes(b"")
        (place / "notes.txt").write_bytes(b"")
    assert list(labels(read_folder(root))) == ["anna/1.png"]


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        ({".": ["1.png"], "anna": ["1.png"]}, r"1\.png lies outside the folder of an identity"),
        ({"train": ["1.png"], "train/anna": ["1.png"]}, r"1\.png lies outside the folder of an identity"),
        ({".": ["1.png"], "train/anna": ["1.png"]}, r"1\.png lies outside the folder of an identity"),
        ({"train/anna": ["1.png"], "bob": ["1.png"]}, r"beside another folder, 'bob'"),
        ({"anna": ["1.png"], "bob/empty": []}, r"bob has no images"),
        ({"7": ["1.png"], "007": ["1.png"]}, r"7: identity '7' is also written '007'"),
        ({}, "holds no folders"),
    ],
)
def test_folders_that_do_not_fit(images: dict[str, list[str]], complaint: str, tmp_path: Path) -> None:
    root = trees.folder(tmp_path, images)
    for base in images:
        (root / base).mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError, match=complaint):
        read_folder(root)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    root = trees.folder(tmp_path, {"anna": ["1.png"]})
    (root / "anna" / "clip.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"clip\.mp4 is no image"):
        read_folder(root)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*nowhere.*one folder of images per identity.*dataset\.source"):
        read_folder(tmp_path / "nowhere")


def test_images_of_no_part_among_others(tmp_path: Path) -> None:
    """They would be left out in silence."""
    trees.pictures(tmp_path, ["a.png", "a2.png", "b.png", "c.png"])
    rows = ["a.png,1,1,train", "a2.png,1,2,", "b.png,2,1,query", "c.png,3,1,"]  # a2 is of one who is marked
    (tmp_path / "m.csv").write_text("\n".join(["path,pid,camid,split", *rows]))
    found = read_csv(tmp_path / "m.csv")
    digests = {sample.path: "" for sample in found.samples}
    with pytest.raises(DataError, match=r"whether 1 of 4 images are .*, e\.g\. c\.png; mark"):
        build_manifest(found, MLRProtocol(published_roles=True), digests)
