"""Lightning's trainer as a recipe asks for it: budget, checkpoints, logging, and the processes it runs on."""

import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar, Timer
from lightning.pytorch.strategies import DDPStrategy

from hilum.console import stderr
from training import tracking
from training.train.callbacks import BudgetSchedule, EpochLog, EpochSeed, weight_averaging
from training.train.checkpoint import WholeCheckpoints
from training.train.distributed import machines, world_size
from training.train.interruption import SigtermInterrupts
from training.train.recipe import NetworkRecipe

LAST, BEST = "last.ckpt", "best.ckpt"


def build_trainer(
    recipe: NetworkRecipe,
    folder: Path,
    *,
    key: str,
    seed: int,
    device: str,
    minutes: float | None,
    logged: Collection[int],
    watchers: Sequence[Callback],
) -> pl.Trainer:
    """Return the trainer of one stage, alone or as one of the processes that torchrun started.

    Args:
        recipe: budget, schedule and what else shapes the loop.
        folder: of the checkpoints.
        key: of the job that the checkpoints belong to.
        seed: of what is drawn inside the network.
        device: Lightning's accelerator: `auto`, `cpu` or `cuda`.
        minutes: of training, where they are limited.
        logged: epochs that the run has in MLflow already.
        watchers: callbacks of the caller's own.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    timer = Timer(timedelta(minutes=minutes) if minutes else None, verbose=False)
    callbacks: list[Callback] = [
        timer,
        BudgetSchedule(recipe, timer, minutes),
        EpochSeed(seed),
        SigtermInterrupts(),
        EpochLog(tracking.log_metrics, logged),
        *watchers,
        _checkpoints(
            folder, BEST, monitor=recipe.select_by, mode="max" if recipe.select_by == "val_auroc" else "min"
        ),
        # of its own: `save_last` would save only those epochs that are better than all before
        _checkpoints(folder, LAST),
    ]
    if recipe.averaged_weights is not None:
        callbacks.append(weight_averaging(recipe.averaged_weights))
    if recipe.budget.patience is not None:
        callbacks.append(EarlyStopping("val_loss", patience=recipe.budget.patience))
    if stderr.is_terminal:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    nodes = machines()
    return pl.Trainer(
        accelerator=device,
        devices=world_size() // nodes,
        num_nodes=nodes,
        # buffers need no broadcast in each step: batch normalisation has the same statistics everywhere
        strategy=DDPStrategy(forward_sync_buffers=False) if world_size() > 1 else "auto",
        use_distributed_sampler=False,  # `loaders` divides the samples
        max_epochs=recipe.budget.epochs,
        accumulate_grad_batches=recipe.accumulate,
        precision="bf16-mixed" if recipe.precision == "auto" and bf16_helps(device) else "32-true",
        callbacks=callbacks,
        plugins=[WholeCheckpoints(key)],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=stderr.is_terminal,
        default_root_dir=folder,
    )


def _checkpoints(folder: Path, name: str, **options: Any) -> ModelCheckpoint:
    """Return what saves one file in `folder`, after the epoch is logged: a resumed run has no hole."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=Path(name).stem,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        **options,
    )


def bf16_helps(device: str) -> bool:
    """Answer whether the device multiplies bfloat16 in hardware; elsewhere it would only be slower."""
    if device != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
