"""Trains one network from a recipe, logs it to MLflow as it goes, and goes on after a kill."""

import json
import logging
import shutil
import signal
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
    Timer,
)
from torch.utils.data import DataLoader

from hilum.console import stderr
from hilum.errors import UsageError
from hilum.files import sha256_bytes, write_atomic
from hilum.radiograph import DECODER_DIGEST
from training import tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import RadiographSamples, SampleTable, build_samples
from training.errors import DataSetError
from training.models.network import RadiographNetwork
from training.train.augmentation import build_augmentation
from training.train.callbacks import BudgetSchedule, EpochLog, weight_averaging
from training.train.checkpoint import WholeCheckpoints, load_network, save_network
from training.train.module import TrainingModule
from training.train.recipe import NetworkRecipe

LAST, BEST = "last.ckpt", "best.ckpt"


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """Everything that shapes a training run; the same job goes on where it was cut short."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    recipe_name: str
    """Name of the recipe that `recipe` was resolved from."""
    recipe: NetworkRecipe
    """The recipe in force, command-line options included."""
    data: DataSet
    """Where the images come from."""
    seed: int
    """Seeds weights, order and augmentation."""
    max_minutes: float | None
    """Minutes of training after which it ends; None leaves it to the recipe's epochs."""
    device: str
    """Lightning's accelerator: `auto`, `cpu` or `cuda`."""

    def key(self) -> str:
        """Return a digest of all that shapes the result: it names the folder to go on from."""
        parts = (self.model, self.recipe.model_dump(mode="json"), self.data.digest(), DECODER_DIGEST)
        rest = (self.seed, self.max_minutes, tracking.address())
        return sha256_bytes(json.dumps([*parts, *rest]).encode())[:16]

    def folder(self, home: Path) -> Path:
        """Return the folder of this job's checkpoints; it exists only until the job is complete."""
        return home / "training" / f"{self.model}-{self.key()}"


@dataclass(frozen=True)
class TrainedModel:
    """A finished training run."""

    run_id: str
    """Its MLflow run."""
    network: RadiographNetwork
    """The best epoch's weights, on the CPU, in evaluation mode."""
    validation: SampleTable
    """The samples that chose that epoch."""


def train_network(job: TrainingJob, cache: RadiographCache, home: Path) -> TrainedModel:
    """Train the job's network, or go on with it, and log it to MLflow.

    Raises:
        DataSetError: a class has no image in a split, or an image cannot be decoded.
        WeightsError: the recipe's weights cannot be had.
        ServiceUnreachableError: MLflow is gone; what was trained is kept and goes on next time.
        KeyboardInterrupt: likewise.
    """
    pl.seed_everything(job.seed, workers=True, verbose=False)
    training = build_samples(job.data, cache, job.model, "train", random_turns=True)
    validation = build_samples(job.data, cache, job.model, "val")
    folder = job.folder(home)
    run_file = folder / "run.json"
    run_id = json.loads(run_file.read_text())["run_id"] if run_file.exists() else None
    resumed = run_id is not None and tracking.run_exists(run_id)
    if folder.exists() and not resumed:
        shutil.rmtree(folder)  # the run was deleted: its checkpoints belong to nobody
    _check_possible(job, training)
    network = RadiographNetwork(job.recipe.backbone, training.labels, weights=job.recipe.weights)
    tags = {
        tracking.MODEL_TAG: job.model,
        tracking.RECIPE_TAG: job.recipe_name,
        tracking.DATA_DIGEST_TAG: job.data.digest(),
        tracking.DECODER_DIGEST_TAG: DECODER_DIGEST,
    }
    with tracking.training_run(
        job.model, job.recipe_name, tags | tracking.environment_tags(), run_id if resumed else None
    ) as run_id:
        write_atomic(run_file, json.dumps({"run_id": run_id}).encode())
        if not resumed:
            tracking.log_params(_parameters(job, training, validation))
        tracking.log_text(
            run_id, yaml.safe_dump(job.recipe.model_dump(mode="json"), sort_keys=False), "recipe.yaml"
        )
        _fit(job, network, training, validation, cache, folder)
        save_network(network, folder / tracking.CHECKPOINT)
        tracking.log_artifacts(run_id, folder / tracking.CHECKPOINT, tracking.CHECKPOINT)
        return TrainedModel(run_id, load_network(folder / tracking.CHECKPOINT), validation)


