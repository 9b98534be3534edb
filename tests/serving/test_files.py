"""Which files a row of a gallery may name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from psnet.serving.errors import Refused
from psnet.serving.files import Pictures, encoded, shrunk
from psnet.serving.limits import Limits
from tests.serving.world import SVG, person, saved

PERSON = saved(person(), "PNG")


class Rows:
    """A gallery of one image."""

    def __init__(self, root: Path, path: str, content: bytes = PERSON) -> None:
        self._row = {"root": str(root), "path": path, "sha256": hashlib.sha256(content).hexdigest()}

    def row(self, id: str) -> dict[str, str]:
        return self._row


def taken(rows: Any, *folders: Path, limits: Limits | None = None) -> torch.Tensor:
    return Pictures(rows, limits or Limits(), folders).image("0" * 32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "crops"
    (root / "a").mkdir(parents=True)
    (root / "a/person.png").write_bytes(PERSON)
    (tmp_path / "secret.png").write_bytes(PERSON)
    (tmp_path / "crops2").mkdir()
    (tmp_path / "crops2/secret.png").write_bytes(PERSON)
    (root / "out").symlink_to(tmp_path)
    (root / "inside.png").symlink_to(root / "a/person.png")
    return root


@pytest.mark.parametrize("path", ["a/person.png", "a/../a/person.png", "inside.png"])
def test_files_of_the_gallery(root: Path, path: str):
    assert taken(Rows(root, path)).shape == (3, 64, 32)


@pytest.mark.parametrize("path", ["../secret.png", "out/secret.png", "a/../../secret.png", "../crops2/secret.png"])
def test_files_elsewhere(root: Path, path: str):
    with pytest.raises(Refused, match="lies outside"):
        taken(Rows(root, path))


def test_folders_that_are_named(root: Path):
    alone = Rows(Path("/"), str(root / "a/person.png"))  # as one that was indexed by its absolute path elsewhere
    elsewhere = Rows(root / "a", str(root.parent / "secret.png"))
    with pytest.raises(Refused, match="lies outside"):
        taken(elsewhere)
    assert taken(elsewhere, root, root.parent).shape == (3, 64, 32)
    with pytest.raises(Refused, match="lies outside"):
        taken(alone, root.parent / "crops2")


@pytest.mark.parametrize("content", [SVG, PERSON[:200], b"", b"password"])
def test_what_is_no_image(root: Path, content: bytes):
    (root / "a/odd.png").write_bytes(content)
    with pytest.raises(Refused) as refused:
        taken(Rows(root, "a/odd.png", content))
    assert refused.value.status == 404
    assert b"password" not in refused.value.words.encode()


def test_what_is_no_file(root: Path):
    os.mkfifo(root / "pipe.png")  # which would be waited for
    for path in ("a", "pipe.png"):
        with pytest.raises(Refused, match="no file"):
            taken(Rows(root, path))
    with pytest.raises(Refused, match="not there any more"):
        taken(Rows(root, "gone.png"))
    with pytest.raises(Refused, match="a larger one than is shown"):
        taken(Rows(root, "a/person.png"), limits=Limits(bytes=100))
    with pytest.raises(Refused, match="at most 100 are taken"):
        taken(Rows(root, "a/person.png"), limits=Limits(pixels=100))


def test_pictures_that_are_sent():
    small = torch.randint(256, (3, 64, 32), dtype=torch.uint8)
    assert encoded(small)[1] == "image/png"
    large = torch.zeros((3, 1000, 600), dtype=torch.uint8)
    content, kind = encoded(large)
    assert (kind, content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert shrunk(small, 512) is small
    assert shrunk(large, 512).shape == (3, 512, 307)
    assert shrunk(torch.zeros((3, 1, 5000), dtype=torch.uint8), 512).shape == (3, 1, 512)
