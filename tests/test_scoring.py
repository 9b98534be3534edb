"""psnet score: embeddings of any tool by rules that are said, compared, printed, written."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from psnet.cli import main
from psnet.embeddings import EmbeddingSet, EmbeddingSide, read_embeddings, save_embeddings
from psnet.metrics import Labels, evaluate_ranking, evaluate_single_shot, summarise
from psnet.scoring import ScoreOptions, embeddings_of, score


def made(seed: int = 0, noise: float = 1.2, queries: int = 60, gallery: int = 240) -> EmbeddingSet:
    random = np.random.default_rng(seed)
    means = np.random.default_rng(1).normal(size=(30, 16))
    sides = []
    for name, number, cameras in (("q", queries, (0, 2)), ("g", gallery, (1, 4))):
        people = np.random.default_rng(7 + number)
        pid = people.integers(0, 30, number)
        embedding = (means[pid] + noise * random.normal(size=(number, 16))).astype("f4")
        camid, rate = people.integers(*cameras, number), people.choice([2.0, 4.0], number)
        weather = people.choice(["rain", "sun"], number)
        path = np.array([f"{name}/{i}.png" for i in range(number)])
        pid[:5] = -1 if name == "g" else pid[:5]
        sides.append(EmbeddingSide(embedding, pid, camid, rate, {"weather": weather}, path))
    return EmbeddingSet(sides[0], sides[1], source="made")


def run(*arguments: str) -> dict:
    main(["score", *arguments])
    out = Path(arguments[arguments.index("--out") + 1])
    return json.loads((out / "score.json").read_text())


def test_it_is_the_evaluation(tmp_path: Path):
    embeddings = made()
    file = save_embeddings(embeddings, tmp_path / "a.npz")
    found = run(str(file), "--out", str(tmp_path / "out"))
    q, g = (torch.from_numpy(side.embedding) for side in (embeddings.query, embeddings.gallery))
    labels = [
        Labels(torch.from_numpy(s.pid), torch.from_numpy(s.camid)) for s in (embeddings.query, embeddings.gallery)
    ]
    expected = evaluate_ranking(q, g, *labels, junk_pid=-1)
    assert found["figures"] == summarise(expected)
    assert {row["rate"] for row in found["groups"]["rate"]} == {2, 4}
    assert {row["weather"] for row in found["groups"]["weather"]} == {"rain", "sun"}
    low, high = found["intervals"]["mAP"]
    assert low < found["figures"]["mAP"] < high
    assert list(found["tar_at_far"].values()) == sorted(found["tar_at_far"].values())
    assert "5 gallery images with pid -1 are left out." in found["notes"]
    rows = list(csv.DictReader((tmp_path / "out" / "queries.csv").open()))
    assert [row["path"] for row in rows] == embeddings.query.path.tolist()
    ap = [float(row["ap"]) if row["ap"] else float("nan") for row in rows]
    assert ap == pytest.approx(expected.ap.tolist(), nan_ok=True)


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        (("--no-camera-rule",), {"camera_rule": False, "junk_pid": -1}),
        (("--keep-junk",), {}),
        (("--junk-pid", "3"), {"junk_pid": 3}),
        (("--distance", "euclidean"), {"distance": "euclidean", "junk_pid": -1}),
    ],
)
def test_rules_reach_the_evaluation(options: tuple[str, ...], rules: dict, tmp_path: Path):
    embeddings = made()
    file = save_embeddings(embeddings, tmp_path / "a.npz")
    found = run(str(file), "--out", str(tmp_path / "out"), *options)
    labels = [
        Labels(torch.from_numpy(s.pid), torch.from_numpy(s.camid)) for s in (embeddings.query, embeddings.gallery)
    ]
    q, g = embeddings.query.embedding, embeddings.gallery.embedding
    assert found["figures"] == summarise(evaluate_ranking(q, g, *labels, **rules))


def test_single_shot(tmp_path: Path):
    embeddings = made()
    found = score(embeddings, ScoreOptions(single_shot=9, seed=4, junk_pid=None)).retrieval
    labels = [
        Labels(torch.from_numpy(s.pid), torch.from_numpy(s.camid)) for s in (embeddings.query, embeddings.gallery)
    ]
    q, g = embeddings.query.embedding, embeddings.gallery.embedding
    expected = evaluate_single_shot(q, g, *labels, repeats=9, seed=4)
    assert torch.equal(found.results.ap.nan_to_num(), expected.ap.nan_to_num())
    assert found.shots == "single"


def test_more_neighbours_and_more_images_help_on_noisy_queries():
    """Where noise is what is wrong, each way to average it out finds more."""
    embeddings = made(noise=1.0)
    plain = summarise(score(embeddings, ScoreOptions()).retrieval.results)["mAP"]
    for options in (ScoreOptions(expand=5), ScoreOptions(rerank=True), ScoreOptions(multi_query="mean")):
        found = score(embeddings, options)
        assert summarise(found.retrieval.results)["mAP"] > plain + 0.02, options
    pooled = score(embeddings, ScoreOptions(multi_query="mean")).retrieval
    people = set(zip(embeddings.query.pid.tolist(), embeddings.query.camid.tolist(), strict=True))
    assert len(pooled.query.pid) == len(people)


def test_ready_distances(tmp_path: Path):
    embeddings = made()
    q, g = (
        torch.nn.functional.normalize(torch.from_numpy(s.embedding)) for s in (embeddings.query, embeddings.gallery)
    )
    bare = [EmbeddingSide(None, s.pid, s.camid, s.rate) for s in (embeddings.query, embeddings.gallery)]
    given = EmbeddingSet(bare[0], bare[1], distances=(1 - q @ g.T).numpy())
    found = score(given, ScoreOptions())
    whole = score(embeddings, ScoreOptions())
    torch.testing.assert_close(
        found.retrieval.results.ap, whole.retrieval.results.ap, equal_nan=True, rtol=0, atol=1e-3
    )
    file = save_embeddings(given, tmp_path / "d.npz")
    assert run(str(file), "--out", str(tmp_path / "out"))["facts"]["Distance"] == "as given"
    for option in ("--rerank", "--expand=3", "--multi-query=mean", "--distance=euclidean"):
        with pytest.raises(SystemExit, match=f"error: {option.partition('=')[0]}.* needs embeddings"):
            main(["score", str(file), option, "--out", str(tmp_path / "no")])
    assert not (tmp_path / "no").exists()


def test_against_another(tmp_path: Path, capsys: pytest.CaptureFixture):
    good, bad = (save_embeddings(made(noise=n), tmp_path / f"{n}.npz") for n in (1.0, 2.0))
    found = run(str(good), "--against", str(bad), "--out", str(tmp_path / "out"))["compared"]
    assert found["mAP"]["difference"] > 0.05
    assert found["mAP"]["p_value"] < 0.01
    assert "Against the other, points" in capsys.readouterr().out
    back = run(str(bad), "--against", str(good), "--out", str(tmp_path / "back"))["compared"]
    assert back["mAP"]["difference"] == pytest.approx(-found["mAP"]["difference"])


def test_models_are_compared_on_the_same_images(tmp_path: Path):
    one, other = made(), made(noise=2.0)
    for side in (other.query, other.gallery):
        side.pid[:], side.embedding[:] = side.pid[::-1].copy(), side.embedding[::-1].copy()
    files = [str(save_embeddings(x, tmp_path / f"{i}.npz")) for i, x in enumerate((one, other))]
    with pytest.raises(SystemExit, match="the same in another order: 60 and 60 queries"):
        main(["score", files[0], "--against", files[1], "--out", str(tmp_path / "no")])


def test_columns_that_make_no_groups():
    embeddings = made()
    number = np.arange(60)
    embeddings.query.labels.update({"frame": number, "heat": np.where(number < 30, np.nan, 1.0), "weather": number % 2})  # type: ignore[attr-defined]
    scored = score(embeddings, ScoreOptions())
    assert set(scored.labels) == {"rate", "camera", "weather"}
    assert "Queries are not grouped by frame, which has 60 values." in scored.notes
    assert "Queries are not grouped by heat, which has gaps." in scored.notes


def test_a_group_of_one_person_has_no_interval(tmp_path: Path):
    embeddings = made()
    alone = embeddings.query.pid == embeddings.query.pid[0]
    embeddings.query.labels["weather"][:] = np.where(alone, "snow", "sun")  # type: ignore[index]
    groups = run(str(save_embeddings(embeddings, tmp_path / "a.npz")), "--out", str(tmp_path / "out"))["groups"][
        "weather"
    ]
    assert {row["weather"]: bool(row["intervals"]) for row in groups} == {"snow": False, "sun": True}


def test_means_are_of_normalised_embeddings():
    with pytest.raises(ValueError, match="leave --distance euclidean out"):
        score(made(), ScoreOptions(distance="euclidean", expand=3))


def test_pictures(tmp_path: Path):
    embeddings = made(queries=12, gallery=120)
    for side in (embeddings.query, embeddings.gallery):
        for i, name in enumerate(side.path):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.new("RGB", (20, 40), (i, 50, 200)).save(tmp_path / name)
    file = save_embeddings(embeddings, tmp_path / "a.npz")
    run(str(file), "--out", str(tmp_path / "with"), "--images", str(tmp_path))
    run(str(file), "--out", str(tmp_path / "without"))
    assert "data:image" in (tmp_path / "with" / "report.html").read_text()
    (tmp_path / "q" / "3.png").unlink()
    with pytest.raises(SystemExit, match=r"1 of \d+ images are not below .*, the first is 'q/3.png'"):
        main(["score", str(file), "--images", str(tmp_path), "--out", str(tmp_path / "no")])


def test_a_page_that_lists_no_queries_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = save_embeddings(made(), tmp_path / "a.npz")
    said = "does not list each of 60 queries"
    run(str(file), "--out", str(tmp_path / "all"))
    assert said not in (tmp_path / "all" / "report.html").read_text()
    monkeypatch.setattr("psnet.scoring.page.BROWSED", 59)
    run(str(file), "--out", str(tmp_path / "none"))
    page = (tmp_path / "none" / "report.html").read_text()
    assert said in page
    assert len((tmp_path / "none" / "queries.csv").read_text().splitlines()) == 61


def test_people_keep_their_names(tmp_path: Path):
    columns = {}
    for name, side in made().sides().items():
        columns |= {f"{name}_embedding": side.embedding, f"{name}_camid": side.camid}
        columns[f"{name}_pid"] = np.array([f"<anna {pid}>" for pid in side.pid])
    np.savez(tmp_path / "a.npz", **columns)
    run(str(tmp_path / "a.npz"), "--out", str(tmp_path / "out"))
    rows = list(csv.DictReader((tmp_path / "out" / "queries.csv").open()))
    page = (tmp_path / "out" / "report.html").read_text()
    shown = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    pids = [shown["images"]["pid"][image] for image in shown["queries"]["image"]]
    assert pids == [row["pid"] for row in rows]
    assert set(pids) == set(columns["query_pid"])


def labelled(**labels: object) -> EmbeddingSet:
    embeddings = made()
    query = replace(embeddings.query, labels={name: np.array(values) for name, values in labels.items()})
    return replace(embeddings, query=query, gallery=replace(embeddings.gallery, labels={}))


def test_labels_may_say_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Text that looks like a style is text; dates are text; a figure's name remains the figure's."""
    days = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]")[np.arange(60) % 2]
    styles, numbers = np.array(["[/]", "[red]a"])[np.arange(60) % 2], np.arange(60) % 3
    embeddings = labelled(day=days, style=styles, mAP=styles, queries=numbers, intervals=numbers, camera=styles)
    found = run(str(save_embeddings(embeddings, tmp_path / "a.npz")), "--out", str(tmp_path / "out"))
    assert [row["day"] for row in found["groups"]["day"]] == ["2026-01-01", "2026-01-02"]
    assert [row["style"] for row in found["groups"]["style"]] == ["[/]", "[red]a"]
    assert "[red]a" in capsys.readouterr().out
    assert {row["camera"] for row in found["groups"]["camera"]} == {0, 1}
    for name in ("mAP", "queries", "intervals"):
        assert f"Queries are not grouped by {name}, which is the name of a figure." in found["notes"]
    assert any("the label camera" in note for note in found["notes"])


