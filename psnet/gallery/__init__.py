"""EMBEDDINGS -> A GALLERY THAT IS SEARCHED: one interface, and an engine behind it that is chosen by URI."""

from psnet.gallery.conditions import Condition, conditions_of
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import Gallery, Hit
from psnet.gallery.opening import create_gallery, open_gallery

__all__ = ["Condition", "Gallery", "GalleryError", "Hit", "conditions_of", "create_gallery", "open_gallery"]
