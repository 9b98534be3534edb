"""docs/method.md cannot rot: what it links to is there, and its settings are settings."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.composed import composed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "method.md"
TEXT = PAGE.read_text(encoding="utf-8")


class Link(NamedTuple):
    symbol: str
    file: Path

    @property
    def is_test(self) -> bool:
        return (ROOT / "tests") in self.file.parents


LINKS = sorted({Link(s, (PAGE.parent / f).resolve()) for s, f in re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", TEXT)})
TESTS = [link for link in LINKS if link.is_test]
CODE = [link for link in LINKS if link.file.suffix == ".py" and not link.is_test]
YAML = [link for link in LINKS if link.file.suffix == ".yaml"]
LINES = [*TEXT.splitlines(), ""]
RULES = [n for n, line in enumerate(LINES) if line.startswith("|--")]  # below the head of each table
ROWS = [LINES[n] for n in range(len(LINES)) if LINES[n].startswith("|") and n not in RULES and n + 1 not in RULES]


def named(link: Link) -> str:
    return f"{link.file.relative_to(ROOT)}:{link.symbol}"


def names(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def defined(symbol: str, body: list[ast.stmt]) -> int:
    """How often a dotted name is defined."""
    first, _, rest = symbol.partition(".")
    found = [node for node in body if first in names(node)]
    return sum(defined(rest, getattr(node, "body", [])) for node in found) if rest else len(found)


def test_every_link_to_code_names_a_symbol():
    targets = {target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if target.startswith("../")}
    assert {(PAGE.parent / target).resolve() for target in targets} == {link.file for link in LINKS}
    assert len(TESTS) + len(CODE) + len(YAML) == len(LINKS)
    assert min(map(len, (TESTS, CODE, YAML))) > 10


@pytest.mark.parametrize("link", [*CODE, *TESTS], ids=named)
def test_symbols_are_defined(link: Link):
    tree = ast.parse(link.file.read_text(encoding="utf-8"))
    assert defined(link.symbol, tree.body) == 1


@pytest.mark.parametrize("link", YAML, ids=named)
def test_settings_stand_in_their_files(link: Link):
    node = yaml.safe_load(link.file.read_text(encoding="utf-8"))
    for key in link.symbol.split("."):
        assert key in node
        node = node[key]


@pytest.mark.slow
def test_tests_are_collected(request: pytest.FixtureRequest):
    """As they are now, where all are run; by a pytest of its own where only some are."""
    named = {f"{link.file.relative_to(ROOT)}::{link.symbol}" for link in TESTS}
    collected = {item.nodeid.partition("[")[0] for item in request.session.items}
    if not named <= collected:
        files = sorted({str(link.file.relative_to(ROOT)) for link in TESTS})
        command = [sys.executable, "-m", "pytest", "--collect-only", *files]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        collected = {line.partition("[")[0] for line in ran.stdout.splitlines()}
    assert named <= collected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_statement_has_its_test(row: str):
    assert "](../tests/" in row
    assert "](../psnet/" in row or "](../conf/" in row or "](../train.py" in row or SETTING.search(row)


SETTING = re.compile(r"`((?:[+\w.@]+=[^`\s]+ ?)+)`")
SETTINGS = sorted({setting for row in ROWS for setting in SETTING.findall(row)})


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_compose(settings: str):
    """Each is another than the default."""
    given = settings.split()
    groups = {setting.partition("=")[0] for setting in given}
    base = [name for name in ("dataset=mlr_market", "model=ps_hrnet") if name.partition("=")[0] not in groups]
    assert composed(*base, *given) != composed(*base)
