"""A TRAINED MODEL AND IMAGES -> EMBEDDINGS: what it takes to put a model to use."""

from psnet.embedder.embedder import Embedder
from psnet.embedder.errors import EmbedderError
from psnet.embedder.image_table import Failed, ImageTable, read_table
from psnet.embedder.labels import labels_of, read_list
from psnet.embedder.origin import made_by_of

__all__ = [
    "Embedder",
    "EmbedderError",
    "Failed",
    "ImageTable",
    "labels_of",
    "made_by_of",
    "read_list",
    "read_table",
]
