"""Training throughput: Hilum's loop against a bare PyTorch loop on the same network, in rounds A B A B.

Hilum's side reads the decoded cache, augments, averages weights and runs under Lightning; the bare side
steps over a batch that is ready in memory. Network, precision, memory format, batch size, image size and
optimizer are the same.
"""

import logging
import tempfile
import time
from pathlib import Path
from statistics import median

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, Timer
from typing_extensions import override

from hilum.contract import CLASSIFIER
from tests.bench.report import Measurement
from training.data.cache import RadiographCache
from training.data.metadata import load_metadata
from training.data.samples import SampleTable, build_samples
from training.data.synthetic import draw_data_set
from training.models.network import RadiographNetwork
from training.train.callbacks import BudgetSchedule, weight_averaging
from training.train.family import load_recipe
from training.train.loaders import training_batches
from training.train.module import TrainingModule
from training.train.recipe import NetworkRecipe
from training.train.trainer import bf16_helps

ROUNDS = 3
STEPS = 10
"""Steps that are timed in a round, after two that are not."""

WARM_UP = 2

PIPELINE_EPOCHS = 4
"""Passes over the training images in which the data pipeline is timed."""


class StepClock(Callback):
    """Notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        self.ends.append(time.perf_counter())


def compare_training() -> list[Measurement]:
    """Compare images per second of the recipe's classifier at full image size on the CPU."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    recipe = load_recipe("icapuc_scratch").network(CLASSIFIER)
    recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"small_first": ()})})
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as folder:
        draw_data_set(Path(folder) / "data", 250, 0)
        data = load_metadata(Path(folder) / "data")
        cache = RadiographCache.open(Path(folder) / "cache")
        table = build_samples(data, cache, CLASSIFIER, "train")
        rounds = [
            (
                _hilum_rate(recipe, table, cache, folder),
                _bare_rate(recipe),
                _pipeline_rate(recipe, table, cache),
            )
            for _ in range(ROUNDS)
        ]
    return [
        Measurement(
            name="training_images_per_s",
            what="Hilum's loop, images/s",
            value=median(ours for ours, _, _ in rounds),
        ),
        Measurement(
            name="bare_loop_images_per_s",
            what="bare PyTorch loop, images/s",
            value=median(bare for _, bare, _ in rounds),
        ),
        Measurement(
            name="training_ratio",
            what="training throughput, Hilum / bare loop",
            value=median(ours / bare for ours, bare, _ in rounds),
            at_least=0.95,
        ),
        Measurement(
            name="pipeline_images_per_s",
            what="data pipeline alone, images/s",
            value=median(pipeline for _, _, pipeline in rounds),
        ),
        Measurement(
            name="pipeline_ratio",
            what="data pipeline / network, images/s",
            value=median(pipeline / bare for _, bare, pipeline in rounds),
            at_least=5,
        ),
    ]


def _hilum_rate(recipe: NetworkRecipe, table: SampleTable, cache: RadiographCache, folder: str) -> float:
    """Return images per second of Lightning's loop with everything that a recipe asks for."""
    network = RadiographNetwork(recipe.backbone, table.labels)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    loader = training_batches(recipe, table, cache, seed=0, on_gpu=False)
    clock, timer = StepClock(), Timer()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=WARM_UP + STEPS,
        precision="bf16-mixed" if bf16_helps("cpu") else "32-true",
        callbacks=[
            timer,
            BudgetSchedule(recipe, timer, None),
            weight_averaging(recipe.averaged_weights or 0.99),
            clock,
        ],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=folder,
    )
    trainer.fit(TrainingModule(network, recipe, table.class_counts()), loader)
    return STEPS * recipe.batch_size / (clock.ends[-1] - clock.ends[WARM_UP - 1])


def _pipeline_rate(recipe: NetworkRecipe, table: SampleTable, cache: RadiographCache) -> float:
    """Return images per second of reading, augmenting and batching, in one process as on a CPU."""
    batches = training_batches(recipe, table, cache, seed=0, on_gpu=False)
    start = time.perf_counter()
    shown = sum(len(targets) for _ in range(PIPELINE_EPOCHS) for _, targets, _ in batches)
    return shown / (time.perf_counter() - start)


def _bare_rate(recipe: NetworkRecipe) -> float:
    """Return images per second of forward, backward and step over one ready batch."""
    network = RadiographNetwork(recipe.backbone, ("a", "b", "c"))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.optimizer.learning_rate)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.loss.label_smoothing)
    size = recipe.backbone.radiograph_px
    images = torch.randint(0, 256, (recipe.batch_size, 1, size, size), dtype=torch.uint8)
    targets = torch.randint(0, 3, (recipe.batch_size,))
    network.train()
    start = 0.0
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16_helps("cpu")):
            value = loss(network(images).logits, targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return STEPS * recipe.batch_size / (time.perf_counter() - start)
