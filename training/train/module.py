"""What one step of training and validation does; Lightning owns the loop around it."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, distributed
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau, StepLR
from torchmetrics.functional.classification import multiclass_auroc
from typing_extensions import override

from training.models.network import RadiographNetwork
from training.train.distributed import gathered, world_size
from training.train.losses import build_loss, mean_weight
from training.train.recipe import NetworkRecipe


class TrainingModule(pl.LightningModule):
    """Trains one network by one recipe; logs train_loss, val_loss, val_auroc and learning_rate per epoch."""

    def __init__(self, network: RadiographNetwork, recipe: NetworkRecipe, class_counts: list[int]) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.loss = build_loss(recipe.loss, class_counts)
        self.image_size_px: int | None = None
        """Side that training images are shrunk to just now; None for the recipe's own size."""
        self._validation: list[tuple[Tensor, Tensor]] = []

    @override
    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of (n, 1, H, W) uint8 radiographs and (n,) targets, a part of a step.

        The batch's third entry is the targets of the whole step, as far as this process has them. The
        mean of all parts' losses, over all processes, is the loss of the step.
        """
        radiographs, targets, step_targets = batch
        logits = self.network(radiographs, self.image_size_px).logits
        loss: Tensor = self.loss(logits, targets) * self._share(targets, step_targets)
        self.log(
            "train_loss",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(targets),
            sync_dist=True,
        )
        return loss

    def _share(self, targets: Tensor, step_targets: Tensor) -> Tensor:
        """Return the weight of a part's mean in its step, over that of an average part."""
        of_step = mean_weight(self.loss, step_targets)
        if world_size() > 1:
            distributed.all_reduce(of_step)
        parts = world_size() * len(step_targets) / len(targets)
        return mean_weight(self.loss, targets) * parts / of_step

    @override
    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the logits until the epoch's end: AUROC is not a mean over batches."""
        radiographs, targets = batch
        self._validation.append((self.network(radiographs).logits.float(), targets))

    @override
    def on_validation_epoch_end(self) -> None:
        """Log the validation loss and the macro one-versus-rest AUROC, over the samples of all processes."""
        logits = gathered(torch.cat([logits for logits, _ in self._validation]))
        targets = gathered(torch.cat([targets for _, targets in self._validation]))
        self._validation.clear()
        auroc = multiclass_auroc(logits.softmax(dim=1), targets, num_classes=logits.shape[1])
        # synchronised, although all have the same: GPUs may differ in the last bit, and a decision hang on it
        self.log("val_loss", self.loss(logits, targets), prog_bar=True, sync_dist=True)
        self.log("val_auroc", auroc if auroc is not None else torch.nan, prog_bar=True, sync_dist=True)

    @override
    def configure_optimizers(self) -> Any:
        """Return the recipe's optimizer, and its schedule where Lightning drives it."""
        config, schedule = self.recipe.optimizer, self.recipe.schedule
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        build = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[config.name]
        optimizer: Optimizer = build(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        if schedule.name == "plateau":
            plateau = ReduceLROnPlateau(optimizer, factor=schedule.factor, patience=schedule.patience)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}
        if schedule.name == "step":
            return [optimizer], [StepLR(optimizer, schedule.every_epochs, schedule.factor)]
        if schedule.name == "inverse_time":
            falling = LambdaLR(optimizer, lambda step: 1 / (1 + schedule.decay * step))
            return [optimizer], [{"scheduler": falling, "interval": "step"}]
        return optimizer
