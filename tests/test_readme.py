"""What the README and the pages of docs/ tell people to type is typed here.

Commands are run as they stand, but on small images for two steps. Those that cannot be run, or only repeat others, are
composed, and listed with the reason.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

import evaluate
import train as main_job
from benchmarks.forms import DEFAULT, FORMS
from psnet.cli import main as psnet
from psnet.data.manifest import Manifest
from psnet.data.synthetic import read_synthetic
from psnet.run_folder import settings_of
from tests.composed import composed
from tests.data.real import real_set
from tests.table.examples import write
from tests.tiny import QUICK

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SEARCHED = 20

FULL_SIZE = "hours of a GPU"
ROWS, SPLITS = "experiment=id,id_sr,id_sr_ps", "dataset.source.protocol.split=range(10)"
SLURM = "hydra/launcher=submitit_slurm hydra.launcher.gpus_per_node=1 hydra.launcher.timeout_min=600"
NOT_RUN = {
    f"python train.py -m dataset=mlr_viper {ROWS} {SPLITS} {SLURM} hydra.sweep.dir=/shared/viper": FULL_SIZE,
    "python train.py dataset=mlr_market model=ps_hrnet": FULL_SIZE,
    f"python train.py -m dataset=mlr_viper {ROWS} {SPLITS}": FULL_SIZE,
    f"python train.py -m dataset=mlr_market,mlr_viper,mlr_duke,caviar {ROWS} {SPLITS}": FULL_SIZE,
    f"python train.py -m dataset=mlr_cuhk03 {ROWS} {SPLITS.replace('10', '20')}": FULL_SIZE,
}
BETWEEN = [name for name in FORMS if name not in ("plain", DEFAULT)]
SMALL = {
    "benchmarks.galleries": ["--images", "300", "--queries", "3", "--kills", "0", "--engines", "lance"],
    "benchmarks.loading": ["--batches", "1", "--rounds", "1"],
    "benchmarks.training": ["--model", "ps_hrnet_demo", "--rounds", "1", "--losses", "1", "--without", *BETWEEN],
    "benchmarks.evaluation": ["--queries", "40", "--gallery", "200", "--rounds", "1"],
    "benchmarks.reranking": ["--queries", "20", "--gallery", "80", "--repeats", "1"],
}
ELSEWHERE = ("pip", "export", "pytest", "torchrun", "sbatch", "curl")
"""Not of this project; .ci/run does what the README says of the first three, the next want other machines, and curl a
running service: tests/serving/test_serve_page.py."""


def typed(page: Path) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, as words."""
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            for last, command in itertools.groupby(words, lambda word: word == "&&"):
                if not last:
                    yield list(command)


COMMANDS = [list(words) for words in dict.fromkeys(tuple(words) for page in PAGES for words in typed(page))]
TRAIN = [words[2:] for words in COMMANDS if words[:2] == ["python", "train.py"] and "--config-dir" not in words]
"""A network of one's own is trained in tests/job/test_own_network.py."""
REPORTED = {tuple(words[2:]) for words in typed(ROOT / "docs" / "results.md")}
"""How figures were made: the same jobs with many values of the same settings. They are composed, not run."""
ELSEWHERE_TESTED = {"--to", "--engine", "serve"}
"""Other engines are run in tests/engines, where a model has been exported; what serves, and so does not end, in
tests/serving."""
PSNET = [words[1:] for words in COMMANDS if words[0] == "psnet" and not ELSEWHERE_TESTED & set(words)]
USES_A_MODEL = ("embed", "index", "search", "gallery", "calibrate", "compare", "export")
MODULES = list({words[2]: words[2:] for words in reversed(COMMANDS) if words[:2] == ["python", "-m"]}.values())
"""One command of each; the others ask for other sizes, and here all are small."""
RUN_IN_THEIR_ROOMS = ("benchmarks.engines", "benchmarks.serving", "benchmarks.crashes")
"""In tests/engines, tests/serving and tests/job, which have what they need."""
MODULES = [words for words in MODULES if words[0] not in RUN_IN_THEIR_ROOMS]
EVALUATE = [words[2:] for words in COMMANDS if words[:2] == ["python", "evaluate.py"]]


def named(words: list[str]) -> str:
    return " ".join(words) or "(nothing)"


def runnable(words: list[str]) -> bool:
    return named(["python", "train.py", *words]) not in NOT_RUN and tuple(words) not in REPORTED


