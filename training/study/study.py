"""What a study is: a recipe, a data set, and how often and on which parts of it the recipe is trained.

A study's runs live in an MLflow experiment of their own: one parent run, and as its children one training run
for each fold and repeat. `hilum evaluate` and `hilum export` take the newest run of the experiments
`xray_filter` and `xray_classifier`, so that a fold's network is never served by accident; `--run ID` still
takes one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.contract import FILTER, LABELS
from hilum.files import sha256_bytes
from hilum.radiograph import DECODER_DIGEST
from training import mlflow_server
from training.data.metadata import SPLITS, DataSet
from training.data.samples import FILTER_LABELS
from training.data.splits import fold_split, holdout_split
from training.errors import RecipeError
from training.models.backbones import weights_digest
from training.train.loop import TrainingJob
from training.train.protocol import ProtocolConfig
from training.train.recipe import NetworkRecipe

EXPERIMENT = "study"
"""The MLflow experiment of all studies."""

STUDY_TAG = "hilum.study"
"""Key of the study, on its run; those of its networks are that one's children."""


@dataclass(frozen=True, slots=True)
class Division:
    """One network's place in a study."""

    repeat: int
    """From 1."""
    fold: int
    """From 1; 1 in a hold-out."""

    @property
    def stem(self) -> str:
        """What its files are named after."""
        return f"repeat{self.repeat:03}-fold{self.fold:03}"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything that shapes a study; the same study goes on where it was cut short."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    recipe_name: str
    """Name of the recipe that `recipe` was resolved from."""
    recipe: NetworkRecipe
    """The recipe in force, command-line options included."""
    protocol: ProtocolConfig
    """How the data are divided, and how often; command-line options included."""
    data: DataSet
    """The images that take part."""
    seed: int
    """Seeds division, weights, order and augmentation of the first repeat; the next has the next seed."""
    max_minutes: float | None
    """Minutes of training of each network; None leaves it to the recipe's epochs."""
    device: str
    """Lightning's accelerator: `auto`, `cpu` or `cuda`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of a network's outputs."""
        return class_names(self.model, self.recipe)

    @property
    def title(self) -> str:
        """Name of its run."""
        return f"{self.recipe_name} {self.model.removeprefix('xray_')}: {described(self.protocol)}"

    def key(self) -> str:
        """Return a digest of all that shapes the result."""
        parts = (self.model, self.recipe.model_dump(mode="json"), self.protocol.model_dump(mode="json"))
        rest = (self.data.digest(), DECODER_DIGEST, weights_digest(self.recipe.weights), self.seed)
        where = (self.max_minutes, mlflow_server.address())
        return sha256_bytes(json.dumps([*parts, *rest, *where]).encode())[:16]

    def folder(self, home: Path) -> Path:
        """Return the folder of its records and checkpoints; it exists only until the study is complete."""
        return home / "training" / f"study-{self.key()}"

    def divisions(self) -> Iterator[Division]:
        """Yield every network's place, in the order of training."""
        folds = self.protocol.folds if self.protocol.name == "crossval" else 1
        for repeat in range(1, self.protocol.repeats + 1):
            for fold in range(1, folds + 1):
                yield Division(repeat, fold)

    def name_of(self, division: Division) -> str:
        """Return what a network is called: `repeat 2 of 50`, `fold 3 of 10`, or both."""
        protocol = self.protocol
        names = []
        if protocol.repeats > 1 or protocol.name == "holdout":
            names.append(f"repeat {division.repeat} of {protocol.repeats}")
        if protocol.name == "crossval":
            names.append(f"fold {division.fold} of {protocol.folds}")
        return ", ".join(names)

    def job(self, division: Division) -> TrainingJob:
        """Return the training job of one network, the data divided for it.

        Raises:
            DataSetError: the data cannot be divided so, or a class has no image for training or validation.
        """
        seed = (self.seed + division.repeat - 1) % 2**32
        job = TrainingJob(
            model=self.model,
            recipe_name=self.recipe_name,
            recipe=self.recipe,
            data=self._divided(division, seed),
            seed=seed,
            max_minutes=self.max_minutes,
            device=self.device,
        )
        for split in SPLITS:
            _check_rows(job, split)
        return job

    def _divided(self, division: Division, seed: int) -> DataSet:
        protocol = self.protocol
        if protocol.name == "crossval":
            share = protocol.validation_share
            return fold_split(self.data, protocol.folds, division.fold - 1, share, seed)
        return self.data if protocol.shares is None else holdout_split(self.data, protocol.shares, seed)


def _check_rows(job: TrainingJob, split: str) -> None:
    """Refuse a split without images for the job's network, and one for training that lacks a class."""
    if job.model == FILTER:
        job.data.filter_rows(split)
    else:
        job.data.classifier_rows(split, job.recipe.classes)


def class_names(model: str, recipe: NetworkRecipe) -> tuple[str, ...]:
    """Return the names of a network's classes, in the order of its outputs."""
    return FILTER_LABELS if model == FILTER else tuple(recipe.classes or LABELS)


def described(protocol: ProtocolConfig) -> str:
    """Return a protocol in a few words."""
    if protocol.name == "crossval":
        text = f"{protocol.folds} folds by patient"
    elif protocol.shares is not None:
        text = f"hold-out {' / '.join(f'{share:g}' for share in protocol.shares)} by patient"
    else:
        text = "the data set's own split"
    return text if protocol.repeats == 1 else f"{text}, {protocol.repeats} times"


def with_options(protocol: ProtocolConfig, **options: Any) -> ProtocolConfig:
    """Return a protocol with the given options in place of its own; None keeps its own.

    Raises:
        RecipeError: a value is not allowed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return ProtocolConfig.model_validate(protocol.model_dump() | given)
    except ValueError as error:
        raise RecipeError(f"The protocol cannot be changed so: {error}") from error
