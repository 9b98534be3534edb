"""Settings survive the shell and Hydra, whatever characters a path has."""

from __future__ import annotations

import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from psnet.command_line import setting, typed

PATHS = [
    "outputs/2026-01-31/12-00-00/last.ckpt",
    "multirun/split=0,dataset=mlr_viper,experiment=transfer-id/last.ckpt",
    "Ann's runs/last.ckpt",
    'the "best" one/`x`/$HOME/last.ckpt',
    "[1,2]/{a:b}/(c)/last.ckpt",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_typed_is_what_was_meant(path: str):
    word = subprocess.run(["sh", "-c", f"printf %s {typed('resume', path)}"], capture_output=True, text=True).stdout
    assert word == setting("resume", path)
    override = OverridesParser.create().parse_override(word)
    assert override.key_or_group == "resume"
    assert override.value() == path
    assert not override.is_sweep_override()


def test_a_plain_path_stays_as_it_is():
    assert typed("resume", PATHS[0]) == f"resume={PATHS[0]}"
