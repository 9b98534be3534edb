"""What all layouts share: finding the folder, listing it, and saying what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psnet.data.samples import DataError, Sample

PARTS = ("train", "test", "query", "gallery")
"""The parts that a layout can fix."""

ROOT_SETTING = "dataset.source.reader.root"
"""How a user says where a set lies; named in errors."""

LITTER_NAMES = frozenset({"Thumbs.db", ".DS_Store", "desktop.ini"})
LITTER_SUFFIXES = frozenset({".mat", ".txt", ".md", ".pdf"})
LITTER_FOLDERS = frozenset({"__MACOSX"})
"""What may lie beside images without being one: leftovers of file managers, notes and metadata. Names that
begin with a dot are litter too. Every other file must parse."""

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes (in lower case) of the images in people's own folders."""


@dataclass(frozen=True)
class Layout:
    """A published set as its authors hand it out.

    name: as people know it. folder: its usual name, below PSNET_DATA. looks: what the folder holds.
    source: a sentence on where to get it. example: one file name. pattern: of all of them.
    """

    name: str
    folder: str
    looks: str
    source: str
    example: str
    pattern: re.Pattern[str]

    def open(self, root: str | Path, *needed: str) -> Path:
        """The set's folder, once it is known to hold the sub-folders (or files) `needed`.

        Raises:
            DataError: it is not there, or something needed is missing.
        """
        root = Path(root).expanduser()
        if not root.is_dir():
            raise self.error(f"there is no folder {root}")
        missing = [name for name in needed if not (root / name).exists()]
        if missing:
            raise self.error(f"{root} lacks {', '.join(missing)}")
        return root

    def error(self, what: str) -> DataError:
        """`what` is wrong, how it should be, and what to do."""
        return DataError(
            f"{self.name}: {what}. The folder must hold {self.looks}. {self.source} "
            f"Set PSNET_DATA to the folder that holds {self.folder}/, or give {ROOT_SETTING}=PATH."
        )

    def files(self, root: Path, folder: str = "") -> list[tuple[Path, re.Match[str]]]:
        """(path relative to root, match of its name) of each image of root/folder.

        Raises:
            DataError: a file name does not parse, or there is no image at all.
        """
        found = [(path.relative_to(root), self._parse(path)) for path in list_files(root / folder)]
        if not found:
            raise self.error(f"{root / folder} holds no images")
        return found

    def _parse(self, path: Path) -> re.Match[str]:
        match = self.pattern.fullmatch(path.name)
        if match is None:
            raise DataError(
                f"{path}: not a file name of {self.name}, which look like {self.example}; "
                "rename the file or take it away"
            )
        return match


def list_files(folder: Path) -> list[Path]:
    """The files of one folder, sorted by name, without litter. Sub-folders are not entered."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not is_litter(entry.name) and entry.is_file()]
    return [folder / name for name in sorted(names)]


def list_folders(folder: Path) -> list[Path]:
    """The sub-folders of one folder, sorted by name, without litter."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not is_litter_folder(entry.name)]
    return [folder / name for name in sorted(names)]


def is_litter(name: str) -> bool:
    """Whether a file of this name is passed over."""
    return name in LITTER_NAMES or name.startswith(".") or Path(name).suffix.lower() in LITTER_SUFFIXES


def is_litter_folder(name: str) -> bool:
    """Whether a folder of this name is passed over."""
    return name in LITTER_FOLDERS or name.startswith(".")


def in_order(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Sorted by path in POSIX form, so that the order is the same on every machine."""
    return tuple(sorted(samples, key=lambda sample: sample.path.as_posix()))
