"""What people send, the service as a process, and what it is asked through."""

from __future__ import annotations

import io
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

NAMES = r"^cam(?P<camid>\d)/(?P<pid>\d+)_c"

STARTING = 120
"""Seconds, on a busy machine."""


class Server:
    """`psnet serve` as people start it, on a free port."""

    def __init__(self, gallery: Path, *more: str, **environment: str) -> None:
        command = [sys.executable, "-m", "psnet.cli", "serve", "--gallery", str(gallery), "--port", "0", *more]
        self.process = subprocess.Popen(
            [*command, "--precision", "32-true"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        self.said: list[str] = []
        self.address = self._wait()
        self.port = int(self.address.rpartition(":")[2])
        threading.Thread(target=self._listen, daemon=True).start()

    def _wait(self) -> str:
        assert self.process.stderr is not None
        found = None
        for line in self.process.stderr:
            self.said.append(line)
            found = re.search(r"images, at (http://\S+)", line) or found
            if "startup complete" in line and found is not None:
                return found[1]
        raise AssertionError("".join(self.said))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    @property
    def lives(self) -> bool:
        return self.process.poll() is None and httpx.get(f"{self.address}/health").json()["status"] == "ok"

    def stop(self) -> int:
        """Its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STARTING)


def images(*contents: bytes | tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    """As httpx takes them. Some have names of their own."""
    named = [one if isinstance(one, tuple) else (f"{number}.jpg", one) for number, one in enumerate(contents)]
    return [("images", one) for one in named]


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def person(seed: int = 0, size: tuple[int, int] = (32, 64)) -> Image.Image:
    """Coarse noise, which no compression makes unlike itself. size: (width, height)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 4, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def declaring(width: int, height: int) -> bytes:
    """A PNG whose header says so, and which has no more than that."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data, b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def rotated(image: Image.Image) -> bytes:
    """As a camera held sideways stores it: turned, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


def animated() -> bytes:
    return saved(person(1), "GIF", save_all=True, append_images=[person(2), person(3)])


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("person.jpg", saved(person(), "JPEG"))
    return file.getvalue()


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
