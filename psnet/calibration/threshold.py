"""From which cosine on two images are said to show one person, and what is known of such answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from psnet.embeddings import MadeBy


class CalibrationError(ValueError):
    """No threshold can be had or used. The message names the thing, its value and the remedy."""


@dataclass(frozen=True)
class GroupRates:
    """What a threshold does on some pairs. far: share of the false ones that it accepts. tar: of the true ones. None
    where there is no such pair."""

    far: float | None
    tar: float | None
    false_pairs: int
    true_pairs: int

    def __str__(self) -> str:
        false, true = share(self.far, 3), share(self.tar, 1)
        return f"accepts {false} of {self.false_pairs:,} false and {true} of {self.true_pairs:,} true pairs"


def share(value: float | None, digits: int) -> str:
    """In percent; a dash where nobody knows."""
    return "-" if value is None else f"{value:.{digits}%}"


@dataclass(frozen=True)
class Threshold:
    """
    value: pairs of this cosine or more are accepted. asked: the false-accept rate that was asked for. found: what the
    threshold does on all pairs it was made of. by_rate: the same by the query's down-sampling rate. roc: (far, tar) at
    other thresholds. people: in the pairs. source: where the pairs come from. made_by: the model of the embeddings.
    """

    value: float
    asked: float
    found: GroupRates
    by_rate: Mapping[str, GroupRates]
    roc: tuple[tuple[float, float], ...]
    people: int
    source: str
    made_by: MadeBy

    def decide(self, score: float) -> Decision:
        """
        Args:
            score: cosine of two embeddings of the same model.
        """
        return Decision(score >= self.value, score, self)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Threshold:
        """
        Raises:
            CalibrationError: it is none.
        """
        try:
            groups = {rate: GroupRates(**group) for rate, group in content["by_rate"].items()}
            roc = tuple((float(far), float(tar)) for far, tar in content["roc"])
            more = {"found": GroupRates(**content["found"]), "by_rate": groups, "roc": roc}
            more["made_by"] = MadeBy(**content["made_by"])
            return cls(**{**content, **more})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CalibrationError(f"this is no threshold ({error!r}); make it again with psnet calibrate") from error


@dataclass(frozen=True)
class Decision:
    """An answer, and the threshold whose rates it holds for. score: the cosine."""

    same: bool
    score: float
    threshold: Threshold

    def __str__(self) -> str:
        sign, answer = (">=", "the same person") if self.same else ("<", "not the same person")
        return f"{answer}: {self.score:.6f} {sign} {self.threshold.value:.6f}, which {self.threshold.found}"
