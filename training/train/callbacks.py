"""What happens around the steps: the budget drives the schedule, and each epoch is logged."""

from collections.abc import Callable, Collection
from math import cos, isfinite, pi
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, Timer, WeightAveraging
from torch import Tensor
from typing_extensions import override

from hilum.console import stderr
from training.errors import DivergedError
from training.train.distributed import from_rank_zero, rank
from training.train.loaders import derived_seed
from training.train.module import TrainingModule
from training.train.recipe import NetworkRecipe


class BudgetSchedule(Callback):
    """Sets the learning rate and the image size from the share of the budget that is used up.

    The share is that of the epochs or that of the minutes, whichever is larger, so a run that is
    bounded by time still ends its cosine and reaches its full image size.
    """

    def __init__(self, recipe: NetworkRecipe, timer: Timer, max_minutes: float | None) -> None:
        self._recipe = recipe
        self._timer = timer
        self._max_seconds = max_minutes * 60 if max_minutes else None

    def used(self, trainer: pl.Trainer) -> float:
        """Return the share of the budget that is used up, in [0, 1]."""
        by_steps = trainer.global_step / max(1.0, float(trainer.estimated_stepping_batches))
        if self._max_seconds is None:
            return min(1.0, by_steps)
        seconds = from_rank_zero(self._timer.time_elapsed)  # one clock for all: rates must not differ
        return min(1.0, max(by_steps, seconds / self._max_seconds))

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set this step's image size, and its learning rate where the recipe's schedule is a cosine."""
        assert isinstance(pl_module, TrainingModule)
        used = self.used(trainer)
        pl_module.image_size_px = image_size_at(self._recipe, used)
        if self._recipe.schedule.name == "cosine":
            rate = self._recipe.optimizer.learning_rate * cosine_factor(used, self._recipe.schedule.warmup)
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = rate


class EpochSeed(Callback):
    """Seeds what a network draws, as for dropout, anew for each epoch: a resumed run draws the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed torch for this epoch, each process with a seed of its own."""
        torch.manual_seed(derived_seed(self._seed, trainer.current_epoch, rank()))


def weight_averaging(decay: float) -> WeightAveraging:
    """Return the callback that keeps an exponential moving average of weights and buffers.

    The decay after n updates is min(decay, (1 + n) / (10 + n)), so that a short run's average is not
    still full of its random start (as TensorFlow's ExponentialMovingAverage does with `num_updates`).
    """

    def average(averaged: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        if not current.is_floating_point():
            return current  # batch normalisation counts its batches in integers
        n = int(n_averaged)
        return torch.lerp(current, averaged, min(decay, (1 + n) / (10 + n)))

    return WeightAveraging(avg_fn=average)


def image_size_at(recipe: NetworkRecipe, used: float) -> int | None:
    """Return the side in pixels of training images once a share `used` of the budget is gone.

    None stands for the recipe's own size.
    """
    for share, size in recipe.budget.small_first:
        if used < share:
            return min(size, recipe.backbone.radiograph_px)
    return None


def cosine_factor(used: float, warmup: float) -> float:
    """Return the factor of the learning rate: a linear rise over `warmup`, then half a cosine to zero."""
    if used < warmup:
        return used / warmup
    return 0.5 * (1 + cos(pi * (used - warmup) / (1 - warmup)))


class EpochLog(Callback):
    """Hands each epoch's metrics to `log`, and prints them where there is no progress bar.

    An epoch in `logged` was logged before a kill that came ahead of its checkpoint: it is not logged twice.
    """

    def __init__(self, log: Callable[[dict[str, float], int], None], logged: Collection[int] = ()) -> None:
        self._log = log
        self._logged = logged

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log after validation: Lightning validates before this hook runs."""
        names = ("train_loss", "val_loss", "val_auroc")
        metrics = {name: float(trainer.callback_metrics[name]) for name in names}
        metrics["learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        from_rank_zero(lambda: self._tell(metrics, trainer.current_epoch))

    def _tell(self, metrics: dict[str, float], epoch: int) -> None:
        _check_finite(metrics, epoch)
        if epoch not in self._logged:
            self._log(metrics, epoch)
        if not stderr.is_terminal:
            line = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            stderr.print(f"epoch {epoch}  {line}")


def _check_finite(metrics: dict[str, float], epoch: int) -> None:
    """Refuse to go on from weights that are no numbers any more."""
    for name in ("train_loss", "val_loss"):
        if not isfinite(metrics[name]):
            raise DivergedError(epoch, name, metrics[name])
