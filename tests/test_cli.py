"""The command psnet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import psnet.cli.dataset
from psnet.cli import main
from psnet.cli.dataset import compose_dataset, evaluation_rules
from tests.table.examples import write

TINY = [
    "dataset=mlr_synthetic",
    "dataset.source.reader.identities=6",
    "dataset.source.reader.images_per_camera=1",
    "dataset.source.reader.height=32",
    "dataset.source.reader.width=16",
    "dataset.source.protocol.train_identities=3",
]


def test_build_mlr_writes_the_set(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["build-mlr", str(tmp_path / "set"), *TINY, f"dataset.source.reader.root={drawn}"])
    assert (tmp_path / "set" / "manifest.csv").is_file()
    assert f"dataset=csv dataset.source.reader.path={tmp_path / 'set' / 'images.csv'}" in capsys.readouterr().out
    assert len(list((tmp_path / "set" / "query").iterdir())) == 3


def test_files_are_evaluated_by_the_rules_of_the_set():
    assert evaluation_rules(compose_dataset(["dataset=mlr_market"])) == ["dataset.source.unmatched_queries=skip"]
    assert evaluation_rules(compose_dataset(["dataset=mlr_viper"])) == ["dataset.shots=single", "dataset.repeats=1"]
    own = compose_dataset(["dataset=folder", "dataset.source.reader.root=x"])
    assert evaluation_rules(own) == ["dataset.source.camera_rule=false"]


def test_inspect_says_what_is_there(drawn: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO"):
        main(["inspect", *TINY, f"dataset.source.reader.root={drawn}"])
    assert "synthetic: 6 identities, 18 images, 3 cameras" in caplog.text
    assert "query        3 identities       3 images" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["datset=mlr_viper"], "no data set among"),
        (["dataset=mlr_vipper"], "Could not find 'dataset/mlr_vipper'"),
        (["dataset=mlr_viper", "dataset.source.raet=3"], "raet"),
        (["dataset=mlr_viper", "dataset.source.reader.root=/nowhere"], "there is no folder /nowhere"),
        (["dataset=mlr_viper", "+dataset@join.pku=mlr_pku"], "join.pku: sets are joined by train.py alone"),
        (["dataset=mlr_viper", "dataset.source.protocol.rates=[0]"], r"rates=[0] must be down-sampling factors"),
    ],
)
def test_errors_are_one_line_without_a_traceback(settings: list[str], message: str):
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *settings])
    assert str(stop.value).startswith("error: ")
    assert message in str(stop.value)


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(psnet.cli.dataset, "compose_dataset", stopped)
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "dataset=mlr_viper"])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "stopped\n"


def test_help_is_quick():
    """Nothing slow is imported for it, or for a table."""
    code = "import sys; from psnet.cli import parser; import psnet.table.command; parser().format_help()"
    slow = "print(sorted({'torch', 'hydra', 'wandb', 'timm', 'pytorch_lightning'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", f"{code}; {slow}"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_table_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write(tmp_path / "run", "ID", 0.5)
    main(["table", str(tmp_path / "run"), "--out", str(tmp_path / "out")])
    assert "50.0" in capsys.readouterr().out
    assert (tmp_path / "out" / "table.csv").is_file()
    main(["table", str(tmp_path / "run")])
    assert (tmp_path / "run" / "table.csv").is_file()


def test_no_runs_are_a_one_line_error(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"^error: there is no metrics\.json in "):
        main(["table", str(tmp_path)])
