"""What is said about a set, and when it is called complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from psnet.data.readers import completeness, describe, read_market1501
from psnet.data.samples import NO_CAMERA, Sample, SampleSet
from tests.data import trees


def a_set(images: int, people: int, /, **published: int) -> SampleSet:
    samples = tuple(Sample(Path(f"{i}.png"), pid=i % people, camid=1 + i % 2) for i in range(images))
    return SampleSet("Toy", Path("/toy"), samples, dict(published))


def test_complete() -> None:
    assert completeness(a_set(12, 3, images=12, identities=3, cameras=2)).startswith("complete")


def test_partial_says_how_much_is_there_with_separators() -> None:
    assert completeness(a_set(1_500, 3, images=2_000, identities=4, cameras=2)) == (
        "partial: 1,500 of 2,000 images, 3 of 4 identities"
    )


def test_more_than_published_is_not_called_partial() -> None:
    text = completeness(a_set(13, 3, images=12, identities=4))
    assert text == "differs from the published counts: 13 images instead of 12, 3 identities instead of 4"


def test_own_sets_are_not_compared() -> None:
    assert describe(a_set(4, 2)) == "Toy: 2 identities, 4 images, 2 cameras, from /toy"


def test_a_published_count_nobody_can_take_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="boxes"):
        completeness(a_set(1, 1, boxes=3))


def test_parts_junk_and_distractors(tmp_path: Path) -> None:
    found = read_market1501(trees.market1501(tmp_path / "m", train=(2, 7), test=(1, 3, 4)))
    lines = describe(found).splitlines()
    assert lines[0].startswith("Market-1501: 5 identities, 41 images, 3 cameras")
    assert "  train: 2 identities, 12 images, 3 cameras" in lines
    assert "  query: 3 identities, 9 images, 3 cameras" in lines
    assert "  gallery: 3 identities, 20 images, 3 cameras (distractors: 1; junk boxes: 1)" in lines
    assert "partial: 41 of 36,036 images, 5 of 1,501 identities" in lines[-1]
    assert "20 of 19,732 gallery images" in lines[-1]


def test_sizes() -> None:
    toy = a_set(2, 1)
    first, second = (s.path for s in toy.samples)
    assert "sizes: 48 x 128 pixels" in describe(toy, {first: (48, 128), second: (48, 128)})
    assert "sizes: width 16 to 75, height 39 to 150" in describe(toy, {first: (16, 150), second: (75, 39)})
    # a sharp twin is no image of the set, and a skipped one has no size
    assert "sizes: 48 x 128" in describe(toy, {first: (48, 128), Path("twin.png"): (9, 9)})


def test_cameras_that_nobody_recorded() -> None:
    none = SampleSet("Own", Path("/own"), (Sample(Path("a.png"), 1),), {})
    assert "1 identity, 1 image, no cameras recorded" in describe(none)
    some = SampleSet("Own", Path("/own"), (Sample(Path("a.png"), 1), Sample(Path("b.png"), 1, camid=4)), {})
    assert some.samples[0].camid == NO_CAMERA
    assert "2 images, 1 camera (images without a camera: 1)" in describe(some)