def _fit(
    job: TrainingJob,
    network: RadiographNetwork,
    training: SampleTable,
    validation: SampleTable,
    cache: RadiographCache,
    folder: Path,
) -> None:
    """Run Lightning's loop in `folder` and leave the best epoch's weights in `network`."""
    recipe = job.recipe
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    module = TrainingModule(network, recipe, training.class_counts())
    trainer = _trainer(job, folder)
    on_gpu = trainer.strategy.root_device.type == "cuda"
    workers = 8 if on_gpu else 0  # on a CPU the network needs every core; augmentation is 1 % of its work
    options: dict[str, Any] = {"num_workers": workers, "persistent_workers": on_gpu, "pin_memory": on_gpu}
    shown = RadiographSamples(
        training.repeated(recipe.repeats),
        cache,
        build_augmentation(recipe.augmentation, recipe.backbone.image_size_px),
    )
    last = folder / LAST
    if last.exists():
        stderr.print(f"Going on from {last}.")
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # Lightning's own: the folder holds the run's id, and its use of torch's pytrees
            warnings.filterwarnings("ignore", message="Checkpoint directory|.*LeafSpec")
            trainer.fit(
                module,
                DataLoader(shown, recipe.batch_size, shuffle=True, drop_last=True, **options),
                DataLoader(RadiographSamples(validation, cache), recipe.batch_size * 2, **options),
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
    except SystemExit as error:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGINT, handler)
    state = torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    network.cpu().eval()


def _trainer(job: TrainingJob, folder: Path) -> pl.Trainer:
    """Return Lightning's trainer with the recipe's budget, checkpoints and logging."""
    recipe = job.recipe
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    timer = Timer(timedelta(minutes=job.max_minutes) if job.max_minutes else None, verbose=False)
    callbacks: list[Callback] = [
        timer,
        BudgetSchedule(recipe, timer, job.max_minutes),
        EpochLog(tracking.log_metrics),
        ModelCheckpoint(
            dirpath=folder,
            filename=Path(BEST).stem,
            monitor=recipe.select_by,
            mode="max" if recipe.select_by == "val_auroc" else "min",
            save_last=True,
            save_on_train_epoch_end=True,  # after the epoch is logged, so that no resumed run has a hole
            enable_version_counter=False,
        ),
    ]
    if recipe.averaged_weights is not None:
        callbacks.append(weight_averaging(recipe.averaged_weights))
    if recipe.budget.patience is not None:
        callbacks.append(EarlyStopping("val_loss", patience=recipe.budget.patience))
    if stderr.is_terminal:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    return pl.Trainer(
        accelerator=job.device,
        devices=1,
        max_epochs=recipe.budget.epochs,
        precision="bf16-mixed" if bf16_helps(job.device) else "32-true",
        callbacks=callbacks,
        plugins=[WholeCheckpoints()],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=stderr.is_terminal,
        default_root_dir=folder,
    )


def _check_possible(job: TrainingJob, training: SampleTable) -> None:
    """Refuse a job that could not make one step, before its run is opened."""
    n = sum(training.repeated(job.recipe.repeats).class_counts())
    if n < job.recipe.batch_size:
        raise DataSetError(
            f"{job.data.folder} has {n} training images for {job.model}, fewer than one batch of "
            f"{job.recipe.batch_size}. Add images, or lower batch_size in the recipe."
        )
    if job.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no GPU here. Give --device cpu, or auto.")


def bf16_helps(device: str) -> bool:
    """Answer whether the device multiplies bfloat16 in hardware; elsewhere it would only be slower."""
    if device != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _parameters(job: TrainingJob, training: SampleTable, validation: SampleTable) -> dict[str, Any]:
    """Return the run's parameters for MLflow: the recipe flattened, seed, budget and counts."""
    parameters: dict[str, Any] = {
        "recipe": job.recipe_name,
        "seed": job.seed,
        "max_minutes": job.max_minutes,
        "device": job.device,
    }
    for section, value in job.recipe.model_dump(mode="json").items():
        if isinstance(value, dict):
            parameters |= {f"{section}.{key}": entry for key, entry in value.items()}
        else:
            parameters[section] = value
    for split, table in (("train", training), ("val", validation)):
        for label, count in zip(table.labels, table.class_counts(), strict=True):
            parameters[f"n_{split}.{label}"] = count
    return parameters
