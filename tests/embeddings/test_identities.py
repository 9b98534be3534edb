"""From names to numbers: as a slow twin has it, the same in query and gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psnet.embeddings import EmbeddingError, read_embeddings
from psnet.embeddings.identities import numbered
from tests.embeddings.world import npz_of, psnet_arrays, world

NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4), min_size=1, max_size=9)


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES)
def test_one_number_for_one_name(query: list[str], gallery: list[str]):
    try:
        q, g, names = numbered(np.array(query), np.array(gallery), "pid")
    except EmbeddingError:  # whole numbers have rules of their own, tested below
        assert any(name.lstrip("-").isdigit() for name in query + gallery)
        return
    assert (q.dtype, g.dtype) == (np.int64, np.int64)
    assert [names[number] for number in q.tolist()] == query
    assert [names[number] for number in g.tolist()] == gallery
    assert set(names.values()) == set(query + gallery)


@given(st.permutations(["zoe", "7", "anna", "Ünal"]))
def test_numbers_depend_on_names_alone(order: list[str]):
    q, g, names = numbered(np.array(order), np.array(order[::-1]), "pid")
    assert names == {0: "7", 1: "anna", 2: "zoe", 3: "Ünal"}
    assert q.tolist() == g.tolist()[::-1]


def test_whole_numbers_keep_their_value():
    q, g, names = numbered(np.array(["0012", "0"]), np.array(["-1", "0012"]), "pid")
    assert (q.tolist(), g.tolist()) == ([12, 0], [-1, 12])
    assert names == {12: "0012", 0: "0", -1: "-1"}


def test_numbers_that_are_too_long_are_names():
    q, g, names = numbered(np.array(["12345678901234567890", "7"]), np.array(["7"]), "pid")
    assert (q.tolist(), g.tolist(), names) == ([0, 1], [1], {0: "12345678901234567890", 1: "7"})


def test_text_in_bytes_and_in_lists_of_other_lengths():
    q, g, names = numbered(np.array([b"an"]), np.array(["anna", "an"]), "pid")
    assert (q.tolist(), g.tolist(), names) == ([0], [1, 0], {0: "an", 1: "anna"})


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.uint64, np.int64, np.float32, ">i4"])
def test_numbers_stay_what_they_are(kind):
    q, g, names = numbered(np.array([3, 1], kind), np.array([1], np.int32), "pid")
    assert (q.tolist(), g.tolist(), names) == ([3, 1], [1], {})
    assert q.dtype == np.int64


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (["1", "01"], "'pid' is '01' and '1', which is one number; write it in one way"),
        (["anna", "-1"], "'pid' is '-1' for some images and a name for others; if the first mean nobody"),
        (["0", "-0"], "which is one number"),
    ],
)
def test_what_could_be_two_things(query: list[str], message: str):
    with pytest.raises(EmbeddingError, match=message):
        numbered(np.array(query), np.array(["2" if "01" in query else query[0]]), "pid")


def test_names_are_kept_and_said(tmp_path: Path):
    w = world()
    w.pid = np.array(["zoe", "anna", "zoe", "anna", "zoe", "bob", "carl"])
    w.camid = np.array(["hall", "door", "hall", "door", "hall", "hall", "hall"])
    found = read_embeddings([npz_of(tmp_path / "n.npz", psnet_arrays(w))])
    assert found.pid_names == {0: "anna", 1: "bob", 2: "carl", 3: "zoe"}
    assert found.query.pid.tolist() == [3, 0, 3]
    assert found.gallery.pid.tolist() == [0, 3, 1, 2]
    assert found.gallery.camid.tolist() == [0, 1, 1, 1]
    assert found.notes == (
        "The pids are text; 4 of them were numbered: 'anna' is 0, 'bob' is 1.",
        "The camids are text; 2 of them were numbered: 'door' is 0, 'hall' is 1.",
    )
