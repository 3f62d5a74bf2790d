"""Studies in a database: created once, joined by others, refused when they search for something else."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from hilum.errors import ServiceUnreachableError, UsageError
from training.train import optuna_study as module
from training.train.optuna_study import RECORD, StudyRecord, agreed_record, open_study, retry


def ignore(study: optuna.Study, trial: FrozenTrial) -> None:
    """Do nothing about a dead trial."""


def test_the_second_to_come_joins(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tuning.db'}"
    first, created = open_study(url, "study", ignore, maximize=True)
    assert created
    first.set_user_attr(RECORD, StudyRecord(job="job", run_id="run"))
    second, created = open_study(url, "study", ignore, maximize=True)
    assert not created
    assert agreed_record(second, "job") == {"job": "job", "run_id": "run"}
    with pytest.raises(UsageError, match="'study' was begun with another recipe"):
        agreed_record(second, "other job")


def test_a_study_whose_creator_died_at_once_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = open_study(f"sqlite:///{tmp_path / 'tuning.db'}", "study", ignore, maximize=False)
    monkeypatch.setattr(module, "CREATION_S", 0)
    assert agreed_record(study, "job") is None


class KilledError(Exception):
    """What ends a trial here."""


def die(trial: optuna.Trial) -> float:
    """Report one epoch, and end."""
    trial.suggest_float("rate", 0, 1)
    trial.report(0.5, 0)
    trial.set_user_attr("origin", trial.user_attrs.get("origin", trial.number))
    raise KilledError


def test_a_trial_that_was_cut_short_is_next_and_keeps_what_it_reported(tmp_path: Path) -> None:
    study, _ = open_study(f"sqlite:///{tmp_path / 'tuning.db'}", "study", ignore, maximize=False)
    study.optimize(die, n_trials=1, catch=(KilledError,))
    retry(study, study.trials[0])
    study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=1)
    first, again = study.trials
    assert again.state == TrialState.COMPLETE
    assert again.params == first.params
    assert again.user_attrs == {"origin": 0}
    assert again.intermediate_values == {0: 0.5}


def test_settings_that_kill_each_time_are_given_up(tmp_path: Path) -> None:
    study, _ = open_study(f"sqlite:///{tmp_path / 'tuning.db'}", "study", ignore, maximize=False)
    study.enqueue_trial({"rate": 0.25})
    while any(trial.state == TrialState.WAITING for trial in study.trials):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            study.optimize(die, n_trials=1, catch=(KilledError,))
        retry(study, study.trials[-1], module.MOST_RETRIES)
    assert [trial.params for trial in study.trials] == [{"rate": 0.25}] * (1 + module.MOST_RETRIES)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://host/name"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a database"):
        open_study(url, "study", ignore, maximize=True)


def test_a_database_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(ServiceUnreachableError, match="unable to open database file"):
        open_study(f"sqlite:///{tmp_path}/missing/tuning.db", "study", ignore, maximize=True)


def test_a_missing_driver_says_how_to_get_it() -> None:
    if find_spec("psycopg2"):
        pytest.skip("psycopg2 is installed here")
    with pytest.raises(UsageError, match="pip install psycopg2-binary"):
        open_study("postgresql+psycopg2://user:secret@127.0.0.1:9/name", "study", ignore, maximize=True)
