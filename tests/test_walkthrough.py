"""docs/walkthrough.ipynb runs, and is committed with what it gives."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from docs.render import NOTEBOOK, run_notebook, tidy

ROOT = Path(__file__).parents[1]
MACHINE_PATH = re.compile(r"(?:/(?:work|root|tmp|home|Users|var|usr|opt|mnt)/|[A-Z]:\\)")


@pytest.fixture(scope="module")
def committed() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell: NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def printed(notebook: NotebookNode) -> str:
    return "".join(o.text for cell in code_cells(notebook) for o in cell.outputs if o.output_type == "stream")


def shows(notebook: NotebookNode) -> None:
    """It ran from top to bottom without a complaint, shows its pictures, and the loss is the sum of its terms."""
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    for cell in cells:
        assert pictures(cell) == cell.source.count("plt.show()"), cell.source
    sums = re.findall(r"weighted sum ([\d.]+), training_step ([\d.]+)", printed(notebook))
    assert len(sums) == 1
    assert float(sums[0][0]) == pytest.approx(float(sums[0][1]), rel=1e-5)
    assert float(sums[0][1]) > 1


def test_as_committed(committed: NotebookNode):
    nbformat.validate(committed)
    shows(committed)
    assert sum(map(pictures, code_cells(committed))) >= 8


def test_nothing_of_this_machine(committed: NotebookNode):
    text = NOTEBOOK.read_text(encoding="utf-8")
    text = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not MACHINE_PATH.findall(text)
    assert len(NOTEBOOK.read_bytes()) < 1_500_000
    assert set(committed.metadata) == {"kernelspec", "language_info"}


def checkout() -> set[Path]:
    """Files that a run could leave behind; caches of Python are not meant."""
    places = [ROOT, ROOT / "docs"]
    return {path for place in places for path in place.iterdir() if path.name != "__pycache__"}


@pytest.mark.slow
def test_it_runs(committed: NotebookNode):
    """With one epoch of each phase; its committed output is of all of them."""
    before = checkout()
    notebook = nbformat.from_dict(committed)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
        cell.source = re.sub(r"(recipe\.epochs)=\d+", r"\1=1", cell.source)
    run_notebook(notebook)
    tidy(notebook)
    shows(notebook)
    assert not MACHINE_PATH.findall(printed(notebook))
    assert checkout() == before
