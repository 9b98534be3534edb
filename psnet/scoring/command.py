"""psnet score: a printed table, score.json, queries.csv and report.html of somebody's embeddings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from psnet.atomic import write_whole
from psnet.embeddings import EmbeddingSet, EmbeddingSide, read_embeddings
from psnet.findings import findings_of
from psnet.metrics import chance, compare
from psnet.report import write_report
from psnet.scoring.comparable import check_same_images
from psnet.scoring.page import report_of, with_pictures
from psnet.scoring.scored import Scored, ScoreOptions, score
from psnet.scoring.terminal import Bars, print_tables


def run(
    files: Sequence[Path],
    options: ScoreOptions,
    out: Path,
    console: Console,
    *,
    file_format: str | None = None,
    num_query: int | None = None,
    against: Sequence[Path] = (),
    images: Path | None = None,
) -> dict[str, Any]:
    """Score, print, and write score.json, queries.csv and report.html into `out`.

    Args:
        file_format, num_query: see `read_embeddings`. against: files of another model on the same queries, which this
            one is compared with. images: folder that the paths in the files start from, for pictures on the page.

    Returns:
        The content of score.json.

    Raises:
        EmbeddingError, ValueError, OSError: what is wrong with the files.
    """
    embeddings = read_embeddings(files, file_format, num_query)
    rival = read_embeddings(against, file_format, num_query) if against else None
    if rival is not None:
        check_same_images(rival, embeddings, options.camera_rule is not False)
    with Bars(console) as told:
        scored = score(embeddings, options, told("ranking"))
        findings = findings_of(scored.retrieval, scored.labels, told("verification"))
        other = None if rival is None else score(rival, options, told("ranking of the other"))
    facts, compared = facts_of(embeddings, scored, options), {}
    if rival is not None and other is not None:
        facts["Compared with"] = rival.source
        compared = compare(other.retrieval.results, scored.retrieval.results, scored.retrieval.query.pid)
        more = [f"{rival.source}: {note}" for note in other.notes if note not in scored.notes]
        scored = replace(scored, notes=[*scored.notes, *more])
    names = [name for side in embeddings.sides().values() for name in _paths(side)]
    page = with_pictures(report_of(scored, findings, facts, names, embeddings.pid_names), images)
    print_tables(scored, findings, compared, console)
    content = {
        "figures": findings.figures,
        **_named(findings.as_json(), scored),
        "chance": chance(scored.retrieval.results),
        **({"compared": {name: asdict(value) for name, value in compared.items()}} if compared else {}),
        "rules": asdict(options) | {"camera_rule": scored.retrieval.camera_rule},
        "facts": facts,
        "notes": scored.notes,
    }
    write_whole(out / "queries.csv", queries_csv(scored, names, embeddings.pid_names))
    report = write_report(page, out / "report.html")
    console.print("Report:", str(report), soft_wrap=True, highlight=False, markup=False)
    write_whole(out / "score.json", json.dumps(content, indent=2) + "\n")
    return content


def facts_of(embeddings: EmbeddingSet, scored: Scored, options: ScoreOptions) -> dict[str, str]:
    """What is needed to do it again, in the order to be shown."""
    query, gallery = scored.retrieval.query, scored.retrieval.gallery
    made = embeddings.query.embedding
    width = "ready distances" if made is None else f"{made.shape[1]} dimensions"
    shots = (
        f"single-shot, mean of {options.single_shot} draws, seed {options.seed}"
        if options.single_shot
        else "multi-shot"
    )
    asked = "pooled queries" if options.multi_query else "images"
    facts = {
        "Embeddings": f"{embeddings.source}, {width}",
        "Query": f"{len(query.pid):,} {asked} of {len(query.pid.unique()):,} people",
        "Gallery": f"{len(gallery.pid):,} images of {len(gallery.pid.unique()):,} people",
        "Evaluation": f"{shots}, same-camera rule {'on' if scored.retrieval.camera_rule else 'off'}",
        "Distance": "as given" if made is None else options.distance,
    }
    if options.multi_query:
        facts["Queries of one person and camera"] = f"pooled by {options.multi_query}"
    if options.expand:
        facts["Query expansion"] = f"{options.expand} neighbours"
    if options.rerank:
        facts["Re-ranking"] = "k-reciprocal, k1 20, k2 6, lambda 0.3"
    return facts


def queries_csv(scored: Scored, names: Sequence[str], pid_names: Mapping[int, str]) -> str:
    """Each query with its figures; empty where it has no match. pid_names: the text behind pids that were text."""
    found, results = scored.retrieval, scored.retrieval.results
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["query", "path", "pid", "camid", "rate", "ap", "inp", "first_match", "num_matches", "num_candidates"]
    )
    pid = [pid_names.get(value, value) for value in found.query.pid.tolist()]
    camid = [""] * len(pid) if found.query.camid is None else found.query.camid.tolist()
    columns = (found.query.rate, results.ap, results.inp, results.first_match)
    counts = (results.num_matches, results.num_candidates)
    rows = zip(pid, camid, *(column.tolist() for column in columns + counts), strict=True)
    for number, row in enumerate(rows):
        shown = ["" if value != value else value for value in row]
        writer.writerow([number, names[int(found.query.index[number])], *shown])
    return text.getvalue()


def _paths(side: EmbeddingSide) -> list[str]:
    return [f"image {i}" for i in range(len(side))] if side.path is None else side.path.tolist()


def _named(found: dict[str, Any], scored: Scored) -> dict[str, Any]:
    """Groups by the text that their numbers stand for."""
    for name, texts in scored.names.items():
        for row in found["groups"][name]:
            row[name] = texts[int(row[name])]
    return found
