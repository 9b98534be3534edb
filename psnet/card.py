"""The card of a trained network: what it was made from and how, what it reaches, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psnet.atomic import write_whole
from psnet.command_line import typed
from psnet.evaluation import SHOWN, SYSTEMS
from psnet.report.terms import metric_value, term

CARD = """# {title}

{facts}

## What it reaches

On {data}; {evaluation}.

{scores}

## How to use it

Score it again, or on another set:

    python evaluate.py {checkpoint}
{start}
It was trained on images of people. Use it within the licence of the data sets named above, and where finding people
again is lawful.
"""


START = """
Start other training from it ({taken}; images it was trained on are refused as images to search for):

    python train.py dataset=mlr_viper {words}
"""


def write_card(
    path: Path, checkpoint: Path, metrics: Mapping[str, Any], facts: Mapping[str, str], model: Mapping[str, Any]
) -> None:
    """Markdown, beside the checkpoint. Written whole or not at all.

    Args:
        metrics, facts: as in metrics.json. model: the settings of the network.
    """
    card = CARD.format(
        title=f"{facts['Model']} trained on {facts['Trained on']}",
        facts="\n".join(f"- **{name}**: {value}" for name, value in facts.items()),
        data=facts["Data set"],
        evaluation=facts["Evaluation"],
        scores=_scores(metrics),
        checkpoint=typed("checkpoint", checkpoint),
        start=_start(checkpoint, model),
    )
    write_whole(path, card)


def _start(checkpoint: Path, model: Mapping[str, Any]) -> str:
    """What other training takes of the checkpoint, and its settings; of a network of one's own nothing is known."""
    if "reid" not in model:
        words = ["model=hrnet_reid_sr_small", typed("model.sr_checkpoint", checkpoint), "model.sr_start=null"]
        return START.format(taken="the restorer", words=" ".join(words))
    if "backbone" not in model["reid"]:
        return ""
    words = ["model=hrnet_reid_small", typed("model.reid.weights", checkpoint)]
    words.append(f"model.reid.backbone={model['reid']['backbone']}")
    return START.format(taken="all of re-identification but the classifier", words=" ".join(words))


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
