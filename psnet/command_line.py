"""Settings as they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterable


def setting(name: str, value: object) -> str:
    """As Hydra reads it, whatever characters the value has.

    >>> setting("resume", "outputs/last.ckpt"), setting("resume", "multirun/split=0,dataset=mlr_viper/Ann's.ckpt")
    ('resume=outputs/last.ckpt', "resume='multirun/split=0,dataset=mlr_viper/Ann\\\\'s.ckpt'")
    """
    text = str(value)
    if re.fullmatch(r"[\w./:+-]+", text):
        return f"{name}={text}"
    escaped = text.replace("'", r"\'")
    return f"{name}='{escaped}'"


def typed(name: str, value: object) -> str:
    """As one types it in a shell.

    >>> print(typed("resume", "multirun/split=0,dataset=mlr_viper/last.ckpt"))
    "resume='multirun/split=0,dataset=mlr_viper/last.ckpt'"
    """
    word = setting(name, value)
    if word == f"{name}={value}":
        return word
    escaped = re.sub(r'([\\"$`])', r"\\\1", word)
    return f'"{escaped}"'


def first_names(words: Iterable[str]) -> set[str]:
    """Of the settings in a command.

    >>> sorted(first_names(["loader.workers=0", "logger=none", "+dataset@join.more=csv"]))
    ['join', 'loader', 'logger']
    """
    names = (word.lstrip("+~").partition("=")[0].rpartition("@")[2] for word in words)
    return {name.partition(".")[0].partition("/")[0] for name in names}
