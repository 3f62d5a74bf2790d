"""Trains one network from a recipe, logs it to MLflow as it goes, and goes on after a kill."""

import json
import shutil
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from lightning.pytorch.callbacks import Callback

from hilum.console import stderr
from hilum.errors import UsageError
from hilum.files import sha256_bytes, write_atomic
from hilum.radiograph import DECODER_DIGEST
from training import artifacts, mlflow_server, tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import SampleTable, build_samples
from training.data.subset import SubsetConfig
from training.errors import DataSetError
from training.models.backbones import weights_digest
from training.models.network import RadiographNetwork
from training.train.batch_norm import share_batch_norm
from training.train.checkpoint import DESCRIPTION, check_resumable, load_network, save_network
from training.train.distributed import check_joined, from_rank_zero, rank_zero_first, world_size
from training.train.loaders import training_batches, validation_batches
from training.train.module import TrainingModule
from training.train.recipe import NetworkRecipe
from training.train.trainer import BEST, LAST, build_trainer

FIRST_STAGE = "first_stage"
"""Folder of the first stage's checkpoints, within the job's."""


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
        rest = (weights_digest(self.recipe.weights), self.seed, self.max_minutes, mlflow_server.address())
        return sha256_bytes(json.dumps([*parts, *rest]).encode())[:16]

    def stage_before(self) -> "TrainingJob | None":
        """Return the job of the recipe's first stage, or None."""
        recipe = self.recipe.stage_before()
        if recipe is None or self.recipe.first_stage is None:
            return None
        minutes = self.max_minutes and self.max_minutes * self.recipe.first_stage.minutes_share
        return replace(
            self, recipe=recipe, recipe_name=f"{self.recipe_name}: first stage", max_minutes=minutes
        )

    def own_minutes(self) -> float | None:
        """Return the minutes that remain after the first stage; None where they are not limited."""
        first = self.recipe.first_stage
        share = 1 - first.minutes_share if first else 1
        return self.max_minutes and self.max_minutes * share

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


@dataclass(frozen=True)
class _Start:
    """What rank zero finds out before a stage begins, and tells the other processes."""

    key: str
    """Of the job."""
    training: SampleTable
    validation: SampleTable
    run_id: str | None
    """The run to go on with; None opens one."""
    logged: frozenset[int]
    """Epochs that this run has logged."""


def train_network(
    job: TrainingJob, cache: RadiographCache, home: Path, watchers: Sequence[Callback] = ()
) -> TrainedModel:
    """Train the job's network, or go on with it, and log it to MLflow.

    Where the recipe has a first stage, that is trained before, as a child run, and lends its backbone.
    Processes that have joined (`training.train.distributed`) share the work, and all return the result.

    Args:
        job: what to train.
        cache: the decoded radiographs; what is missing is decoded.
        home: under which the checkpoints lie until the job is complete.
        watchers: Lightning callbacks of the caller's own, for the last stage.

    Raises:
        DataSetError: a class has no image in a split, or an image cannot be decoded.
        WeightsError: the recipe's weights cannot be had, or a checkpoint belongs to another job.
        DivergedError: a loss is no number any more.
        ServiceUnreachableError: MLflow is gone; what was trained is kept and goes on next time.
        KeyboardInterrupt: likewise.
    """
    check_joined()
    folder = from_rank_zero(lambda: job.folder(home))
    return _train_stage(job, cache, folder, watchers)


def _train_stage(
    job: TrainingJob, cache: RadiographCache, folder: Path, watchers: Sequence[Callback]
) -> TrainedModel:
    """Train one network in `folder`, or go on there; the stage before it in a folder within."""
    pl.seed_everything(job.seed, workers=True, verbose=False)
    start = from_rank_zero(lambda: _start(job, cache, folder))
    before = job.stage_before()
    weights = job.recipe.weights if before is None else "none"
    network = rank_zero_first(
        lambda: RadiographNetwork(
            job.recipe.backbone, start.training.labels, job.recipe.head, weights=weights
        )
    )
    with ExitStack() as open_run:
        run_id = from_rank_zero(lambda: open_run.enter_context(_logged_run(job, start, folder)))
        if before is not None:
            network.backbone.load_state_dict(_backbone_of(before, cache, folder / FIRST_STAGE))
        module = _fit(job, start, network, cache, folder, watchers)
        from_rank_zero(lambda: _keep_best(module, start, run_id, folder))
        return TrainedModel(run_id, load_network(folder / tracking.CHECKPOINT), start.validation)


def _start(job: TrainingJob, cache: RadiographCache, folder: Path) -> _Start:
    """Decode the samples, and find what there is to go on from.

    Raises:
        DataSetError: the data set, or its division, cannot train this network.
        WeightsError: the checkpoint to go on from belongs to another job.
    """
    training, validation = _samples(job, cache)
    run_file = folder / "run.json"
    run_id = json.loads(run_file.read_text())["run_id"] if run_file.exists() else None
    if run_id is not None and not tracking.run_exists(run_id):
        run_id = None
    if folder.exists() and run_id is None:
        shutil.rmtree(folder)  # the run was deleted: its checkpoints belong to nobody
    _check_possible(job, training, validation)
    if (folder / LAST).exists():
        check_resumable(folder / LAST, job.key())
    history = tracking.metric_history(run_id, ("val_loss",))["epoch"] if run_id else ()
    return _Start(job.key(), training, validation, run_id, frozenset(map(int, history)))


