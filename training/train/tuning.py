"""Searches for better settings of a network: each trial trains it with others, as a child run in MLflow."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import optuna
from lightning.pytorch.callbacks import Callback
from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState
from typing_extensions import override

from hilum.errors import HilumError, UsageError
from hilum.files import safe_name, sha256_bytes
from hilum.radiograph import DECODER_DIGEST
from training import mlflow_server, tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.errors import DivergedError, RecipeError, StoppedError
from training.train.distributed import check_joined
from training.train.loop import TrainingJob, train_network
from training.train.optuna_study import (
    MOST_RETRIES,
    RECORD,
    StudyRecord,
    agreed_record,
    open_study,
    retry,
    storage_errors,
)
from training.train.recipe import NetworkRecipe
from training.train.search_space import Choices, Setting

STUDY_TAG = "hilum.study"
TRIAL_TAG = "hilum.trial"
TRIAL_STATE_TAG = "hilum.trial_state"
"""What the run of a study, and of a trial, say of themselves."""

RUN, ORIGIN, REASON = "run_id", "origin", "reason"
"""Attributes of a trial: its MLflow run, the trial whose settings it tries again, and why it has no value."""


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """What is searched for, and how long."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    recipe_name: str
    """Name of the recipe."""
    recipe: NetworkRecipe
    """The recipe that the trials change, without its search space."""
    space: Mapping[str, Any]
    """The search space: `NumberRange` or `Choices` by dotted key."""
    data: DataSet
    """Where the images come from."""
    seed: int
    """Seeds every trial's weights, order and augmentation."""
    device: str
    """Lightning's accelerator: `auto`, `cpu` or `cuda`."""
    trials: int
    """How many trials the study is to have in all, those of other processes included."""
    max_minutes: float | None
    """After so many, a trial ends with its epoch and no other begins."""

    def digest(self) -> str:
        """Return a digest of all that the trials of one study share."""
        space = {key: entry.model_dump(mode="json") for key, entry in self.space.items()}
        parts = (self.model, self.recipe.model_dump(mode="json"), space, self.data.digest(), DECODER_DIGEST)
        return sha256_bytes(json.dumps([*parts, self.seed]).encode())[:16]

    def study_name(self) -> str:
        """Return the name of the study where none is given: the same command joins it."""
        return f"{self.recipe_name}-{self.model.removeprefix('xray_')}-{self.digest()[:8]}"


@dataclass(frozen=True)
class TuningResult:
    """What a study found."""

    study: str
    """Its name."""
    run_id: str
    """Its MLflow run."""
    trials: tuple[dict[str, Any], ...]
    """All its trials, as `describe` gives them."""
    best: dict[str, Any]
    """The best of them."""
    recipe: NetworkRecipe
    """The recipe with the best trial's settings."""


def tune(
    job: TuningJob,
    cache: RadiographCache,
    home: Path,
    *,
    storage: str,
    study_name: str | None,
    on_trial: Callable[[dict[str, Any]], None],
) -> TuningResult:
    """Run trials until the study has enough of them, or time is up.

    Trials that were killed, here or elsewhere, are tried again: from their last epoch, where their
    checkpoint lies under this `home`.

    Args:
        job: what is searched for.
        cache: the decoded radiographs.
        home: under which checkpoints of trials lie while they run.
        storage: address of the database that holds the study.
        study_name: of the study to begin or to join; None derives it from the job.
        on_trial: told of each trial that this process has finished.

    Raises:
        UsageError: the study searches for something else, or logs to another MLflow server.
        ServiceUnreachableError: the database or MLflow is gone; finished trials are kept.
        HilumError: no trial came to its end.
    """
    check_joined()
    name = study_name or job.study_name()
    maximize = job.recipe.select_by == "val_auroc"
    with storage_errors(storage):
        study, created = open_study(storage, name, _fail_and_retry, maximize=maximize)
        record = None if created else agreed_record(study, job.digest())
        if record is not None and not tracking.run_exists(record["run_id"]):
            raise UsageError(
                f"The study {name!r} logs to the run {record['run_id']}, which MLflow at "
                f"{mlflow_server.address()} does not have. Set HILUM_MLFLOW_URI to the server of the study, "
                "or give another --study."
            )
        tags = {tracking.MODEL_TAG: job.model, tracking.RECIPE_TAG: job.recipe_name, STUDY_TAG: name}
        run = record["run_id"] if record else None
        with tracking.training_run(job.model, f"tune {name}", tags, run) as run_id:
            if record is None:
                study.set_user_attr(RECORD, StudyRecord(job=job.digest(), run_id=run_id))
            _Search(job, study, cache, home / "tuning" / safe_name(name), on_trial).run()
            return _result(job, study, run_id)


def describe(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial as one flat record: its number, state, value, settings, run, and why it has no value."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "settings": trial.params,
        "run_id": trial.user_attrs.get(RUN),
        "reason": trial.user_attrs.get(REASON),
    }


class _PrunedError(StoppedError):
    """A trial is worse than the median of those before it."""


class _TimeUpError(StoppedError):
    """The minutes are used up."""


