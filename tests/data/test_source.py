"""What MLRSource refuses, seconds after the start instead of in the middle of an epoch."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from psnet.data.manifest import Manifest
from psnet.data.manifest_file import write_manifest
from psnet.data.protocol import MLRProtocol
from psnet.data.readers import read_folder, read_viper
from psnet.data.samples import DataError, Sample, SampleSet
from psnet.data.source import MLRSource
from tests.data import trees

SPLIT = MLRProtocol(low_cameras=[2], train_identities=2)


def people(root: Path, names: dict[str, tuple[int, int]]) -> SampleSet:
    """A picture for each name; (pid, camid) of each."""
    trees.pictures(root, names)
    samples = tuple(Sample(Path(name), pid, camid) for name, (pid, camid) in names.items())
    return SampleSet("people", root, samples, published={})


def four(root: Path) -> dict[str, tuple[int, int]]:
    return {f"{pid}_{c}_{i}.png": (pid, c) for pid in (1, 2, 3, 4) for c in (1, 2) for i in (1, 2)}


def prepare(root: Path, names: dict[str, tuple[int, int]], **settings: object) -> Manifest:
    found = people(root, names)
    return MLRSource(lambda: found, **{"protocol": SPLIT, **settings}).prepare()  # type: ignore[arg-type]


SORTED = MLRProtocol(low_cameras=[2], train_identities=2, sorted_identities=True)


def test_what_it_found_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        prepare(tmp_path, four(tmp_path))
    assert "people: 4 identities, 16 images, 2 cameras" in caplog.text


def test_an_identity_with_one_training_image(tmp_path: Path):
    names = {**four(tmp_path), "0_1.png": (0, 1)}
    with pytest.raises(DataError, match=r"1 training identities have one image only, e\.g\. pid 0"):
        prepare(tmp_path, names, protocol=SORTED)
    assert {row.pid for row in prepare(tmp_path, names, protocol=SORTED, singletons="drop").split("train")} == {1}
    assert {row.pid for row in prepare(tmp_path, names, protocol=SORTED, singletons="keep").split("train")} == {0, 1}


def test_queries_without_a_match(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    names = {**four(tmp_path), "9_2.png": (9, 2)}
    message = r"1 of 5 query images, of 1 identities \(e\.g\. pid 9, 9_2\.png\), have no match in the gallery"
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, names, protocol=SORTED)
    manifest = prepare(tmp_path, names, protocol=SORTED, unmatched_queries="skip")
    assert len(manifest.split("query")) == 5
    assert "they are counted and left out" in caplog.text


def test_all_images_by_one_camera(tmp_path: Path):
    names = {f"{pid}_{i}.png": (pid, 1) for pid in (1, 2, 3, 4) for i in range(4)}
    by_share = MLRProtocol(low_fraction=0.5, train_identities=2)
    with pytest.raises(DataError, match=r"from another camera.*camera_rule=false"):
        prepare(tmp_path, names, protocol=by_share)
    with pytest.raises(DataError, match=r"4 of 4 query images"):  # nothing would be left to score
        prepare(tmp_path, names, protocol=by_share, unmatched_queries="skip")
    assert prepare(tmp_path, names, protocol=by_share, camera_rule=False).split("query")


def test_missing_cameras(tmp_path: Path):
    trees.pictures(tmp_path, [f"{pid}/{i}.png" for pid in "abcd" for i in range(4)])
    source = MLRSource(lambda: read_folder(tmp_path), MLRProtocol(low_fraction=0.5, train_identities=2))
    with pytest.raises(DataError, match=r"some images have no camera.*camera_rule=false"):
        source.prepare()


def test_nobody_left_to_test(tmp_path: Path):
    everyone = MLRProtocol(low_cameras=[2], train_identities=4)
    with pytest.raises(DataError, match=r"no image is left to search for \(split 'query'\)"):
        prepare(tmp_path, four(tmp_path), protocol=everyone)


def test_a_broken_image_is_named_or_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    names = {**four(tmp_path), "1_1_3.png": (1, 1)}
    found = people(tmp_path, names)
    whole = (tmp_path / "1_1_3.png").read_bytes()
    (tmp_path / "1_1_3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1_1_3\.png"):
        MLRSource(lambda: found, SPLIT).prepare()
    manifest = MLRSource(lambda: found, SPLIT, on_unreadable="skip").prepare()
    assert len(manifest.rows) == 16
    assert "1 unreadable images are left out" in caplog.text


def test_a_missing_root_says_where_to_get_the_set(tmp_path: Path):
    with pytest.raises(DataError, match=r"Get it from its authors .*reader\.root=PATH"):
        MLRSource(lambda: read_viper(tmp_path / "VIPeR"), SPLIT).prepare()


def test_a_manifest_that_was_kept_makes_exactly_that_set(tmp_path: Path):
    first = prepare(tmp_path, four(tmp_path))
    write_manifest(first, tmp_path / "manifest.csv")
    other_seed = MLRProtocol(low_cameras=[2], train_identities=2, seed=5)
    kept = prepare(tmp_path, four(tmp_path), protocol=other_seed, manifest=str(tmp_path / "manifest.csv"))
    assert kept.hash() == first.hash()
    trees.picture(tmp_path / "1_1_1.png", size=(9, 17))
    found = SampleSet("people", tmp_path, tuple(Sample(Path(n), *who) for n, who in four(tmp_path).items()), {})
    with pytest.raises(DataError, match=r"1 differ \['1_1_1\.png'\]"):
        MLRSource(lambda: found, manifest=str(tmp_path / "manifest.csv")).prepare()


def test_a_manifest_leaves_nothing_for_a_variant(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_manifest(prepare(tmp_path, four(tmp_path)), tmp_path / "manifest.csv")
    varied = MLRProtocol(low_cameras=[2], train_identities=2, test_rates=[8], rate_per="identity")
    message = r"test_rates=\[8\], rate_per=identity would change nothing: .*leave the variant out"
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, four(tmp_path), protocol=varied, manifest=str(tmp_path / "manifest.csv"))
    another = MLRProtocol(low_cameras=[2], train_identities=2, split=3)
    prepare(tmp_path, four(tmp_path), protocol=another, manifest=str(tmp_path / "manifest.csv"))
    assert "split=3 is its name alone" in caplog.text


@pytest.mark.parametrize("name", ["on_unreadable", "singletons", "unmatched_queries"])
def test_unknown_words(tmp_path: Path, name: str):
    with pytest.raises(DataError, match=f"dataset.source.{name}='maybe' must be one of error, "):
        prepare(tmp_path, four(tmp_path), **{name: "maybe"})
