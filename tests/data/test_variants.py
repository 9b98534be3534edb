"""Protocols beyond the paper: what each changes, and what it leaves alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from psnet.data.degrade import steps_of
from psnet.data.manifest import Manifest
from psnet.data.protocol import MLRProtocol, variants_of
from psnet.data.realistic import realistic
from psnet.data.roles import build_manifest
from psnet.data.samples import DataError, Sample, SampleSet

ROLES = ("path", "pid", "camid", "split", "sha256")


def people(number: int = 60, cameras: int = 2, images: int = 3, **more: object) -> SampleSet:
    samples = tuple(
        Sample(Path(f"{pid:04d}_c{camid}_{i}.png"), pid, camid)
        for pid in range(number)
        for camid in range(1, cameras + 1)
        for i in range(images)
    )
    return SampleSet("people", Path("/nowhere"), samples, published={}, **more)  # type: ignore[arg-type]


def made(found: SampleSet | None = None, **protocol: object) -> Manifest:
    found = found or people()
    sha256 = {sample.path: f"sha of {sample.path}" for sample in found.samples}
    settings = {"low_cameras": [2], "train_identities": 20, **protocol}
    return build_manifest(found, MLRProtocol(**settings), sha256)  # type: ignore[arg-type]


def roles(manifest: Manifest) -> list[tuple[object, ...]]:
    return [tuple(getattr(row, name) for name in ROLES) for row in manifest.rows]


def split_evenly(found: Counter[float], over: set[float]) -> bool:
    """Within 4 sigma of equal chances."""
    total = sum(found.values())
    share = 1 / len(over)
    sigma = (total * share * (1 - share)) ** 0.5
    return set(found) == over and all(abs(count - total * share) < 4 * sigma for count in found.values())


# Nothing changes for those who ask for nothing


def test_a_clean_set_is_the_set_it_was(tiny: Manifest):
    """The hash was taken before there were variants; without checksums, since PNG files differ with Pillow's zlib."""
    bare = replace(tiny, rows=tuple(replace(row, sha256="") for row in tiny.rows))
    assert bare.hash() == "0c044e0a97bc876bccf5ebcc3111b63bb323e9bef77380d17dc25ff013431a79"


def test_the_defaults_said_aloud_are_the_defaults():
    aloud = {"test_rates": None, "gallery_low_share": 0, "degradation": "clean", "rate_per": "image"}
    assert made(**aloud).hash() == made().hash()
    assert variants_of({"rates": [2], **aloud}) == {}


@pytest.mark.parametrize(
    "variant",
    [{"test_rates": [8]}, {"gallery_low_share": 0.5}, {"degradation": "realistic"}, {"rate_per": "identity"}],
)
def test_each_changes_the_hash_and_no_role(variant: dict[str, object]):
    assert made(**variant).hash() != made().hash()
    assert roles(made(**variant)) == roles(made())
    assert variants_of({"rates": [2], **variant}) == variant


# Rates unseen in training


def test_query_images_draw_from_their_own_rates():
    clean, unseen = made(), made(test_rates=[8])
    assert unseen.split("train") == clean.split("train")
    assert {row.rate for row in unseen.split("query")} == {8.0}
    assert unseen.split("gallery") == clean.split("gallery")
    four = Counter(row.rate for row in made(people(400), test_rates=[2, 3, 4, 8]).split("query"))
    assert split_evenly(four, {2.0, 3.0, 4.0, 8.0})


def test_rates_that_nothing_draws_from_are_refused():
    native = tuple(Sample(Path(f"{pid}_{c}.png"), pid, c, native_low=c == 2) for pid in range(40) for c in (1, 2))
    found = SampleSet("natives", Path("/nowhere"), native, published={})
    with pytest.raises(DataError, match=r"test_rates=\[8\]: no test image of natives is made low.*test_rates=null"):
        made(found, low_cameras=[], train_low_share=1.0, test_rates=[8])
    mixed = made(found, low_cameras=[], gallery_low_share=1.0, test_rates=[8])
    assert {row.rate for row in mixed.split("gallery")} == {8.0}
    assert {row.rate for row in mixed.split("query")} == {1.0}


# Galleries of mixed resolution


def test_a_share_of_the_gallery_is_low_and_stays_gallery():
    clean, mixed = made(people(400)), made(people(400), gallery_low_share=0.3)
    assert mixed.split("train") + mixed.split("query") == clean.split("train") + clean.split("query")
    gallery = mixed.split("gallery")
    low = [row for row in gallery if row.is_low]
    assert abs(len(low) - 0.3 * len(gallery)) < 4 * (len(gallery) * 0.21) ** 0.5
    assert split_evenly(Counter(row.rate for row in low), {2.0, 3.0, 4.0})
    assert all(row.has_high and not row.native_low for row in low)
    assert [row for row in gallery if not row.is_low] == [r for r in clean.split("gallery") if r.path not in paths(low)]


