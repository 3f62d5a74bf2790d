"""Training steps, against plain PyTorch; accumulated gradients, against whole batches."""

import warnings
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from training.errors import DivergedError
from training.models.network import RadiographNetwork
from training.train.callbacks import EpochLog, EpochSeed
from training.train.loaders import StepParts
from training.train.losses import LossConfig
from training.train.module import TrainingModule
from training.train.recipe import NetworkRecipe

CONTENT = {
    "backbone": {"name": "convnext_atto", "cut_after": "stages.0", "channels": 1, "image_size_px": 32},
    "loss": {"class_weights": "rarer_more", "label_smoothing": 0.1},
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
    "budget": {"epochs": 1},
    "batch_size": 12,
}
COUNTS = [2, 3, 7]
STEPS = 3

torch.manual_seed(0)
IMAGES = torch.randint(0, 256, (12 * STEPS, 1, 256, 256), dtype=torch.uint8)
TARGETS = torch.randint(0, 8, (12 * STEPS,)).clamp(max=4) % 3
BATCHES: DataLoader[Any] = DataLoader(TensorDataset(IMAGES, TARGETS), 12)


def recipe(**changes: Any) -> NetworkRecipe:
    return NetworkRecipe.model_validate(CONTENT | changes)


def network(of: NetworkRecipe) -> RadiographNetwork:
    """Build the same network each time."""
    torch.manual_seed(1)
    return RadiographNetwork(of.backbone, ("a", "b", "c"))


def fit(of: NetworkRecipe, *callbacks: Callback, epochs: int = 1) -> RadiographNetwork:
    """Train a network by Lightning's loop."""
    trained = network(of)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        accumulate_grad_batches=of.accumulate,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec|.*does not have many workers")
        trainer.fit(TrainingModule(trained, of, COUNTS), StepParts(BATCHES, of.accumulate), BATCHES)
    return trained


def plain(of: NetworkRecipe) -> RadiographNetwork:
    """Train a network by a plain loop over whole batches."""
    trained = network(of).train()
    weights = torch.tensor([max(COUNTS) / count for count in COUNTS])
    loss = nn.CrossEntropyLoss(weights, label_smoothing=0.1)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.05)
    for images, targets in BATCHES:
        optimizer.zero_grad()
        loss(trained(images).logits, targets).backward()
        optimizer.step()
    return trained


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    for (name, found), expected in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=2e-6), name


def test_the_loop_does_what_a_plain_loop_does() -> None:
    assert_same_weights(fit(recipe()), plain(recipe()))


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulated_gradients_are_those_of_the_whole_step(parts: int) -> None:
    """The parts hold other shares of the classes: a mean of their weighted means would be another loss."""
    assert_same_weights(fit(recipe(accumulate=parts)), plain(recipe()))


def test_accumulated_gradients_with_the_papers_loss() -> None:
    loss = LossConfig(name="icapuc", label_smoothing=0.1, class_weights="rarer_more").model_dump()
    whole = fit(recipe(loss=loss))
    assert_same_weights(fit(recipe(loss=loss, accumulate=3)), whole)


def test_the_logged_metrics_are_those_of_the_validation_samples() -> None:
    logged: dict[int, dict[str, float]] = {}
    trained = fit(recipe(), EpochLog(lambda metrics, epoch: logged.update({epoch: metrics})))
    with torch.no_grad():
        logits = trained.eval()(IMAGES).logits
    auroc = roc_auc_score(TARGETS, logits.softmax(dim=1), multi_class="ovr", average="macro")
    assert logged[0]["val_auroc"] == pytest.approx(auroc, abs=1e-5)
    assert logged[0]["learning_rate"] == 0.05


def test_an_epoch_that_is_logged_already_is_not_logged_twice() -> None:
    epochs: list[int] = []
    fit(recipe(), EpochLog(lambda _, epoch: epochs.append(epoch), {0, 1}), epochs=3)
    assert epochs == [2]


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_logged() -> None:
    epochs: list[int] = []
    absurd = recipe(optimizer={"name": "sgd", "learning_rate": 1e30})
    with pytest.raises(DivergedError, match=r"Training diverged: train_loss is \w+ after epoch 0") as raised:
        fit(absurd, EpochLog(lambda _, epoch: epochs.append(epoch)))
    assert raised.value.epoch == 0
    assert epochs == []


def test_what_a_network_draws_follows_from_seed_and_epoch() -> None:
    drawn: list[float] = []

    class Draw(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            drawn.append(float(torch.rand(())))

    for noise in range(2):
        torch.manual_seed(noise)
        fit(recipe(), EpochSeed(4), Draw(), epochs=2)
    once, again = drawn[: 2 * STEPS], drawn[2 * STEPS :]
    assert once == again
    assert once[:STEPS] != once[STEPS:], "two epochs drew the same"
