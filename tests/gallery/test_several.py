"""Several processes at one gallery, and one that is killed."""

from __future__ import annotations

import multiprocessing as mp
import time
from pathlib import Path
from typing import Any

import pytest

from psnet.gallery import conditions_of, create_gallery, open_gallery
from tests.gallery.test_engines import MADE_BY, table

pytestmark = pytest.mark.slow

ADDED, ADDITIONS = 40, 6


def add(uri: str, name: str, log: str = "") -> None:
    """Images of its own, forty at a time; what it has been told to be there is written down."""
    gallery = open_gallery(uri)
    for number in range(ADDITIONS if not log else 10_000):
        gallery.add(table(ADDED, seed=hash_of(name, number), root=f"/{name}", first=ADDED * number))
        if log:
            with open(log, "a") as file:
                file.write("x")


def hash_of(name: str, number: int) -> int:
    return 1000 * ord(name[0]) + number


def delete(uri: str) -> None:
    gallery = open_gallery(uri)
    for camid in (1, 2, 3):
        time.sleep(0.1)
        gallery.delete(conditions_of(["root=/doomed", f"camid={camid}"], gallery.columns))


def search(uri: str, found: Any) -> None:
    """What is found is always whole: the image that is searched for, which nobody deletes, comes first."""
    gallery, wrong = open_gallery(uri), 0
    query = table(60, root="/kept").embedding[7]
    for _ in range(40):
        hits = gallery.search(query[None], MADE_BY, 5)[0]
        wrong += len(hits) != 5 or hits[0].path != "a/0007.jpg" or hits[0].columns["root"] != "/kept"
    found.put(wrong)


def test_at_once(tmp_path: Path):
    uri, spawn = str(tmp_path / "gallery"), mp.get_context("spawn")
    gallery = create_gallery(uri, table(60), "x")
    for root in ("/kept", "/doomed"):
        gallery.add(table(60, root=root))
    found = spawn.Queue()
    jobs = [(add, (uri, "a")), (add, (uri, "b")), (delete, (uri,)), (search, (uri, found))]
    processes = [spawn.Process(target=job, args=arguments) for job, arguments in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=200)
    assert [process.exitcode for process in processes] == [0] * 4
    assert found.get(timeout=10) == 0
    gallery = open_gallery(uri)
    assert len(gallery) == 60 + 2 * ADDED * ADDITIONS
    for name in ("a", "b"):  # each of them is there, and is what it was
        for number in (0, ADDITIONS - 1):
            given = table(ADDED, seed=hash_of(name, number), root=f"/{name}", first=ADDED * number)
            hit = gallery.search(given.embedding[3:4], MADE_BY, 1)[0][0]
            assert (hit.path, hit.columns["root"]) == (str(given.columns["path"][3]), f"/{name}")
            assert hit.score == pytest.approx(1, abs=1e-6)


def add_the_same(uri: str) -> None:
    gallery = open_gallery(uri)
    for begin in range(0, 200, 50):
        gallery.add(table(50, seed=begin, first=begin))


def test_the_same_images_from_two_processes_are_there_once(tmp_path: Path):
    uri, spawn = str(tmp_path / "gallery"), mp.get_context("spawn")
    create_gallery(uri, table(1), "x")
    processes = [spawn.Process(target=add_the_same, args=(uri,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=100)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(open_gallery(uri)) == len(open_gallery(uri).digests()) == 200


def test_killed_while_adding(tmp_path: Path):
    uri, spawn = str(tmp_path / "gallery"), mp.get_context("spawn")
    create_gallery(uri, table(60), "x").add(table(60))
    for kill, seconds in enumerate((0.05, 0.4)):
        log = tmp_path / f"told-{kill}"
        process = spawn.Process(target=add, args=(uri, "abc"[kill], str(log)))
        process.start()
        while not log.exists():
            assert process.is_alive()
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
        process.join()
        told = ADDED * log.stat().st_size
        gallery = open_gallery(uri)
        where = conditions_of([f"root=/{'abc'[kill]}"], gallery.columns)
        hits = gallery.search(table(1).embedding, MADE_BY, 10**6, where)[0]
        assert len(hits) in (told, told + ADDED)  # the last one was perhaps there, and nobody had been told yet
