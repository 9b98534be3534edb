"""A model in its other forms: what each computes, and which is chosen."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import engines
from psnet.cli import main
from psnet.cli.main import parser
from psnet.data.images import read_image, stack
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder, EmbedderError, read_table
from psnet.embedder.explain import explain
from psnet.embedder.labels import labels_of
from psnet.embedder.model_folder import fetch
from psnet.engines import EngineError, fastest, opening, openvino_file
from psnet.engines.kept import FILES, digests_of, keep, read_kept
from psnet.gallery import GalleryError, open_gallery
from psnet.gallery.gallery import About
from tests.checkpoints import write_checkpoint

FORMS = ("onnx", "openvino", "int8", "pt2")

PEOPLE = r"/(?P<pid>\d+)_c(?P<camid>\d)_"


@pytest.fixture(scope="module")
def pictures(tiny: Manifest) -> list[Path]:
    return [tiny.path(row) for row in tiny.rows]


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tiny: Manifest, pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in all its forms. Nothing is trained, so int8 may lose what it likes."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    images = [str(picture) for picture in pictures]
    labelled = (
        [str(tiny.path(row)) for row in tiny.split("query")],
        [str(tiny.path(row)) for row in tiny.split("gallery")],
    )
    scored = ["--query", *labelled[0], "--gallery", *labelled[1], "--names", PEOPLE, "--most-loss", "100"]
    main(["export", str(checkpoint), str(folder), "--to", ",".join(FORMS), "--images", *images, *scored])
    return folder


@pytest.fixture(scope="module")
def by_form(exported: Path) -> dict[str, Embedder]:
    how = {form: "auto" if form == "int8" else "32-true" for form in FORMS}
    return {form: Embedder.from_pretrained(exported, engine=form, precision=how[form]) for form in FORMS}


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copied"))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one.astype(np.float64) * other.astype(np.float64)).sum(axis=1)


@pytest.mark.parametrize("form", FORMS)
def test_it_computes_what_the_checkpoint_computes(
    by_form: dict[str, Embedder], embedder: Embedder, pictures: list[Path], form: str
):
    found = by_form[form]
    assert found.engine.name == form
    wanted = embedder.embed(pictures).embedding
    for batch in (1, 5, 32):
        table = found.embed(pictures, batch_size=batch)
        assert np.linalg.norm(table.embedding, axis=1) == pytest.approx(1, abs=1e-5)
        assert cosines(table.embedding, wanted).min() > (0.9 if form == "int8" else 1 - 1e-6)
    other = embedder.made_by if form != "int8" else replace(embedder.made_by, engine="int8")
    assert found.made_by == other


@pytest.mark.parametrize("form", FORMS)
def test_it_restores_what_the_checkpoint_restores(
    by_form: dict[str, Embedder], embedder: Embedder, pictures: list[Path], form: str
):
    found = by_form[form].restore(read_image(pictures[0]))
    wanted = embedder.restore(read_image(pictures[0]))
    assert found is not None
    assert wanted is not None
    assert found.shape == wanted.shape
    assert found.dtype == torch.uint8
    assert float((found.int() - wanted.int()).abs().max()) <= (40 if form == "int8" else 1)


def test_the_graph_takes_images_of_any_size_without_psnet(exported: Path, embedder: Embedder):
    """As its card says to use it."""
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "model.onnx")
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[3]) == ("images", "tensor(uint8)", 3)
    for size in ((20, 11), (64, 32), (333, 150)):
        images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
        embedding, restored = session.run(["embedding", "restored"], {"images": images})
        assert cosines(embedding, embedder.embed(list(images), color="rgb").embedding).min() > 1 - 1e-5
        assert restored.shape == (3, 64, 32, 3)


def test_what_was_found_is_kept_beside(exported: Path, embedder: Embedder, pictures: list[Path]):
    kept = read_kept(exported, embedder.made_by.digest)
    assert list(kept) == list(FORMS)
    for name, one in kept.items():
        assert one.inside
        assert [check.images for check in one.checks] == [len(pictures)] * len(one.checks)
        assert one.checks[0].batches == (1, min(32, len(pictures)))
        assert all(check.own_size is not None for check in one.checks)
        assert one.checks[0].made is not None
        assert one.checks[0].made["torch"] == torch.__version__.partition("+")[0]
        if name != "int8":
            assert one.checks[0].precision == "32-true"
            assert one.checks[0].cosine < 1e-6
            assert one.checks[0].agreement > 0.99
    assert [name for name, one in kept.items() if any(check.scored for check in one.checks)] == ["int8"]


def test_what_int8_costs_is_what_psnet_score_says(
    by_form: dict[str, Embedder], embedder: Embedder, exported: Path, tiny: Manifest, tmp_path: Path
):
    (check,) = read_kept(exported, embedder.made_by.digest)["int8"].checks
    assert check.scored is not None
    for place, model in enumerate((embedder, by_form["int8"])):
        files = []
        for side in ("query", "gallery"):
            paths = [str(tiny.path(row)) for row in tiny.split(side)]
            table = model.embed(paths, columns=labels_of(paths, PEOPLE))
            files.append(str(table.save(tmp_path / f"{side}.npz")))
        main(["score", *files, "--out", str(tmp_path / "score")])
        figures = json.loads((tmp_path / "score" / "score.json").read_text())["figures"]
        assert check.scored["Rank-1"][place] == pytest.approx(figures["rank1"], abs=1e-6)
        assert check.scored["mAP"][place] == pytest.approx(figures["mAP"], abs=0.02)  # of other batches
    assert check.scored["queries"] == len(tiny.split("query"))


def test_engines_of_other_weights_do_not_stay(copied: Path, tiny: Manifest, tmp_path: Path, caplog):  # type: ignore[no-untyped-def]
    """Whoever opens model.onnx by itself would have the old ones."""
    other = write_checkpoint(tmp_path / "other.ckpt", tiny, "ps_hrnet_demo", seed=1)
    with caplog.at_level(logging.WARNING, "psnet"):
        main(["export", str(other), str(copied)])
    assert "engines of other weights are removed: model.onnx, openvino.xml" in caplog.text
    assert not {file for files in FILES.values() for file in files} & {file.name for file in copied.iterdir()}
    with pytest.raises(EngineError, match="has no engine onnx"):
        Embedder.from_pretrained(copied, engine="onnx")


def test_engines_of_the_same_weights_stay(copied: Path, embedder: Embedder):
    before = read_kept(copied, embedder.made_by.digest)
    main(["export", str(copied), str(copied)])
    assert read_kept(copied, embedder.made_by.digest) == before


def test_weights_that_were_changed_by_hand_are_told(copied: Path):
    content = json.loads((copied / "engines.json").read_text())
    (copied / "engines.json").write_text(json.dumps(content | {"model": "another"}))
    with pytest.raises(EngineError, match="has engines of other weights"):
        Embedder.from_pretrained(copied, engine="onnx")


def test_files_do_not_tell_where_they_were_made(exported: Path):
    house = str(Path(__file__).parents[2]).encode()
    for file in exported.iterdir():
        assert house not in file.read_bytes(), file
    with zipfile.ZipFile(exported / "model.pt2") as archive:
        assert not [name for name in archive.namelist() if house in archive.read(name)]


@pytest.mark.parametrize("form", ["openvino", "int8", "onnx", "pt2"])
def test_threads_do_not_mix_images_up(
    by_form: dict[str, Embedder], pictures: list[Path], embedder: Embedder, form: str
):
    engine = by_form[form].engine
    batches = [embedder.preprocess(read_image(picture))[None] for picture in pictures[:8]]
    alone = [engine.embed(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.embed, batches * 5))
    for number, found in enumerate(together):
        assert torch.allclose(found, alone[number % len(batches)], atol=1e-6)


@pytest.mark.parametrize(("file", "engine"), [("model.onnx", "onnx"), ("openvino.bin", "openvino")])
def test_a_damaged_file_is_named(copied: Path, file: str, engine: str):
    content = bytearray((copied / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / file).write_bytes(content)
    with pytest.raises(EngineError, match=rf"{file} is missing, or has changed since it was checked; .*--to {engine}"):
        Embedder.from_pretrained(copied, engine=engine)
    (copied / file).unlink()
    with pytest.raises(EngineError, match=f"{file} is missing"):
        Embedder.from_pretrained(copied, engine=engine)


@pytest.mark.parametrize(
    "content",
    [
        '{"model": "x"',
        "[]",
        '{"model": "x", "engines": {"onnx": {"inside": true, "files": {}, "checks": []}}}',
        '{"model": "x", "engines": {"onnx": {"inside": true, "files": {"../../etc/hosts": ""}, "checks": []}}}',
        '{"model": "x", "engines": {"tflite": {"inside": true, "files": {}, "checks": []}}}',
        '{"model": "x", "engines": {"onnx": {"inside": "yes", "files": {"model.onnx": ""}, "checks": []}}}',
        '{"model": "x", "engines": {"onnx": {"inside": true, "files": {"model.onnx": ""}, "checks": [{"images": 1}]}}}',
    ],
)
def test_a_damaged_list_is_named(copied: Path, content: str):
    (copied / "engines.json").write_text(content)
    with pytest.raises(EngineError, match=r"engines\.json is damaged"):
        Embedder.from_pretrained(copied, engine="onnx")


@pytest.mark.parametrize("engine", ["onnx", "openvino", "pt2"])
def test_a_file_of_another_version_is_told_in_a_line(copied: Path, embedder: Embedder, engine: str):
    """Whatever its library raises."""
    digest = embedder.made_by.digest
    (copied / FILES[engine][0]).write_bytes(b"from the year 2040")
    kept = read_kept(copied, digest)[engine]
    keep(copied, digest, engine, replace(kept, files=digests_of(copied, engine)))
    with pytest.raises(EngineError, match=rf"{FILES[engine][0]} cannot be opened here \(.*\); make it again"):
        Embedder.from_pretrained(copied, engine=engine)
    assert Embedder.from_pretrained(copied, engine="auto").engine.name != engine


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "signal 6 ended it"),
        ("raise ValueError('no such layer')", "ValueError: no such layer"),
    ],
)
def test_a_network_that_openvino_cannot_run_is_refused(
    exported: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str
):
    """As it cannot MobileNetV3 in int8: the process is gone then."""
    image = np.zeros((1, 20, 11, 3), np.uint8)
    openvino_file._run_alone(exported / "int8.xml", image)
    monkeypatch.setattr(openvino_file, "ALONE", code)
    with pytest.raises(EngineError, match=rf"cannot run this network in int8 \({why}\); take another form"):
        openvino_file._run_alone(exported / "int8.xml", image)


def test_signals_are_heard_after_models_that_are_gone(exported: Path):
    """Ctrl-C, and a child that ends, would end the process with a segmentation fault, and no word of why."""
    code = """if True:
        import gc, signal, sys
        from pathlib import Path
        from psnet.engines.openvino_file import open_openvino

        one, two = (open_openvino(Path(sys.argv[1]), "cpu", "auto", True) for _ in range(2))
        del one
        gc.collect()
        del two
        gc.collect()
        signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
        signal.raise_signal(signal.SIGUSR1)
    """
    command = [sys.executable, "-c", code, str(exported / "openvino.xml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "heard\n"), ran.stderr


def test_nncf_does_not_tell_google_of_each_export():
    """In a process of its own: under pytest NNCF holds its tongue anyway."""
    code = """if True:
        import sys
        if sys.argv[1] == "ours":
            from psnet.engines.openvino_file import _nncf
            _nncf()
        from nncf.telemetry.wrapper import telemetry
        print(type(telemetry).__name__)
    """
    silent = {name: value for name, value in os.environ.items() if name not in ("NNCF_CI", "NNCF_DEV")}
    for who, kind in (("ours", "MagicMock"), ("its own", "NNCFTelemetry")):
        command = [sys.executable, "-c", code, who]
        ran = subprocess.run(command, env=silent, capture_output=True, text=True, check=False)
        assert ran.stdout.splitlines()[-1] == kind, ran.stderr


def test_what_is_not_there(checkpoint: Path, exported: Path):
    with pytest.raises(
        EngineError, match="engine='tensorflow' must be one of pytorch, onnx, openvino, int8, pt2, auto"
    ):
        Embedder.from_pretrained(exported, engine="tensorflow")
    with pytest.raises(EngineError, match=r"has no engine onnx; it has pytorch. Make it with psnet export --to onnx"):
        Embedder.from_checkpoint(checkpoint, engine="onnx")


@pytest.mark.parametrize(
    ("engine", "how", "message"),
    [
        ("onnx", {"precision": "bf16-mixed"}, "an ONNX graph computes in 32-true"),
        ("onnx", {"device": "tensorrt"}, "this onnxruntime has cpu"),
        ("openvino", {"precision": "16-mixed"}, "must be auto or one of 32-true, bf16-mixed"),
        ("openvino", {"device": "cuda"}, "OpenVINO runs on the processor"),
        ("pt2", {"precision": "bf16-mixed"}, "computes in 32-true"),
        ("pt2", {"device": "cuda"}, "traced on the CPU"),
    ],
)
def test_what_an_engine_cannot(exported: Path, engine: str, how: dict[str, str], message: str):
    with pytest.raises(EngineError, match=message):
        Embedder.from_pretrained(exported, engine=engine, **how)


def test_explaining_wants_gradients(by_form: dict[str, Embedder], pictures: list[Path]):
    image = read_image(pictures[0])
    with pytest.raises(EmbedderError, match="engine onnx gives no gradients"):
        explain(by_form["onnx"], image, image)


def test_a_gallery_of_int8_is_searched_by_int8(exported: Path, crops: Path, tmp_path: Path, capsys):  # type: ignore[no-untyped-def]
    uri = str(tmp_path / "gallery")
    main(["index", str(crops), "--gallery", uri, "--model", str(exported), "--engine", "int8"])
    assert open_gallery(uri).about.made_by.engine == "int8"
    image = sorted(crops.rglob("*.*"))[0]
    main(["search", str(image), "--gallery", uri])
    found = capsys.readouterr().out.replace("\n", "")
    assert image.name in found.partition(" 2 ")[0]  # the image itself comes first
    with pytest.raises(SystemExit, match="int8"):
        main(["search", str(image), "--gallery", uri, "--engine", "pytorch"])
    with pytest.raises(GalleryError, match="int8"):
        open_gallery(uri).check(Embedder.from_pretrained(exported).made_by)


def test_a_gallery_from_elsewhere_does_not_choose_what_runs_code(exported: Path, crops: Path):
    about = About.of(Embedder.from_pretrained(exported).embed(crops), str(exported))
    assert about.engine == "pytorch"
    assert replace(about, made_by=replace(about.made_by, engine="int8")).engine == "int8"
    with pytest.raises(GalleryError, match="was made by the engine 'pt2'; if you trust it, say --engine"):
        _ = replace(about, made_by=replace(about.made_by, engine="pt2")).engine


def test_what_auto_tries_can_be_compared(exported: Path, monkeypatch: pytest.MonkeyPatch):
    """So not int8; and no pt2 file, which may run code."""
    seen: list[str] = []
    monkeypatch.setattr(opening, "fastest", lambda candidates, exact, size: seen.extend(candidates) or exact)
    Embedder.from_pretrained(exported, engine="auto")
    assert seen == ["pytorch", "onnx", "openvino", "pytorch in 32 bits"]
    seen.clear()
    Embedder.from_pretrained(exported, engine="auto", precision="32-true")
    assert seen == ["pytorch", "onnx", "openvino"]


def test_auto_says_what_it_took_and_passes_over_what_is_not_exact(
    exported: Path, embedder: Embedder, caplog: pytest.LogCaptureFixture
):
    class Slow:
        name, precision = "slow", "32-true"

        def embed(self, images: torch.Tensor) -> torch.Tensor:
            torch.randn(600, 600) @ torch.randn(600, 600)
            return embedder.engine.embed(images)

    class Wrong(Slow):
        def embed(self, images: torch.Tensor) -> torch.Tensor:
            return embedder.engine.embed(images).flip(1)

    class Quick(Slow):
        name = "quick"

        def __init__(self) -> None:
            self.known: dict[int, torch.Tensor] = {}

        def embed(self, images: torch.Tensor) -> torch.Tensor:
            key = int(images.sum())
            self.known.setdefault(key, embedder.engine.embed(images)) if key not in self.known else None
            return self.known[key]

    def missing() -> Slow:
        raise EngineError("no such library")

    class Broken(Slow):
        def embed(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full_like(embedder.engine.embed(images), torch.nan)

    candidates = {"slow": Slow, "wrong": Wrong, "broken": Broken, "quick": Quick, "missing": missing}
    with caplog.at_level(logging.INFO, "psnet"):
        assert fastest.fastest(candidates, embedder.engine, (64, 32)).name == "quick"
    assert "engine missing: passed over, no such library" in caplog.text
    for name in ("wrong", "broken"):
        assert f"engine {name}: passed over, its cosines are" in caplog.text
    assert "engine: quick (32-true), the fastest here" in caplog.text


def test_auto_of_a_folder_gives_what_the_checkpoint_gives(exported: Path, embedder: Embedder, crops: Path):
    found = Embedder.from_pretrained(exported, engine="auto")
    assert found.made_by == embedder.made_by
    assert cosines(found.embed(crops).embedding, embedder.embed(crops).embedding).min() > 0.999


def test_what_is_fetched_for_an_engine(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch):
    """A pt2 file may run code when it is read, so none comes from elsewhere."""
    import huggingface_hub

    asked: list[str] = []

    def snapshot(name: str, allow_patterns: list[str]) -> str:
        asked[:] = allow_patterns
        return str(exported)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    fetch("someone/model")
    assert not {"engines.json", "model.onnx", "model.pt2"} & set(asked)
    fetch("someone/model", "openvino")
    assert {"engines.json", "openvino.xml", "openvino.bin", "model.safetensors"} <= set(asked)
    assert not {"model.onnx", "model.pt2", "int8.xml"} & set(asked)
    fetch("someone/model", "auto")
    assert {"model.onnx", "openvino.xml", "int8.bin"} <= set(asked)
    assert "model.pt2" not in asked
    with pytest.raises(EmbedderError, match="someone/model is on the hub, and a pt2 file may run code"):
        fetch("someone/model", "pt2")


def test_forms_of_one_model_are_kept_together(copied: Path, embedder: Embedder):
    digest = embedder.made_by.digest
    before = read_kept(copied, digest)
    keep(copied, digest, "onnx", replace(before["onnx"], inside=False))
    after = read_kept(copied, digest)
    assert not after["onnx"].inside
    assert {name: one for name, one in after.items() if name != "onnx"} == {
        n: o for n, o in before.items() if n != "onnx"
    }


def test_images_of_one_batch_do_not_meet(by_form: dict[str, Embedder], pictures: list[Path], embedder: Embedder):
    """An exported batch norm or mean over the batch would show here."""
    batch = stack([embedder.preprocess(read_image(picture)) for picture in pictures[:3]])
    engine = by_form["onnx"].engine
    alone = torch.cat([engine.embed(image[None]) for image in batch])
    assert torch.allclose(engine.embed(batch), alone, atol=1e-5)


PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    words = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in words if line[:1] == ["psnet"]]


def test_the_commands_of_the_pages(copied: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Exports, which take long, are those of the fixture: here it is seen that they can be typed so."""
    monkeypatch.chdir(tmp_path)
    copied.rename("my-model")
    typed = commands(PAGE) + [words for words in commands(PAGE.parents[1] / "README.md") if "--to" in words]
    assert {words[0] for words in typed} == {"export", "embed"}
    for words in typed:
        if words[0] == "embed":
            main(words)
            assert len(read_table("crops.npz")) == len(list(crops.rglob("*.*")))
        else:
            given = parser().parse_args(words)
            assert set(given.to.split(",")) <= set(FORMS)
            assert given.images


def test_the_code_of_the_page(
    copied: Path, crops: Path, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    copied.rename("my-model")
    shutil.copy(sorted(crops.rglob("*.*"))[0], "far.jpg")
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    known: dict[str, Any] = {}
    exec(block, known)
    assert cosines(known["embedding"], embedder.embed("far.jpg").embedding) == pytest.approx(1, abs=1e-5)


def test_the_benchmark(exported: Path, crops: Path, capsys: pytest.CaptureFixture[str]):
    engines.main([str(exported), "--images", str(crops), "--rounds", "1", "--batches", "1", "2"])
    printed = capsys.readouterr().out
    for name in ("pytorch, 32-true", "onnx, 32-true", "openvino, 32-true", "int8, 8 bits", "pt2, 32-true"):
        (line,) = [line for line in printed.splitlines() if line.startswith(name)]
        away, rate = line[24:].split()[:2]
        assert float(away) < (0.1 if "int8" in name else 1e-6)
        assert float(rate) > 0
