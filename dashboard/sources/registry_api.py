"""MLflow's registry: which releases there are, and which one each alias promises."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import SourceError, SourceLyingError, SourceUnreachableError
from dashboard.sources.patience import waiting_once
from hilum.contract import SCREENING
from hilum.errors import HilumError, ServiceUnreachableError
from hilum.settings import settings

if TYPE_CHECKING:
    from training.registry import Registry

SOURCE = "MLflow"

# A page waits seconds, not minutes: MLflow's own patience is for training runs.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "4")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """What the aliases say."""

    aliases: Mapping[str, int]
    """Release number by alias."""
    at: float
    """When it was read, in seconds since 1970."""


@st.cache_data(ttl=10, show_spinner=False)
def promised() -> Promised:
    """Return the release behind each alias.

    Raises:
        SourceError: MLflow does not answer in time, or not as MLflow does.
    """
    with source_errors():
        return Promised(aliases=connected().aliases(SCREENING), at=time.time())


def connected() -> "Registry":
    """Return the registry; MLflow itself is imported when a page first needs it.

    Raises:
        ServiceUnreachableError: MLflow does not answer.
    """
    from training.registry import Registry

    return Registry(settings().mlflow_address)


@contextmanager
def source_errors() -> Iterator[None]:
    """Turn what the registry and MLflow raise into this dashboard's errors."""
    address = settings().mlflow_address
    with waiting_once(SOURCE, address):
        try:
            yield
        except SourceError:
            raise
        except ServiceUnreachableError as error:
            raise SourceUnreachableError(SOURCE, address, type(error).__name__) from error
        except HilumError as error:
            raise SourceLyingError(SOURCE, address, str(error)) from error
