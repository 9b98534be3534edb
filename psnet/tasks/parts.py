"""Parts of a task by their dotted names: which are trained, and how fast each learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn


def part(task: nn.Module, name: str, setting: str) -> nn.Module:
    """
    Raises:
        ValueError: there is none of that name; it names the setting, and what there is in its place.
    """
    found = task
    for step in name.split("."):
        inside = dict(found.named_children())
        if step not in inside:
            where = f"{type(task).__name__} has no part {name!r}"
            raise ValueError(f"model.recipe.{setting}: {where}; instead of {step!r} there are {', '.join(inside)}")
        found = inside[step]
    return found


def by_factor(
    task: nn.Module, groups: Iterable[Mapping[str, Any]], factors: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Parameter groups without what is frozen, split so that each has one "factor" of its learning rate.

    Args:
        groups: for an optimiser. factors: by part; of those that a parameter lies in the longest name decides.
    """
    names = {parameter: name for name, parameter in task.named_parameters()}
    split: list[dict[str, Any]] = []
    for group in groups:
        parameters = defaultdict(list)
        for parameter in group["params"]:
            if parameter.requires_grad:
                parameters[_factor(names[parameter], factors)].append(parameter)
        split += [{**group, "params": some, "factor": factor} for factor, some in parameters.items()]
    return split


def _factor(name: str, factors: Mapping[str, float]) -> float:
    inside = [part for part in factors if name.startswith(part + ".")]
    return factors[max(inside, key=len)] if inside else 1.0
