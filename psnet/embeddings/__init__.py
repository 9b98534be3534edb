"""FILES -> EMBEDDINGS: what any tool made of query and gallery, read into one form, and written."""

from psnet.embeddings.embedding_set import EmbeddingError, EmbeddingSet, EmbeddingSide
from psnet.embeddings.formats import FORMATS
from psnet.embeddings.made_by import DescriptorPart, MadeBy
from psnet.embeddings.naming import NAMINGS
from psnet.embeddings.read import read_embeddings
from psnet.embeddings.write import check_target, save_embeddings

__all__ = [
    "FORMATS",
    "NAMINGS",
    "DescriptorPart",
    "EmbeddingError",
    "EmbeddingSet",
    "EmbeddingSide",
    "MadeBy",
    "check_target",
    "read_embeddings",
    "save_embeddings",
]