def test_nothing_is_written_where_pictures_are_missing(tmp_path: Path):
    file = save_embeddings(made(), tmp_path / "a.npz")
    with pytest.raises(SystemExit, match="images are not below"):
        main(["score", str(file), "--images", str(tmp_path), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_other_cameras_are_other_rules(tmp_path: Path):
    """In single-shot every query has a match by either, so nothing else would tell."""
    embeddings = made()
    ours = save_embeddings(embeddings, tmp_path / "a.npz")
    without = {name: replace(side, camid=None) for name, side in embeddings.sides().items()}
    turned = replace(embeddings.gallery, camid=embeddings.gallery.camid[::-1].copy())
    for other in (replace(embeddings, **without), replace(embeddings, gallery=turned)):
        theirs = save_embeddings(other, tmp_path / "b.npz")
        words = [str(ours), "--against", str(theirs), "--single-shot", "5", "--out", str(tmp_path / "out")]
        with pytest.raises(SystemExit, match="the two have images by other cameras, or one of them knows"):
            main(["score", *words])
        assert run(*words, "--no-camera-rule")["compared"]
    counted = {name: replace(side, camid=side.camid + 7) for name, side in embeddings.sides().items()}
    theirs = save_embeddings(replace(embeddings, **counted), tmp_path / "c.npz")
    assert run(str(ours), "--against", str(theirs), "--out", str(tmp_path / "out"))["compared"]


def test_the_same_images_in_another_order_are_not_compared(tmp_path: Path):
    embeddings = made()
    ours = save_embeddings(embeddings, tmp_path / "a, b.npz")
    query = embeddings.query
    turned = replace(query, path=np.array([f"elsewhere/{path}" for path in query.path[::-1]]))
    theirs = save_embeddings(replace(embeddings, query=turned), tmp_path / "b.npz")
    with pytest.raises(SystemExit, match=r"the same query images in another order: number 0 is '0.png' and '59.png'"):
        main(["score", str(ours), "--against", str(theirs), "--out", str(tmp_path / "no")])
    moved = replace(query, path=np.array([f"elsewhere/{path}" for path in query.path]))
    theirs = save_embeddings(replace(embeddings, query=moved), tmp_path / "c.npz")
    found = run(str(ours), "--against", str(theirs), "--out", str(tmp_path / "out"))
    assert found["facts"]["Compared with"] == str(theirs)
    assert f"<title>Score of {ours}<" in (tmp_path / "out" / "report.html").read_text()


def test_pooled_queries_are_called_so(tmp_path: Path):
    file = save_embeddings(made(), tmp_path / "a.npz")
    assert (
        "pooled queries of" in run(str(file), "--multi-query", "mean", "--out", str(tmp_path / "o"))["facts"]["Query"]
    )


def test_errors_teach(tmp_path: Path):
    embeddings = made()
    embeddings.gallery.pid[:] = embeddings.gallery.pid + 100
    file = save_embeddings(embeddings, tmp_path / "a.npz")
    with pytest.raises(SystemExit, match=r"error: .* nobody is in both"):
        main(["score", str(file), "--out", str(tmp_path / "no")])
    embeddings = made()
    embeddings.query.embedding[3] = np.nan
    file = save_embeddings(embeddings, tmp_path / "b.npz")
    with pytest.raises(SystemExit, match="1 of 60 query embeddings hold NaN or infinity, the first is number 3"):
        main(["score", str(file), "--out", str(tmp_path / "no")])
    with pytest.raises(SystemExit, match="error: "):
        main(["score", str(tmp_path / "nothing.npz"), "--out", str(tmp_path / "no")])


def test_the_same_picture_twice_is_noticed():
    embeddings = made()
    embeddings.gallery.embedding[9] = embeddings.query.embedding[4]
    (note,) = [n for n in score(embeddings, ScoreOptions()).notes if "equal embeddings" in n]
    assert (
        "1 queries are in the gallery too, with equal embeddings, the first of them query 4 and gallery image 9" in note
    )


def test_what_was_evaluated_can_be_scored_again(tmp_path: Path):
    """What evaluate.py keeps."""
    found = score(made(), ScoreOptions(junk_pid=None)).retrieval
    tensors = [torch.from_numpy(side.embedding) for side in (found.query, found.gallery)]
    for side, tensor in zip((found.query, found.gallery), tensors, strict=True):
        object.__setattr__(side, "embedding", tensor)
    names = [f"image {i}" for i in range(300)]
    kept = read_embeddings(save_embeddings(embeddings_of(found, names, "here"), tmp_path / "kept"))
    again = score(kept, ScoreOptions(junk_pid=None)).retrieval
    assert torch.equal(again.results.ap.nan_to_num(), found.results.ap.nan_to_num())
    without = embeddings_of(replace(found, camera_rule=False), names, "here")
    assert without.query.camid is None  # so that it is scored by the same rule again
    assert kept.query.path is not None
    assert kept.query.path.tolist() == names[:60]
