"""The whole way: folders in, files and a printed table out."""

from __future__ import annotations

import csv
import io
import json
import statistics
from pathlib import Path

import pytest
import wandb
from PIL import Image
from rich.console import Console

from psnet.report.terms import NO_VALUE
from psnet.table.command import make_table
from psnet.table.published import read_published
from tests.table.examples import write

VALUES = [0.123456789, 0.2, 0.31]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, value in enumerate(VALUES):
        write(tmp_path / "id" / str(split), "ID", value, split)
        write(tmp_path / "sr" / str(split), "ID+SR", value + 0.01, split)
    write(tmp_path / "bound", "bound", 0.6)
    write(tmp_path / "restorer", "other")
    write(tmp_path / "caviar", "ID+SR+PS", 0.3, dataset="caviar", protocol__low_cameras=[], repeats=100)
    write(tmp_path / "cuhk01", "ID", 0.3, dataset="mlr_cuhk01")
    write(tmp_path / "cuhk03", "ID", 0.3, dataset="mlr_cuhk03", repeats=100)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.json").write_text('{"metrics": {}, "facts": {}}')
    return tmp_path


def made(folder: Path, out: Path | None = None, wandb: bool = False) -> str:
    """What is printed."""
    file = io.StringIO()
    make_table([folder], out or folder, wandb, Console(file=file, width=180))
    return file.getvalue()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_every_line_and_reads_as_what_it_was(folder: Path):
    made(folder)
    found = rows(folder)
    ours = [row for row in found if row["by"] == "ours"]
    assert [(row["dataset"], row["row"]) for row in ours] == [
        ("mlr_cuhk03", "ID"),
        ("mlr_viper", "ID"),
        ("mlr_viper", "ID+SR"),
        ("mlr_viper", "bound"),
        ("mlr_viper", "other (SuperResolution)"),
        ("caviar", "ID+SR+PS"),
        ("mlr_cuhk01", "ID"),
    ]
    row = ours[1]
    assert float(row["rank1_mean"]) == pytest.approx(100 * statistics.mean(VALUES), abs=1e-12)
    assert float(row["rank1_std"]) == pytest.approx(100 * statistics.stdev(VALUES), abs=1e-12)
    assert float(row["rank1_at_rate_4_mean"]) == pytest.approx(100 * statistics.mean(VALUES) / 2)
    assert float(ours[2]["psnr_gain_at_rate_2_mean"]) == pytest.approx(0.5)
    assert row["psnr_gain_at_rate_2_mean"] == ""
    assert (row["runs"], row["splits"], row["seeds"]) == ("3", "3", "1")
    assert ours[3]["rank1_std"] == ""
    assert json.loads(row["data_hash_of_each_split"]).keys() == {"0", "1", "2"}
    assert len(json.loads(row["folders"])) == 3
    assert json.loads(row["model"])["reid"]["backbone"] == "hrnet_w18_small"


def test_published_rows_stand_beside_ours_with_their_source(folder: Path):
    made(folder)
    theirs = [row for row in rows(folder) if row["by"] != "ours"]
    shown = {"mlr_viper", "caviar", "mlr_cuhk03"}
    assert len(theirs) == sum(one.dataset in shown for one in read_published())
    assert all(row["source"] for row in theirs)
    paper = [row for row in theirs if row["dataset"] == "mlr_viper" and row["row"] == "ID+SR+PS"]
    assert [float(paper[0][f"rank{k}_mean"]) for k in (1, 5, 10)] == [48.7, 73.4, 81.7]
    assert paper[0]["mAP_mean"] == ""


def test_markdown_has_one_header_per_set_and_says_what_it_must(folder: Path):
    made(folder)
    text = (folder / "table.md").read_text(encoding="utf-8")
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["## MLR-CUHK03", "## MLR-VIPeR", "## CAVIAR", "## mlr_cuhk01 (not in the paper)"]
    viper = text.partition("## MLR-VIPeR")[2].partition("## CAVIAR")[0]
    assert "| 2 | ID | ours | 21.1 ± 9.4 | 41.1 ± 9.4 |" in viper
    assert f"|  | ID | PS-HRNet, paper | 42.7 | 67.4 | 77.2 | {NO_VALUE} |" in viper
    assert "| ID → ID+SR | 2 → 3 | 21.1 → 22.1 | +1.0 ± 0.0 | +1.0 to +1.0 | 3 | better |  |" in viper
    assert f"| bound | 4 | 60.0 ± {NO_VALUE} |" in viper
    mean, std = 100 * statistics.mean(VALUES), 100 * statistics.stdev(VALUES)
    rates = " | ".join(f"{mean * 2 / rate:.1f} ± {std * 2 / rate:.1f}" for rate in (2, 3, 4))
    assert f"| 2 | ID | {rates} | {NO_VALUE} | {NO_VALUE} | {NO_VALUE} |" in viper
    assert "+0.50 ± 0.00 | +0.33 ± 0.00 | +0.25 ± 0.00 |" in viper
    assert "single-shot; camera 1 low, rates 2, 3, 4; same-camera rule on" in viper
    assert "(3 splits)" in viper
    assert "Line 6, ID+SR+PS on CAVIAR, is an extension, ours" in text
    assert "single-shot x 100; low as they are" in text
    assert "The paper does not have this set" in text.partition("## mlr")[2]
    assert "12 metrics.json were found, 1 of them left out." in text
    assert "old/metrics.json: no key" in text


