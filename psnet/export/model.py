"""A checkpoint as a folder to keep, send, or put on a hub."""

from __future__ import annotations

import logging
from pathlib import Path

from psnet.calibration.kept import keep_threshold, kept_thresholds, read_threshold
from psnet.checkpoint import read_checkpoint
from psnet.embedder.command import is_checkpoint
from psnet.embedder.model_folder import CARD, FRONT, fetch, read_folder, write_folder
from psnet.embedder.origin import digest_of, in_words
from psnet.engines.kept import drop_others

log = logging.getLogger("psnet")


def export_model(model: str, folder: Path) -> None:
    """A checkpoint as a folder that `Embedder.from_pretrained` opens.

    Raises:
        CheckpointError, EmbedderError, CalibrationError, WriteError.
    """
    source = Path(model) if is_checkpoint(model) else fetch(model)
    content = read_checkpoint(source) if is_checkpoint(model) else read_folder(source)
    write_folder(content, folder, _card(source, in_words(content["psnet"])) + USE.format(folder=folder.name))
    gone = drop_others(folder, digest_of(content))
    if gone:
        log.warning("%s: engines of other weights are removed: %s", folder, ", ".join(gone))
    for threshold in kept_thresholds(source):
        there = read_threshold(folder, threshold.made_by)
        if there is None:
            keep_threshold(folder, threshold)
        elif there != threshold:  # it may have been calibrated on the folder, and nobody could make it again
            log.warning(
                "%s keeps its own threshold, %.4f, where %s has %.4f; find one anew with psnet calibrate --model %s",
                folder, there.value, source, threshold.value, folder,
            )  # fmt: skip
    log.info("%s: %s", folder, in_words(content["psnet"]))


def _card(source: Path, words: str) -> str:
    """What is said of a checkpoint beside it, or of a folder in it."""
    if source.is_dir():
        return (source / CARD).read_text(encoding="utf-8").removeprefix(FRONT).partition(HEADING)[0]
    beside = source.with_name("card.md")
    text = beside.read_text(encoding="utf-8") if beside.is_file() else f"# {words}\n"
    return text.replace(str(source.resolve()), source.name)  # where it lies here is nobody's business


HEADING = "\n## From Python\n"

USE = f"""{HEADING}
    import psnet

    embedder = psnet.Embedder.from_pretrained("{{folder}}")
    found = embedder.embed("crops/")
    found.embedding @ found.embedding.T    # cosines
"""
