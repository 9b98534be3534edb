"""A training that gets no better ends."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping


class Patience(EarlyStopping):
    """Ends the training after so many validations without a better figure. Its weights are those of the last epoch.

    Args:
        monitor: the figure, which should rise. patience: so many validations.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        super().__init__(monitor, mode="max", patience=patience, check_on_train_epoch_end=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """A run that goes on has the patience that it is given now."""
        given = self.patience
        super().load_state_dict(state_dict)
        self.patience = given

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A training that had ended so, and was killed before it was scored, does not go on."""
        super().on_train_start(trainer, pl_module)
        if self.wait_count >= self.patience:
            trainer.should_stop = True