def test_every_row_of_a_markdown_table_has_as_many_cells(folder: Path):
    write(folder / "odd", "ID", 0.2, 5, model__margin="a|b_c*")
    made(folder)
    text = (folder / "table.md").read_text(encoding="utf-8").replace("\\|", "")
    for table in text.split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
    assert "a\\|b\\_c\\*" in (folder / "table.md").read_text(encoding="utf-8")


def test_another_protocols_figures_are_in_a_table_of_their_own(folder: Path):
    made(folder)
    part = (folder / "table.md").read_text(encoding="utf-8").partition("## MLR-CUHK03")[2].partition("\n## ")[0]
    single, _, multi = part.partition("**multi-shot")
    assert "VersReID" not in single
    assert "DIL" in single
    assert "another protocol" in multi
    assert "| VersReID | 96.1 |" in multi


def test_what_is_printed_is_what_is_written(folder: Path):
    printed = made(folder)
    assert "21.1 ± 9.4" in printed
    assert "48.7" in printed
    assert "is an extension, ours" in printed
    assert f"Table: {folder / 'table.md'}" in printed


def test_a_picture_of_sensible_size(folder: Path, tmp_path: Path):
    made(folder, tmp_path / "new" / "out")
    with Image.open(tmp_path / "new" / "out" / "table.png") as picture:
        assert picture.format == "PNG"
        width, height = picture.size
        colours = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=1 << 24)}
    assert 1000 < width < 2000
    assert 800 < height < 4000
    assert {(0, 0x72, 0xB2), (0xE6, 0x9F, 0), (0xBB, 0xBB, 0xBB)} <= colours
    assert not (folder / "table.png").exists()


def test_a_picture_where_nothing_is_retrieved(tmp_path: Path):
    write(tmp_path / "restorer", "other")
    file = tmp_path / "restorer" / "metrics.json"
    content = json.loads(file.read_text())
    content["metrics"] = {"trained": {"psnr_restored": 23.0}, "restoration": content["metrics"]["restoration"]}
    file.write_text(json.dumps(content))
    assert f"+0.50 ± {NO_VALUE}" in made(tmp_path)
    assert Image.open(tmp_path / "table.png").format == "PNG"


def test_a_bar_of_nothing(tmp_path: Path):
    write(tmp_path, "ID", 0.0, dataset="own")
    made(tmp_path)
    assert Image.open(tmp_path / "table.png").format == "PNG"


def test_files_are_whole_and_nothing_is_left_beside_them(folder: Path):
    (folder / "table.md").write_text("older")
    made(folder)
    assert (folder / "table.md").read_text(encoding="utf-8").startswith("# Results")
    assert {file.name for file in folder.iterdir() if file.is_file()} == {"table.md", "table.csv", "table.png"}


@pytest.mark.slow  # Lightning is imported, and W&B starts a process
def test_wandb_gets_the_table_and_the_picture(folder: Path, monkeypatch: pytest.MonkeyPatch):
    logged: dict[str, object] = {}
    monkeypatch.setattr(
        wandb.sdk.wandb_run.Run, "log", lambda self, data, **more: logged.update(data, kind=self.job_type)
    )
    made(folder, wandb=True)
    assert logged["kind"] == "table"
    table = logged["table"]
    assert isinstance(table, wandb.Table)
    assert len(table.data) == len(rows(folder))
    assert {30, 42.7} <= set(table.get_column("rank1_mean"))
    assert isinstance(logged["rank1"], wandb.Image)
    assert "mlr_viper_single_compared" in logged
    assert wandb.run is None
    assert list((folder / "wandb").glob("offline-run-*"))
