"""The MLR protocol: roles, rates, splits, and what it refuses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from psnet.data.manifest import Manifest
from psnet.data.protocol import MLRProtocol
from psnet.data.roles import build_manifest
from psnet.data.samples import DataError, NoSuchSplit, Sample, SampleSet


def people(number: int = 40, cameras: int = 2, images: int = 3, **more: object) -> SampleSet:
    samples = tuple(
        Sample(Path(f"{pid:04d}_c{camid}_{i}.png"), pid, camid)
        for pid in range(1, number + 1)
        for camid in range(1, cameras + 1)
        for i in range(images)
    )
    return SampleSet("people", Path("/nowhere"), samples, published={}, **more)  # type: ignore[arg-type]


def made(found: SampleSet, **protocol: object) -> Manifest:
    sha256 = {sample.path: f"sha of {sample.path}" for sample in found.samples}
    settings = {"low_cameras": [2], "train_identities": 20, **protocol}
    return build_manifest(found, MLRProtocol(**settings), sha256)  # type: ignore[arg-type]


def test_roles_go_by_resolution_and_identities_never_meet():
    manifest = made(people())
    train, query, gallery = (manifest.split(name) for name in ("train", "query", "gallery"))
    assert {row.camid for row in query} == {2}
    assert {row.camid for row in gallery} == {1}
    assert all(row.is_low == (row.camid == 2) for row in manifest.rows)
    assert len({row.pid for row in train}) == 20
    assert not {row.pid for row in train} & {row.pid for row in query + gallery}
    assert {row.pid for row in query} == {row.pid for row in gallery}
    assert len(manifest.rows) == len(people().samples)


def test_rates_are_drawn_per_image_with_equal_chances():
    manifest = made(people(number=400))
    low = [row for row in manifest.rows if row.is_low]
    counts = Counter(row.rate for row in low)
    assert set(counts) == {2.0, 3.0, 4.0}
    third = len(low) / 3
    assert all(abs(count - third) < 4 * (len(low) * 2 / 9) ** 0.5 for count in counts.values())  # 4 sigma
    mixed = [pid for pid in range(1, 401) if len({row.rate for row in low if row.pid == pid}) > 1]
    assert len(mixed) > 300  # of an identity's three, not one for all


def test_a_draw_depends_on_its_image_alone():
    whole = {row.path: row for row in made(people(40), train_identities=20, sorted_identities=True).rows}
    part = made(people(30), train_identities=20, sorted_identities=True).rows
    assert all(whole[row.path] == row for row in part)


def test_seed_and_split_change_what_they_should():
    def rates(manifest: Manifest) -> list[float]:
        return [row.rate for row in manifest.rows]

    def trained(manifest: Manifest) -> set[int]:
        return {row.pid for row in manifest.split("train")}

    first, again, other, split = made(people()), made(people()), made(people(), seed=1), made(people(), split=1)
    assert first.rows == again.rows
    assert first.hash() == again.hash()
    assert rates(first) != rates(other)
    assert first.hash() != other.hash()
    assert trained(first) != trained(split)
    assert rates(first) == rates(split)


def test_a_known_draw():
    """Written down once: the same on every machine and in every version, or it is another data set."""
    rows = made(people(6, images=2), train_identities=3).rows
    assert "".join(f"{row.rate:g}" for row in rows if row.is_low) == KNOWN_RATES
    assert sorted({row.pid for row in rows if row.split == "train"}) == KNOWN_TRAIN


KNOWN_RATES = "224342423322"
KNOWN_TRAIN = [2, 3, 6]


def test_a_share_of_identities_and_sorted_ones():
    manifest = made(people(), train_identities=0.25, sorted_identities=True)
    assert {row.pid for row in manifest.split("train")} == set(range(1, 11))


def test_published_splits_by_number():
    found = people(6, test_pids=(frozenset({1, 2}), frozenset({5, 6})))
    assert {row.pid for row in made(found, train_identities=None, split=1).split("query")} == {5, 6}
    with pytest.raises(NoSuchSplit, match=r"split=2: people has published splits 0 to 1"):
        made(found, train_identities=None, split=2)
    with pytest.raises(DataError, match=r"people itself says who trains; say .*train_identities=null"):
        made(found, train_identities=3)


@pytest.mark.parametrize("split", [-1, 1.0, "1", True, None])
def test_a_split_is_a_whole_number_from_0(split: object):
    with pytest.raises(
        NoSuchSplit, match=r"dataset\.source\.protocol\.split=.* must be a whole number, counted from 0"
    ):
        made(people(), split=split)


def test_random_splits_have_no_end():
    assert len({made(people(), split=number).people_hash() for number in (0, 7, 1_000)}) == 3


def test_a_set_with_one_split_has_no_other():
    fixed = tuple(
        Sample(Path(f"{part}{c}.png"), pid, c, part)
        for pid, part in enumerate(("train", "query", "gallery"))
        for c in (1, 2)
    )
    parts = SampleSet("parts", Path("/nowhere"), fixed, published={})
    one = people(6, test_pids=(frozenset({1, 2}),))
    for found in (parts, one):
        assert made(found, train_identities=None).rows
        message = rf"split=5: {found.name} has one published split, number 0; give dataset\.source\.protocol\.split"
        with pytest.raises(NoSuchSplit, match=message):
            made(found, train_identities=None, split=5)
    first = {"train_identities": 3, "sorted_identities": True}
    assert made(people(), **first).rows
    with pytest.raises(
        NoSuchSplit, match=r"split=5: the first 3 identities of people train.*\.sorted_identities=false"
    ):
        made(people(), split=5, **first)


def test_published_parts_are_not_drawn_anew():
    parts = {0: "train", 1: "train", 2: "query", 3: "gallery"}
    samples = tuple(Sample(Path(f"{pid}_{c}.png"), pid, c, part) for pid, part in parts.items() for c in (1, 2))
    found = SampleSet("parts", Path("/nowhere"), samples, published={})
    with pytest.raises(DataError, match=r"train_identities=2: parts itself says who trains"):
        made(found, train_identities=2)
    assert {row.pid for row in made(found, train_identities=None).split("train")} == {0, 1}
    kept = made(found, train_identities=None, low_cameras=[], low_fraction=0.5, published_roles=True)
    assert {row.path: row.split for row in kept.rows} == {sample.path.name: sample.part for sample in samples}
    low = Counter(row.split for row in kept.rows if row.is_low)
    assert low == {"train": 2, "query": 2}  # one of each two to train on, every query, nothing of the gallery


def test_without_cameras_a_share_of_each_identity_is_low():
    found = people(10, cameras=1, images=4)
    manifest = made(found, low_cameras=[], low_fraction=0.5, train_identities=5)
    low = Counter(row.pid for row in manifest.rows if row.is_low)
    assert set(low.values()) == {2}
    everything = made(found, low_cameras=[], low_fraction=1.0, train_identities=5)
    assert {row.pid for row in everything.split("query")} == {row.pid for row in everything.split("gallery")}


def test_some_sharp_training_images_are_made_low_as_well():
    manifest = made(people(200), train_identities=150, train_low_share=0.5)
    sharp_camera = [row for row in manifest.split("train") if row.camid == 1]
    share = sum(row.is_low for row in sharp_camera) / len(sharp_camera)
    assert 0.4 < share < 0.6
    assert not any(row.is_low for row in manifest.split("gallery"))


def test_native_low_images_are_not_made_lower():
    native = tuple(Sample(Path(f"{pid}_{c}.png"), pid, c, native_low=c == 2) for pid in range(4) for c in (1, 2))
    found = SampleSet("natives", Path("/nowhere"), native, published={})
    rows = made(found, low_cameras=[], train_identities=2).rows
    assert all(row.degradation == "" and row.rate == 1 for row in rows)
    assert all(row.has_high != row.native_low for row in rows)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"low_cameras": [7]}, r"low_cameras=\[7\]: people has no camera 7, only \[1, 2\]"),
        ({"low_cameras": []}, r"people has no low image: .*low_cameras \(cameras: \[1, 2\]\)"),
        ({"train_identities": 41}, r"train_identities=41: people has 40 identities"),
        ({"train_identities": 0}, r"train_identities=0"),
        ({"train_identities": None}, r"does not say which identities train"),
        ({"rates": []}, r"rates=\[\]"),
        ({"rates": ["two"]}, r"rates=\['two'\] must be down-sampling factors of 1 or more, such as \[2,3,4\]"),
        ({"rates": 2}, r"rates=2 must be a list, such as \[2,3,4\]"),
        ({"low_cameras": 2}, r"low_cameras=2 must be a list, such as \[2\]"),
        ({"rates": [0.5]}, r"rates=\[0\.5\]"),
        ({"interpolation": "cubic"}, r"interpolation='cubic' is unknown; take one of"),
        ({"low_fraction": 2}, r"low_fraction=2 must be a share"),
        ({"low_fraction": "half"}, r"low_fraction='half' must be a share"),
        ({"train_identities": "half"}, r"train_identities='half' must be a whole number of identities, or a share"),
        ({"train_identities": 2.5}, r"train_identities=2\.5 must be a whole number"),
        ({"train_identities": True}, r"train_identities=True must be a whole number"),
    ],
)
def test_what_does_not_fit_is_named(protocol: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        made(people(), **protocol)


def test_identities_in_train_and_test_are_refused():
    samples = tuple(
        Sample(Path(f"{part}.png"), 1, 1 + (part == "query"), part) for part in ("train", "query", "gallery")
    )
    with pytest.raises(DataError, match=r"1 identities are in train and test, e\.g\. pid 1"):
        made(SampleSet("both", Path("/nowhere"), samples, published={}), train_identities=None)
