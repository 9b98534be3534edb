"""Which model, and which preprocessing, made an embedding: what may be compared with what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

DescriptorPart = Literal["whole", "neck"]


@dataclass(frozen=True)
class MadeBy:
    """Embeddings are compared only where these are equal.

    model: in words. digest: of its weights and settings. preprocess: see `Preprocess.settings`. part: of the method's
    descriptor, see `Embedder`. dimensions: of an embedding. engine: what computes otherwise than the weights say, such
    as "int8"; "" where it computes the same up to rounding.
    """

    model: str
    digest: str
    preprocess: Mapping[str, Any]
    part: DescriptorPart
    dimensions: int
    engine: str = ""

    def __str__(self) -> str:
        height, width = self.preprocess["image_size"]
        how = f"{height} x {width} {self.preprocess['upsampling']}"
        engine = f", {self.engine}" if self.engine else ""
        return f"{self.model} ({self.digest}, {how}, {self.part}, {self.dimensions} dimensions{engine})"

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> MadeBy:
        """
        Raises:
            ValueError: it is none.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{text[:60]!r} does not say which model made the embeddings") from error
