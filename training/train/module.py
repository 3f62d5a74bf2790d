"""What one step of training and validation does; Lightning owns the loop around it."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torchmetrics.functional.classification import multiclass_auroc
from typing_extensions import override

from training.models.network import RadiographNetwork
from training.train.losses import build_loss
from training.train.recipe import NetworkRecipe


class TrainingModule(pl.LightningModule):
    """Trains one network by one recipe; logs train_loss, val_loss, val_auroc and learning_rate per epoch."""

    def __init__(self, network: RadiographNetwork, recipe: NetworkRecipe, class_counts: list[int]) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.loss = build_loss(recipe.loss, class_counts)
        self.image_size_px = recipe.backbone.image_size_px
        """Side that training images are resized to just now; validation always uses the recipe's."""
        self._validation: list[tuple[Tensor, Tensor]] = []

    @override
    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of (N, 1, H, W) uint8 radiographs and (N,) targets."""
        radiographs, targets = batch
        logits = self.network(radiographs, self.image_size_px).logits
        loss: Tensor = self.loss(logits, targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(targets))
        return loss

    @override
    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the logits until the epoch's end: AUROC is not a mean over batches."""
        radiographs, targets = batch
        self._validation.append((self.network(radiographs).logits.float(), targets))

    @override
    def on_validation_epoch_end(self) -> None:
        """Log the validation loss and the macro one-versus-rest AUROC."""
        logits = torch.cat([logits for logits, _ in self._validation])
        targets = torch.cat([targets for _, targets in self._validation])
        self._validation.clear()
        auroc = multiclass_auroc(logits.softmax(dim=1), targets, num_classes=logits.shape[1])
        self.log("val_loss", self.loss(logits, targets), prog_bar=True)
        self.log("val_auroc", auroc if auroc is not None else torch.nan, prog_bar=True)

    @override
    def configure_optimizers(self) -> Any:
        """Return the recipe's optimizer, and its schedule where Lightning drives it."""
        config, schedule = self.recipe.optimizer, self.recipe.schedule
        trained: nn.Module = self.network.head if config.head_only else self.network
        build = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[config.name]
        optimizer: Optimizer = build(
            trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        if schedule.name == "plateau":
            plateau = ReduceLROnPlateau(optimizer, factor=schedule.factor, patience=schedule.patience)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}
        if schedule.name == "step":
            return [optimizer], [StepLR(optimizer, schedule.every_epochs, schedule.factor)]
        return optimizer
