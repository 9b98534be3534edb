"""The table of names is without contradictions, and docs/score.md prints it as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from psnet.embeddings import FORMATS, NAMINGS
from psnet.embeddings.naming import OWN, choose_naming, in_words_of

PAGE = (Path(__file__).parents[2] / "docs" / "score.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("tool", NAMINGS)
def test_each_name_has_one_meaning(tool: str):
    assert set(NAMINGS[tool].values()) <= set(OWN)
    assert len(set(NAMINGS[tool].values())) == len(NAMINGS[tool])


@pytest.mark.parametrize("tool", NAMINGS)
def test_a_tool_is_known_by_its_names(tool: str):
    assert choose_naming({*NAMINGS[tool], "epoch", "state_dict"}) == tool


def test_messages_speak_the_tool_s_language():
    message = "'query_pid' and 'rate' of query_pid"
    assert in_words_of("torchreid", message) == "'q_pids' and 'rate' of query_pid"
    assert in_words_of("psnet", message) == message


def rows_after(heading: str) -> list[list[str]]:
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if "---" not in line]


def test_the_page_prints_the_table():
    (_, *tools), *rows = [row for row in rows_after("## Which names are known") if len(row) > 2]
    assert tools == list(NAMINGS)
    for column, tool in enumerate(tools, start=1):
        printed = {row[column] for row in rows} - {""}
        if tool == "psnet":  # its own names are its roles, which have a table of their own
            assert printed <= set(NAMINGS[tool])
        else:
            assert printed == set(NAMINGS[tool])
            ours = {row[column]: row[1] for row in rows if row[column]}
            assert ours == dict(NAMINGS[tool])


def test_the_page_lists_the_formats():
    assert [row[0] for row in rows_after("Any of them may stand") if len(row) == 2] == ["format", *FORMATS]
    assert re.search(r"\[parquet\].*\[mat\]", PAGE, re.DOTALL)