def paths(rows: list) -> set[str]:  # type: ignore[type-arg]
    return {row.path for row in rows}


def test_a_larger_share_takes_more_to_the_same():
    some, more, every = ({r.path for r in low_gallery(share)} for share in (0.2, 0.6, 1.0))
    assert some < more < every == paths(made().split("gallery"))


def low_gallery(share: float, **more: object) -> list:  # type: ignore[type-arg]
    return [row for row in made(gallery_low_share=share, **more).split("gallery") if row.is_low]


def test_low_gallery_images_draw_from_the_test_rates_too():
    assert {row.rate for row in low_gallery(0.5, test_rates=[8])} == {8.0}


def test_published_galleries_too():
    parts = {0: "train", 1: "train", 2: "query", 3: "gallery", 4: "gallery"}
    samples = tuple(Sample(Path(f"{pid}_{c}.png"), pid, c, part) for pid, part in parts.items() for c in (1, 2))
    found = SampleSet("parts", Path("/nowhere"), samples, published={})
    settings = {"train_identities": None, "low_cameras": [], "low_fraction": 0.5, "published_roles": True}
    mixed = made(found, **settings, gallery_low_share=1.0)
    assert all(row.is_low for row in mixed.split("gallery"))
    assert {row.path: row.split for row in mixed.rows} == {s.path.name: s.part for s in samples}


# One rate for a person


def test_all_images_of_a_person_have_one_rate():
    rows = made(people(300, images=4), rate_per="identity", gallery_low_share=0.5).rows
    of_person: dict[int, set[float]] = {}
    for row in rows:
        if row.is_low:
            of_person.setdefault(row.pid, set()).add(row.rate)
    assert all(len(rates) == 1 for rates in of_person.values())
    assert split_evenly(Counter(next(iter(rates)) for rates in of_person.values()), {2.0, 3.0, 4.0})


def test_distractors_are_nobody_and_draw_for_themselves():
    parts = {-1: "gallery", 0: "gallery", 1: "train", 2: "train", 3: "gallery", 4: "gallery"}
    samples = [
        Sample(Path(f"{pid}_{c}_{i}.png"), pid, c, p) for pid, p in parts.items() for c in (1, 2) for i in range(9)
    ]
    found = SampleSet("market", Path("/nowhere"), tuple(samples), published={}, has_distractors=True)
    rows = made(found, train_identities=None, distractors=True, rate_per="identity", gallery_low_share=1.0).rows
    nobody = [row.rate for row in rows if row.pid == 0]
    assert len(nobody) == 9  # of the sharp camera
    assert len(set(nobody)) > 1
    assert all(len({row.rate for row in rows if row.pid == pid and row.is_low}) == 1 for pid in (1, 2, 3, 4))


# Realistic degradation


def test_each_low_image_has_a_degradation_of_its_own():
    manifest = made(degradation="realistic", interpolation="box", gallery_low_share=0.5)
    low = [row for row in manifest.rows if row.is_low]
    assert len({row.degradation for row in low}) == len(low)
    assert all(row.degradation == realistic(0, row.path, row.rate, "box") for row in low)
    assert all(row.degradation == "" for row in manifest.rows if not row.is_low)
    assert [row.rate for row in manifest.rows] == [row.rate for row in made(gallery_low_share=0.5).rows]
    assert all(steps_of(row.degradation, row.rate) for row in low)


def test_seeds_and_variants_together():
    every = {"test_rates": [8], "gallery_low_share": 0.5, "degradation": "realistic", "rate_per": "identity"}
    assert made(**every).hash() == made(**every).hash()
    assert made(**every).hash() != made(**every, seed=1).hash()
    whole = {row.path: row for row in made(people(60), sorted_identities=True, **every).rows}
    part = made(people(50), sorted_identities=True, **every).rows
    assert all(whole[row.path] == row for row in part)  # a draw depends on its image, or its person, alone


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"test_rates": []}, r"protocol\.test_rates=\[\] must be down-sampling factors of 1 or more, such as \[8\]"),
        ({"test_rates": 8}, r"protocol\.test_rates=8 must be a list, such as \[8\]"),
        ({"test_rates": [0.5]}, r"protocol\.test_rates=\[0\.5\]"),
        ({"gallery_low_share": 1.5}, r"protocol\.gallery_low_share=1\.5 must be a share between 0 and 1"),
        ({"degradation": "real"}, r"protocol\.degradation='real' is unknown; take one of \['clean', 'realistic'\]"),
        ({"rate_per": "camera"}, r"protocol\.rate_per='camera' is unknown; take one of \['image', 'identity'\]"),
    ],
)
def test_what_does_not_fit_is_named(protocol: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        made(**protocol)
