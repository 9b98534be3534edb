"""Run walkthrough.ipynb and keep its output in it, so that a code host shows its pictures: python docs/render.py"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

NOTEBOOK = Path(__file__).with_name("walkthrough.ipynb")
TIMEOUT = 1200
"""Seconds for one cell; the longest takes half a minute on two idle cores."""


def run_notebook(notebook: NotebookNode) -> NotebookNode:
    """Execute every cell in a fresh kernel that starts in docs/, as Jupyter's would.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources=where, record_timing=False, coalesce_streams=True
    )
    client.execute()
    return notebook


def tidy(notebook: NotebookNode) -> None:
    """Keep what a reader sees: no details of this machine's Python, and pictures as small as they go without loss."""
    language = {"name": "python"}
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": language}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_blank(output)]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = _smaller(output["data"]["image/png"])
                output["data"].pop("text/plain", None)  # "<Figure size ...>"


def _is_blank(output: NotebookNode) -> bool:
    """What a progress bar leaves behind."""
    return output.output_type == "display_data" and not output.data.get("text/plain", "").strip()


def _smaller(encoded: str) -> str:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        picture.convert("RGB").save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def main() -> None:
    notebook = run_notebook(nbformat.read(NOTEBOOK, as_version=4))
    tidy(notebook)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
