"""SOMEBODY'S EMBEDDINGS -> FIGURES AND A PAGE: what `psnet score` does, whose command is `psnet.scoring.command`."""

from psnet.scoring.scored import Scored, ScoreOptions, embeddings_of, notes_on_images, score

__all__ = ["ScoreOptions", "Scored", "embeddings_of", "notes_on_images", "score"]
