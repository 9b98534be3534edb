"""MATLAB files, such as the pytorch_result.mat of many baselines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.part import FileError, Part, damaged


def read_mat(path: Path) -> Part:
    """All variables.

    Raises:
        FileError: SciPy is missing, the file is damaged, or of MATLAB's version 7.3; and when an array is read: it is a
            cell array or a struct.
    """
    try:
        from scipy import io
    except ImportError as error:
        raise FileError(f"{path}: MATLAB files need SciPy; install it with pip install -e '.[mat]'") from error
    try:
        content = io.loadmat(path)
    except NotImplementedError as error:
        raise FileError(
            f"{path} is of MATLAB's version 7.3; save it with scipy.io.savemat, or in MATLAB with the option -v7"
        ) from error
    except Exception as error:  # whatever a file that is not whole makes of its reader
        raise damaged(path, error) from error
    own = {name: value for name, value in content.items() if not name.startswith("__")}
    return Part(path, {name: partial(_array, value, f"{path}: {name}") for name, value in own.items()})


def _array(value: Any, what: str) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise FileError(f"{what} is a cell array or a struct; save a numeric or a char array")
    # MATLAB pads the rows of a char array to one length
    return np.char.rstrip(value) if value.dtype.kind == "U" else value