@contextmanager
def _logged_run(job: TrainingJob, start: _Start, folder: Path) -> Iterator[str]:
    """Open the stage's MLflow run, or go on with it, and log what it is made from."""
    tags = _tags(job) | tracking.environment_tags()
    with tracking.training_run(job.model, job.recipe_name, tags, start.run_id) as run_id:
        write_atomic(folder / "run.json", json.dumps({"run_id": run_id}).encode())
        if start.run_id is None:
            tracking.log_params(_parameters(job, start.training, start.validation))
        recipe = yaml.safe_dump(job.recipe.model_dump(mode="json"), sort_keys=False)
        artifacts.log_text(run_id, recipe, "recipe.yaml")
        yield run_id


def _samples(job: TrainingJob, cache: RadiographCache) -> tuple[SampleTable, SampleTable]:
    """Return the samples that train the network and those that choose its best epoch."""
    classes = job.recipe.classes
    training = build_samples(job.data, cache, job.model, "train", classes=classes, random_turns=True)
    return training, build_samples(job.data, cache, job.model, "val", classes=classes)


def _backbone_of(job: TrainingJob, cache: RadiographCache, folder: Path) -> dict[str, Any]:
    """Return the backbone's weights after a job that is a first stage, trained here or before."""
    described = folder / tracking.CHECKPOINT / DESCRIPTION  # written last
    if from_rank_zero(described.exists):
        return load_network(folder / tracking.CHECKPOINT).backbone.state_dict()
    stderr.print("First stage:")
    weights = _train_stage(job, cache, folder, ()).network.backbone.state_dict()
    stderr.print("Second stage:")
    return weights


def _tags(job: TrainingJob) -> dict[str, str]:
    """Return what the run says of itself."""
    tags = {
        tracking.MODEL_TAG: job.model,
        tracking.RECIPE_TAG: job.recipe_name,
        tracking.DATA_DIGEST_TAG: job.data.digest(),
        tracking.UNDIVIDED_DIGEST_TAG: job.data.undivided_digest(),
        tracking.DECODER_DIGEST_TAG: DECODER_DIGEST,
    }
    if job.recipe.classes is not None:
        tags[tracking.CLASSES_TAG] = json.dumps(job.recipe.classes)
    if job.recipe.subset != SubsetConfig():
        tags[tracking.SUBSET_TAG] = job.recipe.subset.model_dump_json()
    return tags


def _fit(
    job: TrainingJob,
    start: _Start,
    network: RadiographNetwork,
    cache: RadiographCache,
    folder: Path,
    watchers: Sequence[Callback],
) -> TrainingModule:
    """Run Lightning's loop in `folder` to its end, which leaves the best epoch's checkpoint there."""
    recipe = job.recipe
    trainer = build_trainer(
        recipe,
        folder,
        key=start.key,
        seed=job.seed,
        device=job.device,
        minutes=job.own_minutes(),
        logged=start.logged,
        watchers=watchers,
    )
    on_gpu = trainer.strategy.root_device.type == "cuda"
    batches = training_batches(recipe, start.training, cache, seed=job.seed, on_gpu=on_gpu)
    if world_size() > 1:
        share_batch_norm(network, on_gpu=on_gpu)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    module = TrainingModule(network, recipe, start.training.class_counts())
    last = folder / LAST if from_rank_zero((folder / LAST).exists) else None
    if last:
        stderr.print(f"Going on from {last}.")
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # Lightning's own: the folder holds the run's id, and its use of torch's pytrees
            warnings.filterwarnings("ignore", message="Checkpoint directory|.*LeafSpec")
            trainer.fit(
                module,
                batches,
                validation_batches(recipe, start.validation, cache, on_gpu=on_gpu),
                ckpt_path=last,
                weights_only=True,
            )
    except SystemExit as error:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGINT, handler)
    return module


def _keep_best(module: TrainingModule, start: _Start, run_id: str, folder: Path) -> None:
    """Save the network as it was after its best epoch, in `folder` and with its run."""
    check_resumable(folder / BEST, start.key)
    state = torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    save_network(module.network.cpu(), folder / tracking.CHECKPOINT)
    artifacts.log_artifacts(run_id, folder / tracking.CHECKPOINT, tracking.CHECKPOINT)


def _check_possible(job: TrainingJob, training: SampleTable, validation: SampleTable) -> None:
    """Refuse a job that could not make one step, before its run is opened."""
    n = sum(training.repeated(job.recipe.repeats).class_counts())
    if n < job.recipe.batch_size:
        raise DataSetError(
            f"{job.data.folder} has {n} training images for {job.model}, fewer than one batch of "
            f"{job.recipe.batch_size}. Add images, or lower batch_size in the recipe."
        )
    if job.recipe.batch_size % (job.recipe.accumulate * world_size()):
        raise UsageError(
            f"batch_size {job.recipe.batch_size} in {job.recipe.accumulate} parts cannot be shared by "
            f"{world_size()} processes evenly. Start as many as divide it, or change batch_size."
        )
    if len(validation.frame) < world_size():
        raise DataSetError(
            f"{job.data.folder} has {len(validation.frame)} validation images for {job.model}, fewer than "
            f"the {world_size()} processes. Start fewer of them."
        )
    if job.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no GPU here. Give --device cpu, or auto.")


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
