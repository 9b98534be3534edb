"""People drawn by the program: a data set for everybody, without a download."""

from psnet.data.synthetic.reader import draw_image, read_synthetic

__all__ = ["draw_image", "read_synthetic"]
