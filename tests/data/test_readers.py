"""Published sets: tiny trees in their form, and the real ones where they are at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from psnet.data.readers import (
    describe,
    read_caviar,
    read_cuhk01,
    read_dukemtmc,
    read_market1501,
    read_market1501_train,
    read_pku,
    read_viper,
)
from psnet.data.samples import DISTRACTOR, JUNK, DataError, Sample, SampleSet
from tests.data import trees
from tests.data.real import real_set


@dataclass(frozen=True)
class Published:
    """A layout under test. images: the sub-folder of one of its images. cites: words of where to get it."""

    build: Callable[[Path], Path]
    read: Callable[[Path], SampleSet]
    images: str
    folder: str
    cites: str


MARKET = "Market-1501-v15.09.15"
SETS = {
    "market1501": Published(trees.market1501, read_market1501, "query", MARKET, "ICCV 2015"),
    "market1501_train": Published(trees.market1501, read_market1501_train, "bounding_box_train", MARKET, "ICCV 2015"),
    "dukemtmc": Published(trees.dukemtmc, read_dukemtmc, "bounding_box_test", "DukeMTMC-reID", "withdrawn it"),
    "viper": Published(trees.viper, read_viper, "cam_a", "VIPeR", "PETS 2007"),
    "caviar": Published(trees.caviar, read_caviar, "", "CAVIAR4REID", "BMVC 2011"),
    "cuhk01": Published(trees.cuhk01, read_cuhk01, "campus", "CUHK01", "ACCV 2012"),
    "pku": Published(trees.pku, read_pku, "", "PKU-Reid", "arXiv 1605.02464"),
}
every_set = pytest.mark.parametrize("name", SETS)


def by_path(s: SampleSet) -> dict[str, Sample]:
    return {sample.path.as_posix(): sample for sample in s.samples}


# ---------------------------------------------------------------- all layouts alike


@every_set
def test_lists_each_image_once_in_order_relative_to_root(name: str, tmp_path: Path) -> None:
    root = SETS[name].build(tmp_path / "set")
    found = SETS[name].read(root)
    paths = [s.path.as_posix() for s in found.samples]
    assert paths == sorted(set(paths))
    assert all((root / path).is_file() for path in paths)
    assert found.root == root


@every_set
def test_does_not_open_images(name: str, tmp_path: Path) -> None:
    root = SETS[name].build(tmp_path / "set")
    before = SETS[name].read(root)
    for sample in before.samples:
        (root / sample.path).write_bytes(b"")
    assert SETS[name].read(root) == before


@every_set
def test_missing_root_says_where_to_get_the_set_and_how_to_point_at_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        SETS[name].read(tmp_path / "nowhere")
    text = str(caught.value)
    words = (str(tmp_path / "nowhere"), SETS[name].cites, SETS[name].folder, "must hold")
    assert all(word in text for word in (*words, "PSNET_DATA", "dataset.source.reader.root=")), text


@every_set
def test_empty_folder_is_no_set(name: str, tmp_path: Path) -> None:
    for folder in ("bounding_box_train", "bounding_box_test", "query", "cam_a", "cam_b", "campus"):
        (tmp_path / folder).mkdir()
    with pytest.raises(DataError, match="holds no images"):
        SETS[name].read(tmp_path)


@every_set
@pytest.mark.parametrize("stray", ["selfie.jpg", "0001.png", "0002_c1s1_000451_03.jpg.bak", "x0001001.jpg", "README"])
def test_a_name_that_does_not_parse_is_named(name: str, stray: str, tmp_path: Path) -> None:
    root = SETS[name].build(tmp_path / "set")
    (root / SETS[name].images / stray).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        SETS[name].read(root)
    assert str(root / SETS[name].images / stray) in str(caught.value)
    assert "look like" in str(caught.value)


@every_set
def test_litter_is_passed_over(name: str, tmp_path: Path) -> None:
    root = SETS[name].build(tmp_path / "set")
    before = SETS[name].read(root)
    for litter in (
        "Thumbs.db",
        ".DS_Store",
        "._0001001.jpg",
        "desktop.ini",
        "notes.txt",
        "split.mat",
        "a.MAT",
    ):
        (root / SETS[name].images / litter).write_bytes(b"")
    (root / SETS[name].images / "__MACOSX").mkdir()
    assert SETS[name].read(root) == before


# ---------------------------------------------------------------- one by one


def test_market1501_parts_cameras_junk_and_distractors(tmp_path: Path) -> None:
    found = read_market1501(trees.market1501(tmp_path / "m", train=(2, 7), test=(1, 1501)))
    assert Counter(s.part for s in found.samples) == {"train": 2 * 6, "gallery": 2 * 6 + 2, "query": 2 * 3}
    samples = by_path(found)
    query = samples["query/1501_c3s1_001501_00.jpg"]
    assert (query.pid, query.camid, query.part) == (1501, 3, "query")
    assert samples["bounding_box_test/-1_c1s1_000401_03.jpg"].pid == JUNK
    assert samples["bounding_box_test/0000_c1s1_000151_01.jpg"].pid == DISTRACTOR
    assert found.has_distractors
    assert not any(s.native_low for s in found.samples)


def test_market1501_has_one_file_with_a_doubled_suffix(tmp_path: Path) -> None:
    root = trees.market1501(tmp_path / "m")
    trees.picture(root / "bounding_box_test/1488_c1s6_023021_00.jpg").rename(
        root / "bounding_box_test/1488_c1s6_023021_00.jpg.jpg"
    )
    assert by_path(read_market1501(root))["bounding_box_test/1488_c1s6_023021_00.jpg.jpg"].pid == 1488


def test_half_of_market1501_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    root = trees.market1501(tmp_path / "m", half=True)
    with pytest.raises(DataError, match=r"lacks query, bounding_box_test.*dataset=mlr_market751.*training half"):
        read_market1501(root)


def test_market1501_without_its_training_half_is_not_sent_to_market751(tmp_path: Path) -> None:
    (tmp_path / "query").mkdir()
    with pytest.raises(DataError, match="lacks bounding_box_train, bounding_box_test") as caught:
        read_market1501(tmp_path)
    assert "mlr_market751" not in str(caught.value)


@pytest.mark.parametrize("half", [True, False])
def test_training_half_alone_has_no_parts(half: bool, tmp_path: Path) -> None:
    found = read_market1501_train(trees.market1501(tmp_path / "m", train=(2, 7), half=half))
    assert {s.part for s in found.samples} == {""}
    assert {s.pid for s in found.samples} == {2, 7}


def test_dukemtmc_test_people_are_those_searched_for(tmp_path: Path) -> None:
    found = read_dukemtmc(trees.dukemtmc(tmp_path / "d", train=(1, 5), test=(2, 6)))
    assert found.test_pids == (frozenset({2, 6}),)
    assert Counter(s.part for s in found.samples) == {"train": 4, "gallery": 5, "query": 2}
    assert by_path(found)["bounding_box_train/0005_c2_f0046005.jpg"].camid == 2
    assert "identities that are in the gallery only: 1" in describe(found)
    assert not found.has_distractors


def test_dukemtmc_is_never_recommended(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"withdrawn.*not recommended") as caught:
        read_dukemtmc(tmp_path / "nowhere")
    assert "http" not in str(caught.value)


def test_viper_cameras(tmp_path: Path) -> None:
    found = read_viper(trees.viper(tmp_path / "v", people=6))
    assert {(s.path.parts[0], s.camid) for s in found.samples} == {("cam_a", 1), ("cam_b", 2)}
    assert sorted(s.pid for s in found.samples) == sorted([*range(6), *range(6)])
    assert found.test_pids == ()


def test_viper_partitions_list_the_test_half(tmp_path: Path) -> None:
    root = trees.viper(tmp_path / "v", people=6)
    found = read_viper(root, root / "partitions.txt")
    assert found.test_pids == (frozenset({3, 4, 5}), frozenset({0, 1, 2}))


PAIR = "1 - cam_a/001_45.bmp  cam_b/001_90.bmp"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lists no pairs"),
        ("% Experiment Number 1\n\n% Experiment Number 2\n" + PAIR, "an experiment lists no pairs"),
        (PAIR, "line 1: pairs must follow"),
        ("% Experiment Number 1\n" + PAIR + "\ngarbage", "line 3: 'garbage' is not a pair"),
        ("% Experiment Number 1\n1 - cam_a/001_45.bmp  cam_b/002_90.bmp", "line 2: .* is not a pair"),
        (
            "% Experiment Number 1\n1 - cam_a/001_0.bmp  cam_b/001_90.bmp",
            "line 2: .* no image cam_a/001_0.bmp",
        ),
        ("% Experiment Number 1\n" + PAIR + "\n" + PAIR, "line 3: person 1 is listed twice"),
    ],
)
def test_partitions_that_do_not_fit(text: str, complaint: str, tmp_path: Path) -> None:
    root = trees.viper(tmp_path / "v", people=6)
    (root / "partitions.txt").write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_viper(root, root / "partitions.txt")


def test_missing_or_binary_partitions(tmp_path: Path) -> None:
    root = trees.viper(tmp_path / "v")
    with pytest.raises(DataError, match=r"no partitions file .*nowhere\.txt"):
        read_viper(root, root / "nowhere.txt")
    with pytest.raises(DataError, match="line 1"):
        read_viper(root, root / "cam_a/000_45.bmp")


def test_caviar_far_images_are_low_as_they_are(tmp_path: Path) -> None:
    root = trees.caviar(tmp_path / "c", two_cameras=2, one_camera=1)
    found = read_caviar(root, two_cameras_only=False)
    for sample in found.samples:
        image = int(sample.path.stem[4:])
        assert (sample.camid, sample.native_low) == ((1, False) if image <= 10 else (2, True))
    assert len(found.samples) == 2 * 20 + 10
    assert found.notes == ()


def test_caviar_leaves_one_camera_people_out_and_says_so(tmp_path: Path) -> None:
    found = read_caviar(trees.caviar(tmp_path / "c", two_cameras=2, one_camera=3))
    assert {s.pid for s in found.samples} == {4, 5}
    assert "left out: 30 images of 3 identities" in describe(found)


@pytest.mark.parametrize("image", ["000", "021", "100"])
def test_caviar_has_twenty_images_of_a_person_at_most(image: str, tmp_path: Path) -> None:
    root = trees.caviar(tmp_path / "c")
    trees.picture(root / f"0002{image}.jpg")
    with pytest.raises(DataError, match=f"0002{image}.jpg"):
        read_caviar(root)


def test_cuhk01_cameras(tmp_path: Path) -> None:
    samples = by_path(read_cuhk01(trees.cuhk01(tmp_path / "c", people=2)))
    assert [samples[f"campus/0002{i:03d}.png"].camid for i in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert {s.pid for s in samples.values()} == {1, 2}


def test_pku_cameras(tmp_path: Path) -> None:
    samples = by_path(read_pku(trees.pku(tmp_path / "p", people=2)))
    assert len(samples) == 2 * 2 * 8
    assert (samples["002_1_8.png"].pid, samples["002_1_8.png"].camid) == (2, 1)
    assert samples["001_2_1.png"].camid == 2


# ---------------------------------------------------------------- the real ones


@pytest.mark.parametrize(
    ("read", "folder", "said"),
    [
        (read_viper, "VIPeR", ["632 identities, 1,264 images, 2 cameras", "complete: agrees"]),
        (
            read_caviar,
            "CAVIAR4REID",
            ["50 identities, 1,000 images", "220 images of 22 identities", "complete"],
        ),
        (read_cuhk01, "CUHK01", ["971 identities, 3,884 images, 2 cameras", "complete: agrees"]),
        (read_market1501_train, MARKET, ["751 identities, 12,936 images, 6 cameras", "complete: agrees"]),
        (read_pku, "PKU-Reid", ["partial: 1,184 of 1,824 images, 74 of 114 identities"]),
    ],
)
def test_real_sets_are_counted(read: Callable[[Path], SampleSet], folder: str, said: list[str]) -> None:
    text = describe(read(real_set(folder)))
    assert all(words in text for words in said), text


def test_real_caviar_as_published() -> None:
    found = read_caviar(real_set("CAVIAR4REID"), two_cameras_only=False)
    assert Counter(s.camid for s in found.samples) == {1: 720, 2: 500}
    assert "complete: agrees" in describe(found)


def test_real_market_camera_three() -> None:
    found = read_market1501_train(real_set(MARKET))
    assert sum(s.camid == 3 for s in found.samples) == 2_707


def test_real_partitions() -> None:
    root = real_set("VIPeR")
    found = read_viper(root, root / "SDALF_VIPeR_sets.txt")
    assert [len(pids) for pids in found.test_pids] == [316] * 10
    assert len(set(found.test_pids)) == 10