class _Watcher(Callback):
    """Reports each epoch of a trial to its study, and ends it where it is not worth its time."""

    def __init__(self, trial: Trial, monitor: str, deadline: float) -> None:
        self._trial = trial
        self._monitor = monitor
        self._deadline = deadline

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the run; end the trial where time is up: the epoch before has its checkpoint."""
        self._trial.set_user_attr(RUN, tracking.open_run_id())
        if time.monotonic() > self._deadline:
            raise _TimeUpError("The minutes of the search are used up.")

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the metric that chooses the epoch; end the trial where the pruner says so."""
        frozen = self._trial.study.get_trials(deepcopy=False)[self._trial.number]
        if trainer.current_epoch not in frozen.intermediate_values:  # else reported before a kill
            self._trial.report(float(trainer.callback_metrics[self._monitor]), trainer.current_epoch)
        if self._trial.should_prune():
            raise _PrunedError(f"Trial {self._trial.number} is worse than the median.")


@dataclass(frozen=True)
class _Search:
    """The trials of one process."""

    job: TuningJob
    study: optuna.Study
    cache: RadiographCache
    folder: Path
    """Of the trials' checkpoints."""
    on_trial: Callable[[dict[str, Any]], None]

    def run(self) -> None:
        """Run trials until there are enough, or time is up."""
        minutes = self.job.max_minutes
        deadline = time.monotonic() + minutes * 60 if minutes else float("inf")
        try:
            while self._finished() < self.job.trials and time.monotonic() < deadline:
                self.study.optimize(
                    lambda trial: self._train(trial, deadline),
                    n_trials=1,
                    catch=(DivergedError, RecipeError),
                    callbacks=[lambda _, trial: self.on_trial(describe(trial))],
                )
        except _TimeUpError:
            pass
        with suppress(OSError):  # some other trial's, or one that is to go on
            self.folder.rmdir()

    def _finished(self) -> int:
        """Return how many trials came to an end of their own: those that were cut short are tried again."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return sum(trial.state in ended or REASON in trial.user_attrs for trial in self.study.trials)

    def _train(self, trial: Trial, deadline: float) -> float:
        """Train the network with a trial's settings and return its best value over the epochs."""
        settings = {key: suggested(trial, key, entry) for key, entry in self.job.space.items()}
        origin = trial.user_attrs.get(ORIGIN, trial.number)
        trial.set_user_attr(ORIGIN, origin)
        home = self.folder / str(origin)
        monitor = self.job.recipe.select_by
        try:
            trained = train_network(
                self._training(trial, settings), self.cache, home, [_Watcher(trial, monitor, deadline)]
            )
        except (KeyboardInterrupt, _TimeUpError):
            retry(self.study, self.study.trials[trial.number])
            raise
        except _PrunedError as error:
            self._close(trial, "pruned", home)
            raise optuna.TrialPruned(str(error)) from error
        except (DivergedError, RecipeError) as error:
            trial.set_user_attr(REASON, str(error))
            self._close(trial, "failed", home)
            raise
        self._close(trial, "complete", home)
        values = tracking.metric_history(trained.run_id, (monitor,))[monitor]
        return float(values.max() if monitor == "val_auroc" else values.min())

    def _training(self, trial: Trial, settings: Mapping[str, Setting]) -> TrainingJob:
        job = self.job
        try:
            recipe = job.recipe.with_settings(settings)
        except ValueError as error:
            raise RecipeError(str(error)) from error
        return TrainingJob(
            model=job.model,
            recipe_name=f"{job.recipe_name}: trial {trial.number}",
            recipe=recipe,
            data=job.data,
            seed=job.seed,
            max_minutes=None,
            device=job.device,
        )

    def _close(self, trial: Trial, state: str, home: Path) -> None:
        """Mark a trial's run, and delete its checkpoints: nothing goes on from them."""
        if RUN in trial.user_attrs:
            tags = {TRIAL_TAG: str(trial.number), TRIAL_STATE_TAG: state}
            tracking.set_tags(trial.user_attrs[RUN], tags | {STUDY_TAG: self.study.study_name})
        shutil.rmtree(home, ignore_errors=True)


def suggested(trial: BaseTrial, key: str, entry: Any) -> Setting:
    """Return the value that a trial tries under a key of the search space."""
    if isinstance(entry, Choices):
        value: Setting = trial.suggest_categorical(key, entry.choices)
        return value
    return trial.suggest_float(key, entry.low, entry.high, log=entry.log)


def _fail_and_retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Mark the run of a trial whose process died, and try its settings again."""
    if RUN in trial.user_attrs:
        tracking.mark_failed(trial.user_attrs[RUN])
    retry(study, trial, MOST_RETRIES)


def _result(job: TuningJob, study: optuna.Study, run_id: str) -> TuningResult:
    """Return what the study found so far, its best also logged to its run.

    Raises:
        HilumError: nothing.
    """
    trials = study.trials
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        raise HilumError(
            f"None of the {len(trials)} trials of {study.study_name!r} came to its end. Give it more "
            "minutes, or narrow the recipe's `tune` section; the runs in MLflow say what became of each."
        )
    best = study.best_trial
    tracking.log_metric(run_id, f"best_{job.recipe.select_by}", float(best.values[0]))
    return TuningResult(
        study.study_name,
        run_id,
        tuple(map(describe, trials)),
        describe(best),
        job.recipe.with_settings(best.params),
    )
