"""Which array is what: one table for all tools, and the choice among its columns by what is there.

There are two forms. Sides: query_pid, gallery_pid, ... One table: pid, ... with `split`, or with `num_query` of its
rows first, or in two files named query and gallery. A name that is not in the table is a label.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from psnet.embeddings.embedding_set import ROLES, SIDES, EmbeddingError

OWN = (*ROLES, "split", "num_query", *(f"{side}_{role}" for side in SIDES for role in ROLES), "distances")

NAMINGS: Mapping[str, Mapping[str, str]] = {
    "psnet": {name: name for name in OWN},
    "torchreid": {
        "qf": "query_embedding",
        "q_pids": "query_pid",
        "q_camids": "query_camid",
        "gf": "gallery_embedding",
        "g_pids": "gallery_pid",
        "g_camids": "gallery_camid",
        "distmat": "distances",
    },
    "fast-reid": {
        "feats": "embedding",
        "pids": "pid",
        "camids": "camid",
        "num_query": "num_query",
        "distances": "distances",
    },
    "pytorch_result.mat": {
        "query_f": "query_embedding",
        "query_label": "query_pid",
        "query_cam": "query_camid",
        "gallery_f": "gallery_embedding",
        "gallery_label": "gallery_pid",
        "gallery_cam": "gallery_camid",
        "distances": "distances",
    },
}
"""Per tool: its name of an array, and ours."""

PIDS = {"pid", "query_pid", "gallery_pid"}
EMBEDDINGS = {"embedding", "query_embedding", "gallery_embedding"}

EMBEDDING_NAMES = {theirs for naming in NAMINGS.values() for theirs, ours in naming.items() if ours in EMBEDDINGS}
"""Any tool's name of embeddings."""

SHOWN = 12
"""Names listed in an error."""


def choose_naming(names: Collection[str]) -> str:
    """The tool whose names these are: the one by which there are pids, and embeddings or distances.

    Raises:
        EmbeddingError: none fits, or more than one; it says what is there, and what each tool, or the nearest
            one, would need.

    >>> choose_naming({"qf", "gf", "q_pids", "g_pids", "epoch"})
    'torchreid'
    """
    known = {tool: [name for name in naming if name in names] for tool, naming in NAMINGS.items()}
    fitting = [tool for tool, found in known.items() if _is_enough({NAMINGS[tool][name] for name in found})]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        both = " and ".join(f"{tool}'s ({', '.join(known[tool])})" for tool in fitting)
        raise EmbeddingError(f"the names are {both} at once; leave out the arrays that are not to be scored")
    nearest = max(known, key=lambda tool: len(known[tool]))
    tools = (nearest,) if known[nearest] else tuple(NAMINGS)
    raise EmbeddingError(f"{there_is(names)}. {'; or '.join(needed(tool) for tool in tools)}")


def _is_enough(ours: set[str]) -> bool:
    return bool(ours & PIDS) and bool(ours & (EMBEDDINGS | {"distances"}))


def there_is(names: Collection[str]) -> str:
    """What is there, in a few words."""
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"it has {', '.join(listed[:SHOWN])}{more}" if listed else "it has no arrays"


def needed(tool: str) -> str:
    """The least that must be there, in a tool's own names."""
    theirs = {ours: name for name, ours in NAMINGS[tool].items()}
    sides = [theirs[f"{side}_{role}"] for side in SIDES for role in ("embedding", "pid") if f"{side}_{role}" in theirs]
    table = [theirs[name] for name in ("embedding", "pid", "split", "num_query") if name in theirs]
    if "split" in theirs:  # either says which rows are queries
        table = [*table[:2], "split or num_query"]
    forms = [", ".join(form) for form in (sides, table) if len(form) > 2]
    return f"{tool}'s form needs {', or '.join(forms)}"


def in_words_of(tool: str, message: str) -> str:
    """A message with quoted names of ours, in a tool's names.

    >>> in_words_of("torchreid", "'query_pid' is empty")
    "'q_pids' is empty"
    """
    theirs = {ours: name for name, ours in NAMINGS[tool].items()}
    return re.sub(r"'(\w+)'", lambda quoted: f"'{theirs.get(quoted[1], quoted[1])}'", message)
