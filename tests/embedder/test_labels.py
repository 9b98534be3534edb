"""What is known of images beside their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from psnet.embedder import EmbedderError, labels_of, read_list


def plain(columns: dict[str, np.ndarray]) -> dict[str, list]:
    return {name: values.tolist() for name, values in columns.items()}


def test_names_as_market_1501s():
    paths = ["query/0002_c1s1_000451_03.jpg", "-1_c6s3_000001_00.jpg.jpg", "0012_c3_f0046182.png"]
    assert plain(labels_of(paths, "market")) == {"pid": [2, -1, 12], "camid": [1, 6, 3]}


def test_a_pattern_of_ones_own():
    found = labels_of(["anna/gate/0007.jpg", "bo/hall/0010.jpg"], r"^(?P<pid>\w+)/(?P<place>\w+)/(?P<frame>\d+)")
    assert plain(found) == {"pid": ["anna", "bo"], "place": ["gate", "hall"], "frame": ["0007", "0010"]}


@pytest.mark.parametrize(
    ("name", "values", "kind", "expected"),
    [
        ("pid", ["0012", "7"], "i", [12, 7]),
        ("pid", ["0012", "x7"], "U", ["0012", "x7"]),
        ("camid", ["01", "2"], "i", [1, 2]),
        ("track", ["01", "2"], "U", ["01", "2"]),  # 01 and 1 may be two tracks
        ("track", ["10", "-2"], "i", [10, -2]),
        ("score", ["0.5", "2.25"], "f", [0.5, 2.25]),
        ("score", ["0.50", "2.25"], "U", ["0.50", "2.25"]),
        ("time", ["2026-01-31T12:00:00", ""], "U", ["2026-01-31T12:00:00", ""]),
        ("big", ["123456789012345678901234567890", "1"], "U", ["123456789012345678901234567890", "1"]),
        ("none", ["", ""], "U", ["", ""]),
        ("odd", ["nan", "inf"], "f", None),
    ],
)  # fmt: skip
def test_numbers_are_numbers_where_nothing_is_lost(name: str, values: list[str], kind: str, expected: list | None):
    found = labels_of([f"<{value}>" for value in values], f"<(?P<{name}>.*)>")[name]
    assert found.dtype.kind == kind
    assert expected is None or found.tolist() == expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression"),
        (r"\d+", "has no named group"),
        ("markt", "and is none of market"),
        (r"(?P<path>\d+)", "has 'path', which means something else"),
        (r"(?P<sha256>\d+)", "has 'sha256', which means something else"),
        (r"(?P<pid>\d+)_c", "does not fit b.jpg; give another pattern, or none"),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, message: str):
    with pytest.raises(EmbedderError, match=message):
        labels_of(["1_c2.jpg", "b.jpg"], pattern)


def test_a_list(tmp_path: Path):
    file = tmp_path / "crops.csv"
    file.write_text('\ufeffpath,pid,place\na/1.jpg,7,"hall, left"\n\n2.jpg,8,gate\n', encoding="utf-8")
    paths, columns = read_list(file)
    assert paths == [tmp_path / "a" / "1.jpg", tmp_path / "2.jpg"]
    assert plain(columns) == {"pid": [7, 8], "place": ["hall, left", "gate"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with a row of names"),
        (b"file,pid\na,1\n", r"one of them path; it has \['file', 'pid'\]"),
        (b"path,pid,pid\na,1,2\n", "must begin with a row of names, each once"),
        (b"path,pid\na,1\nb\n", "row 2 has 1 cells, the header 2"),
        (b"path,width\na,1\n", "has 'width', which means something else"),
        (b"path,pid\n", "has a header and no rows"),
        (b"path,pid\n ,1\n", "row 1 has an empty path"),
        (b"path,file\na,1\n", "has 'file', which means something else"),
        (b"path,pid\n\xff,1\n", "cannot be read as a CSV file in UTF-8"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "crops.csv").write_bytes(content)
    with pytest.raises(EmbedderError, match=message):
        read_list(tmp_path / "crops.csv")
    with pytest.raises(EmbedderError, match="No such file"):
        read_list(tmp_path / "no.csv")