def jobs(words: list[str]) -> list[list[str]]:
    """The overrides of the jobs that train.py would make of a command: several with -m, but of many numbers, such as
    ten splits, the first and the last."""
    parser = OverridesParser.create()
    choices = []
    of_jobs = [word for word in words if word != "-m" and not re.match(r"hydra[./]launcher", word)]
    for override in parser.parse_overrides(of_jobs):
        if override.is_sweep_override():
            values = list(override.sweep_string_iterator())
            values = [values[0], values[-1]] if values[-1].isdigit() else values
            choices.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            choices.append([override.input_line or ""])
    return [list(one) for one in itertools.product(*choices)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Iterator[Path]:
    """A folder to work in, with people's own images."""
    folder = tmp_path_factory.mktemp("place")
    people = read_synthetic(drawn, identities=8, cameras=3, images_per_camera=2, height=64, width=32)
    lines, poor = ["path,pid,camid"], ["path,pid,camid,rate"]
    for number, sample in enumerate(people.samples):
        target = folder / "crops" / f"person{sample.pid}" / sample.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(people.root / sample.path, target)
        lines.append(f"{target.relative_to(folder)},{sample.pid},{sample.camid}")
        poor.append(lines[-1] + (",low" if sample.camid == 1 else ","))
        seen = ("far", "near")[number % 2]
        for copy in (folder / f"{seen}.jpg", folder / f"seen_{seen}" / f"p{sample.pid}" / target.name):
            copy.parent.mkdir(exist_ok=True, parents=True)
            shutil.copy(target, copy)
    for name, listed in (("crops", lines), ("poor", poor)):
        (folder / f"{name}.csv").write_text("\n".join(listed) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        if "PSNET_DATA" in os.environ:
            patch.setenv("PSNET_DATA", str(Path(os.environ["PSNET_DATA"]).resolve()))
        patch.chdir(folder)
        for module in (main_job, evaluate):
            patch.setattr(module, "build_manifest", read_once(module.build_manifest))
        yield folder


def read_once(build_manifest: Callable[..., Manifest]) -> Callable[..., Manifest]:
    """Many commands want the same images, whose reading and hashing takes longer than two steps of training. They are
    scored on a few people."""
    kept: dict[str, Manifest] = {}

    def known(dataset: DictConfig, join: DictConfig | None = None) -> Manifest:
        settings = OmegaConf.to_yaml(OmegaConf.create([dataset.source, join or {}]), resolve=True)
        if settings not in kept:
            kept[settings] = few_people(build_manifest(dataset, join))
        return kept[settings]

    return known


def few_people(manifest: Manifest) -> Manifest:
    """All to train on, and the first `SEARCHED` to search for."""
    searched = sorted({row.pid for row in manifest.split("query")})[:SEARCHED]
    rows = tuple(row for row in manifest.rows if row.split == "train" or row.pid in searched)
    return Manifest(rows, manifest.roots)


def shrink(cfg: DictConfig, drawn: Path, folder: str) -> DictConfig:
    """Small images, two steps, nothing beside."""
    phases = [cfg.model, *(cfg.model[name] for name in ("teacher", "sr_start") if cfg.model.get(name))]
    for model in phases:
        model.recipe.epochs, model.recipe.validate_every = 1, 1
        model.recipe.batch.identities, model.recipe.batch.images = 2, 2
        model.recipe.image_size = [64, 32]
        if "reid" in model:
            model.reid.backbone = QUICK
    reader = cfg.dataset.source.reader
    if cfg.dataset.name == "mlr_synthetic":
        reader.root = str(drawn)
        reader.identities, reader.images_per_camera, reader.height, reader.width = 8, 2, 64, 32
        cfg.dataset.source.protocol.train_identities = 4
    cfg.trainer.max_steps = 2
    if "strategy" in cfg.trainer:  # its processes would each be a pytest
        cfg.trainer.strategy, cfg.trainer.devices = "auto", 1
    cfg.trainer.enable_model_summary = False
    cfg.loader.workers = 0
    cfg.callbacks, cfg.logger, cfg.untrained = {}, None, False
    cfg.output_dir, cfg.phases_dir = folder, "phases"
    return cfg


def needs(overrides: list[str]) -> None:
    """Skip without the real data of a command."""
    text = " ".join(overrides)
    sets = {"viper": "VIPeR", "cuhk01": "CUHK01", "caviar": "CAVIAR4REID", "experiment=pretrain": "PKU-Reid"}
    for name, folder in sets.items():
        if name in text:
            real_set(folder)


# Every command


def test_all_are_known():
    heads = {words[0] for words in COMMANDS} - set(ELSEWHERE)
    assert heads == {"python", "psnet"}
    assert {words[1] for words in COMMANDS if words[0] == "python"} == {"train.py", "evaluate.py", "-m"}
    assert set(NOT_RUN) <= {" ".join(words) for words in COMMANDS}


@pytest.mark.parametrize("words", TRAIN, ids=named)
def test_train_commands_compose(words: list[str], place: Path):
    for overrides in jobs(words):
        cfg = composed(*overrides, "output_dir=here", "name=run")
        assert cfg.model["_target_"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [w for w in TRAIN if runnable(w)], ids=named)
def test_train_commands_run(words: list[str], place: Path, drawn: Path):
    overrides = jobs(words)[0]
    needs(overrides)
    going_on = [word for word in overrides if word.startswith("resume=") and word != "resume=auto"]
    if going_on:
        finished_run(place, drawn, going_on[0].removeprefix("resume="))
    if any(word.startswith("experiment=transfer") for word in overrides):
        pretrained(place, drawn)
    cfg = shrink(composed(*overrides, "output_dir=here", "name=run"), drawn, f"run{TRAIN.index(words)}")
    if cfg.again is not None:
        finished_run(place, drawn, f"{cfg.again}/last.ckpt")
        cfg = settings_of(cfg.again, cfg, [])
    metrics = main_job.train(cfg)
    assert metrics
    assert (place / cfg.output_dir / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("words", EVALUATE, ids=named)
def test_evaluate_commands_run(words: list[str], place: Path, drawn: Path):
    needs(["viper", *words])
    cfg = composed(*words, "output_dir=evaluated", "loader.workers=0", job="evaluate")
    finished_run(place, drawn, cfg.checkpoint)
    images = 10 if "dataset=caviar" in words else 1  # of a person
    assert evaluate.evaluate_checkpoint(Path(cfg.checkpoint), cfg, place / "evaluated")["queries"] == SEARCHED * images


def finished_run(place: Path, drawn: Path, checkpoint: str) -> None:
    """There is a checkpoint of VIPeR at that place."""
    if not (place / checkpoint).is_file():
        overrides = ["dataset=mlr_viper", "model=ps_hrnet_small", "output_dir=here", "name=run"]
        main_job.train(shrink(composed(*overrides), drawn, str(Path(checkpoint).parent)))


def pretrained(place: Path, drawn: Path) -> None:
    """There are weights where the experiments of transfer look for them."""
    for experiment, folder in (("small/id", "outputs/pretrained"), ("small/sr", "outputs/pretrained_sr")):
        if not (place / folder / "last.ckpt").is_file():
            overrides = ["dataset=mlr_synthetic", f"experiment={experiment}", "output_dir=here", "name=run"]
            main_job.train(shrink(composed(*overrides), drawn, folder))


@pytest.mark.slow
@pytest.mark.parametrize("words", MODULES, ids=named)
def test_modules_run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    if words[0] == "benchmarks.reranking" and importlib.util.find_spec("torchreid") is None:
        pytest.skip("torchreid is not installed: pip install --no-deps torchreid==0.2.5")
    if words[0] == "benchmarks.loading":
        real_set("Market-1501-v15.09.15")
    monkeypatch.chdir(ROOT)  # where their own processes find them
    monkeypatch.setattr(sys, "argv", words + SMALL.get(words[0], []))
    runpy.run_module(words[0], run_name="__main__")
    assert capsys.readouterr().out


@pytest.mark.parametrize("words", PSNET, ids=named)
def test_psnet_commands_run(words: list[str], place: Path, drawn: Path):
    needs(words)
    if words[0] in USES_A_MODEL:
        needs(["viper"])
        checkpoint = next((word for word in words if word.endswith(".ckpt")), "outputs/2026-01-31/12-00-00/last.ckpt")
        finished_run(place, drawn, checkpoint)
        prepare(words, checkpoint)
    if words[0] == "score":
        for file in (word for word in words if word.endswith(".npz")):
            embeddings(place / file)
    if words[0] == "table":
        for folder in itertools.takewhile(lambda word: not word.startswith("-"), words[1:]):
            write(place / folder / "run")
    psnet(words)
    if words[0] == "build-mlr":
        assert (place / words[1] / "manifest.csv").is_file()
        shutil.rmtree(place / words[1])


def prepare(words: list[str], checkpoint: str) -> None:
    """What stands before it on the same page has been done."""
    names = ["--names", r"^(?P<pid>[^/]+)/"]
    if "test.npz" in words:
        kept = [f"checkpoint={checkpoint}", "embeddings=test.npz", "output_dir=scored", "loader.workers=0"]
        cfg = composed(*kept, job="evaluate")
        evaluate.evaluate_checkpoint(Path(checkpoint), cfg, Path("scored"))
    elif words[0] in ("calibrate", "compare"):
        for side, folder in (("query", "seen_far"), ("gallery", "seen_near")):
            psnet(["embed", folder, "--model", checkpoint, "--out", f"{side}.npz", *names])
    if words[0] == "compare":
        psnet(["calibrate", "query.npz", "gallery.npz", "--model", checkpoint, "--far", "0.1"])
    if words[1].startswith("viper_mlr/") and not Path("viper_mlr").exists():
        psnet(["build-mlr", "viper_mlr", "dataset=mlr_viper"])
    if words[0] in ("search", "gallery"):
        psnet(["index", "crops", "--gallery", "crops.gallery", "--model", checkpoint, *names])


def embeddings(file: Path) -> None:
    """Of some tool."""
    random = np.random.default_rng(len(file.name))
    people = np.random.default_rng(0)
    columns = {}
    for side, number, camera in (("query", 20, 1), ("gallery", 60, 2)):
        columns[f"{side}_embedding"] = random.normal(size=(number, 8)).astype(np.float32)
        columns[f"{side}_pid"], columns[f"{side}_camid"] = people.integers(0, 5, number), np.full(number, camera)
    np.savez(file, **columns)


def test_the_two_commands_are_what_ci_runs():
    first = re.search(r"```bash\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL)
    assert first is not None
    script = (ROOT / ".ci" / "run").read_text().replace("pip install -q", "pip install")
    for line in first[1].splitlines():
        assert line.split("#")[0].strip() in script


# Links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, target
