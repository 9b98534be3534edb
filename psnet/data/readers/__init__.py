"""From folders on disk to samples: one function per layout, and no file-name pattern anywhere else.

Readers only list; `psnet.data.verify` opens the images.
"""

from psnet.data.readers.cuhk03 import read_cuhk03
from psnet.data.readers.describe import completeness, describe
from psnet.data.readers.flat import read_caviar, read_cuhk01, read_pku
from psnet.data.readers.folder import read_folder
from psnet.data.readers.market import read_dukemtmc, read_market1501, read_market1501_train
from psnet.data.readers.table import read_csv
from psnet.data.readers.viper import read_viper

__all__ = [
    "completeness",
    "describe",
    "read_caviar",
    "read_csv",
    "read_cuhk01",
    "read_cuhk03",
    "read_dukemtmc",
    "read_folder",
    "read_market1501",
    "read_market1501_train",
    "read_pku",
    "read_viper",
]
