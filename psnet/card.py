"""The card of a trained network: what it was made from and how, what it reaches, and how to use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psnet.evaluation import SHOWN, SYSTEMS
from psnet.report.terms import metric_value, term

CARD = """# {title}

{facts}

## What it reaches

On {data}; {evaluation}.

{scores}

## How to use it

Score it again, or on another set:

    python evaluate.py checkpoint={checkpoint}

Start other training from it (all but the classifier; people it was trained on are refused as people to search for):

    python train.py dataset=mlr_viper model=hrnet_reid_small model.reid.weights={checkpoint}

It was trained on images of people. Use it within the licence of the data sets named above, and where finding people
again is lawful.
"""


def write_card(path: Path, checkpoint: Path, metrics: Mapping[str, Any], facts: Mapping[str, str]) -> None:
    """Markdown, beside the checkpoint. Written whole or not at all.

    Args:
        metrics, facts: as in metrics.json.
    """
    card = CARD.format(
        title=f"{facts['Model']} trained on {facts['Trained on']}",
        facts="\n".join(f"- **{name}**: {value}" for name, value in facts.items()),
        data=facts["Data set"],
        evaluation=facts["Evaluation"],
        scores=_scores(metrics),
        checkpoint=checkpoint,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(card, encoding="utf-8")
    os.replace(beside, path)


def _scores(metrics: Mapping[str, Any]) -> str:
    trained, parts = metrics["trained"], []
    if "rank1" in trained:
        lines = ["| % | " + " | ".join(map(term, SHOWN)) + " |", "|---" * (len(SHOWN) + 1) + "|"]
        for name in SYSTEMS:
            if name in metrics:
                lines.append(f"| {name} | " + " | ".join(metric_value(metrics[name], key) for key in SHOWN) + " |")
        parts.append("\n".join(lines))
    if "psnr_restored" in trained:
        psnr = (trained["psnr_restored"], trained["psnr_bicubic"])
        parts.append(
            "Restored low images have {:.2f} dB PSNR against sharp ones, bicubic ones {:.2f} dB.".format(*psnr)
        )
    return "\n\n".join(parts)
