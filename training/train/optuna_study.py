"""Where the trials of a search are kept: an Optuna study in a database that several machines may share."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from hilum.errors import HilumError, ServiceUnreachableError, UsageError

HEARTBEAT_S = 10
"""Between two signs of life of a running trial."""

GRACE_S = 60
"""Without a sign of life for so long, a trial is taken for dead: whoever begins the next one says so."""

MOST_RETRIES = 3
"""How often settings are tried again that may be what kills their process."""

ATTEMPTS = 3
"""To open a database, which several machines may be preparing at this moment."""

UNPRUNED_TRIALS = 4
"""Trials that run to their end before any is compared with their median."""

UNPRUNED_EPOCHS = 1
"""Epochs of a trial that are never compared."""

RECORD = "hilum"
"""Attribute of a study that holds its `StudyRecord`."""

CREATION_S = 30
"""How long to wait for the machine that created a study to write its record."""


class StudyRecord(TypedDict):
    """What every machine that joins a study must agree on."""

    job: str
    """Digest of recipe, data and all else that the trials share."""
    run_id: str
    """The MLflow run whose children the trials are."""


def retry(study: optuna.Study, trial: FrozenTrial, most: int | None = None) -> None:
    """Put the settings of a trial that was cut short first in the queue, with what it reported.

    Settings that have been tried again `most` times already are given up.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        again = RetryHeartbeatStaleTrialCallback(most, inherit_intermediate_values=True)
    again(study, trial)


def open_study(
    url: str, name: str, on_stale: Callable[[optuna.Study, FrozenTrial], None], *, maximize: bool
) -> tuple[optuna.Study, bool]:
    """Create a study, or join it where it exists; answer also whether it was created.

    Args:
        url: of the database, as SQLAlchemy writes it.
        name: of the study.
        on_stale: called for each trial whose process died, once it is marked failed.
        maximize: search for the largest value, not the smallest.

    Raises:
        UsageError: the address is none, or its database driver is not installed.
        ServiceUnreachableError: the database does not answer.
    """
    storage = _open_storage(url, on_stale)
    settings: dict[str, Any] = {
        "storage": storage,
        "study_name": name,
        "sampler": TPESampler(),  # unseeded: two machines with one seed would try the same settings
        "pruner": MedianPruner(UNPRUNED_TRIALS, UNPRUNED_EPOCHS),
    }
    try:
        return optuna.create_study(direction="maximize" if maximize else "minimize", **settings), True
    except DuplicatedStudyError:
        return optuna.load_study(**settings), False


def agreed_record(study: optuna.Study, job: str) -> StudyRecord | None:
    """Return the record of a study that another process created; None where it died before it wrote it.

    Raises:
        UsageError: the study searches for something else.
    """
    deadline = time.monotonic() + CREATION_S
    while RECORD not in study.user_attrs:
        if time.monotonic() > deadline:
            return None
        time.sleep(0.2)
    record: StudyRecord = study.user_attrs[RECORD]
    if record["job"] != job:
        raise UsageError(
            f"The study {study.study_name!r} was begun with another recipe, data set, seed or --epochs. "
            "Give the same again to go on with it, or another --study to begin one."
        )
    return record


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn a lost database into `ServiceUnreachableError`."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise _unreachable(url, error) from error


def _open_storage(url: str, on_stale: Callable[[optuna.Study, FrozenTrial], None]) -> RDBStorage:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise _no_address(url) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    patient = {"connect_args": {"timeout": 60}} if address.get_backend_name() == "sqlite" else {}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RDBStorage(
                    url,
                    engine_kwargs={"pool_pre_ping": True, **patient},
                    heartbeat_interval=HEARTBEAT_S,
                    grace_period=GRACE_S,
                    heartbeat_stale_trial_callback=on_stale,
                )
        except NoSuchModuleError as error:
            raise _no_address(url) from error
        except ImportError as error:
            raise UsageError(
                f"--storage: the driver of {address.drivername} is not installed "
                f"({error.__cause__ or error}). Install it, for PostgreSQL with: "
                "pip install psycopg2-binary, and write the address as "
                "postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE."
            ) from error
        except DBAPIError as error:
            if attempt == ATTEMPTS:
                raise _unreachable(url, error) from error
            time.sleep(1)
    raise AssertionError("the loop returns or raises")


def _no_address(url: str) -> UsageError:
    return UsageError(
        f"--storage {url!r} is no address of a database. Write sqlite:///FILE, or "
        "postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE for several machines."
    )


def _unreachable(url: str, error: Exception) -> HilumError:
    hidden = make_url(url).render_as_string(hide_password=True)
    cause = str(getattr(error, "orig", None) or error.__cause__ or error).splitlines()[0]
    remedy = f"It says: {cause}. Finished trials are kept; run the same command again once it answers."
    return ServiceUnreachableError("The study's database", hidden, remedy)
