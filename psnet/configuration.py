"""From configuration to objects."""

from __future__ import annotations

import hashlib
import inspect
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from psnet.atomic import WriteError
from psnet.checkpoint import CheckpointError
from psnet.data.manifest import Manifest
from psnet.data.samples import DataError
from psnet.losses import DivergedError
from psnet.models import WeightsError
from psnet.processes import BusyError

log = logging.getLogger(__name__)


class SettingsError(ValueError):
    """A value in the configuration is refused by what it is meant for."""


USER_ERRORS = (DataError, CheckpointError, WeightsError, SettingsError, WriteError, DivergedError, BusyError)
"""What a user can put right. The message says how, so it is shown without a traceback."""

LONGEST_NAME = 160
"""Of a folder; file systems take 255 bytes."""

_PACKAGE = Path(__file__).resolve().parent

_VERSIONED = ("psnet", "torch", "torchvision", "pytorch_lightning", "timm")
"""Packages whose code is known by a version, or of psnet by what it holds."""


def configuration_folder() -> str:
    """Absolute path of conf/, as `hydra.main` wants it: in the checkout, or in the installed package."""
    for folder in (_PACKAGE.parent / "conf", _PACKAGE / "conf"):
        if (folder / "train.yaml").is_file():
            return str(folder)
    raise FileNotFoundError(
        f"no configuration in {_PACKAGE.parent / 'conf'} or {_PACKAGE / 'conf'}; install psnet again"
    )


def job_folder(overrides: str) -> str:
    """The folder of a sweep's job: its settings, as far as they fit into a name. resume=auto is not of them.

    >>> job_folder("dataset.source.protocol.split=3,dataset=mlr_viper,experiment=small/id,resume=auto")
    'split=3,dataset=mlr_viper,experiment=small-id'
    """
    overrides = re.sub(r"(^|,)resume=auto(?=,|$)", "", overrides).removeprefix(",")
    name = overrides.replace("dataset.source.protocol.", "").replace("/", "-")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


def run_folder(resume: str | None, overrides: str, now: str) -> str:
    """The folder of a run: a new one, or with resume=auto that of the same command.

    >>> run_folder(None, "dataset=mlr_viper", "2026-01-31/12-00-00")
    'outputs/2026-01-31/12-00-00'
    >>> [run_folder("auto", f"{first}resume=auto", "2026-01-31/12-00-00") for first in ("dataset=mlr_viper,", "")]
    ['outputs/auto/dataset=mlr_viper', 'outputs/auto/default']
    """
    return f"outputs/auto/{job_folder(overrides) or 'default'}" if resume == "auto" else f"outputs/{now}"


OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def build(settings: Mapping[str, Any], **arguments: Any) -> Any:
    """Instantiate, with arguments that are objects already.

    Raises:
        SettingsError: a value is missing, a switch is neither true nor false, or a constructor refuses a value or a
            name. What else it raises of `USER_ERRORS` comes out as it is.
    """
    if isinstance(settings, DictConfig):
        settings = _plain(settings)
    _check_switches(settings)
    try:
        return instantiate({**settings, "_partial_": True}, _convert_="all")(**arguments)
    except USER_ERRORS:
        raise
    except (ValueError, TypeError) as error:  # of the outermost constructor
        raise SettingsError(f"{settings['_target_']}: {error}") from error
    except InstantiationException as error:  # of one inside
        cause = error.__cause__
        if isinstance(cause, USER_ERRORS):
            raise cause from None
        if isinstance(cause, (ValueError, TypeError)):
            raise SettingsError(f"{settings['_target_']}: {cause}") from error
        raise


def _check_switches(settings: Any) -> None:
    """Any text is true to Python, so a word in the place of true or false would be taken for true."""
    if isinstance(settings, Mapping):
        target = settings.get("_target_")
        parameters = inspect.signature(_found(target)).parameters if target else {}
        for name, value in settings.items():
            if name in parameters and parameters[name].annotation in (bool, "bool") and not isinstance(value, bool):
                raise SettingsError(f"{target}: {name}={value!r} must be true or false")
    if isinstance(settings, (Mapping, list)):
        for value in settings.values() if isinstance(settings, Mapping) else settings:
            _check_switches(value)


def _found(target: str) -> Any:
    try:
        return get_object(target)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"_target_={target} cannot be found ({error}); look at its name") from error


def own_sources(settings: Any) -> list[Path]:
    """The files of what is built that is neither psnet's nor a library's with versions of its own."""
    found: set[Path] = set()
    if isinstance(settings, Mapping):
        target = str(settings.get("_target_", ""))
        if target and target.partition(".")[0] not in _VERSIONED:
            found.add(Path(inspect.getfile(inspect.unwrap(_found(target)))))
    if isinstance(settings, (Mapping, list)):
        for value in settings.values() if isinstance(settings, Mapping) else settings:
            found.update(own_sources(value))
    return sorted(found)


def _plain(settings: DictConfig) -> dict[str, Any]:
    try:
        plain: Any = OmegaConf.to_container(settings, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise SettingsError(f"{error.full_key} has no value; give {error.full_key}=...") from error
    return dict(plain)


def build_manifest(dataset: DictConfig, join: Mapping[str, DictConfig] | None = None) -> Manifest:
    """Read, verify and check a data set, and the training images of those that join it."""
    manifest: Manifest = build(dataset.source).prepare()
    for name, other in (join or {}).items():
        manifest = manifest.joined(build(other.source).prepare(), name)
    log.info("%s as an MLR set\n%s", dataset.name, manifest.describe())
    return manifest
