"""Where the configuration lies: in the checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def configuration_folder() -> str:
    """Absolute path of conf/, as `hydra.main` wants it."""
    for folder in (_PACKAGE.parent / "conf", _PACKAGE / "conf"):
        if (folder / "train.yaml").is_file():
            return str(folder)
    raise FileNotFoundError(
        f"no configuration in {_PACKAGE.parent / 'conf'} or {_PACKAGE / 'conf'}; install psnet again"
    )
