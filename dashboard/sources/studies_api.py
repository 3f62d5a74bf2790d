"""Studies: a recipe trained once for each fold and repeat, as `hilum crossval` and `hilum paper` do."""

from typing import TYPE_CHECKING

import streamlit as st
from pydantic import BaseModel, ConfigDict

from dashboard.estimates import StoredEstimate
from dashboard.sources.records import checked, parsed
from dashboard.sources.registry_api import connected, source_errors

if TYPE_CHECKING:
    from training.tracking import CompleteRun

STUDIES = "study"
"""`training.study.study.EXPERIMENT`, whose module needs torch; a test compares the two."""

STUDY_TAG = "hilum.study"
"""Likewise."""

FILE = "study/result.json"

MAX_STUDIES = 50
"""Studies that a reader can choose from: the newest."""


class Spread(BaseModel):
    """How one number differs among networks."""

    mean: float | None
    sd: float | None
    """With n - 1; None with fewer than two."""
    n: int


class Network(BaseModel):
    """One fold or repeat, and its numbers by name; None where one is not defined."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    repeat: int
    fold: int
    run_id: str

    def value(self, name: str) -> float | None:
        """Return one of its numbers."""
        return self.__pydantic_extra__.get(name)


class StudyResult(BaseModel):
    """The result of a study."""

    recipe: str
    model: str
    labels: tuple[str, ...]
    n_images: int
    n_patients: int
    pooled: dict[str, StoredEstimate]
    """By name: of what all networks said, each image counted once."""
    over_networks: dict[str, Spread]
    """By the same names."""
    networks: tuple[Network, ...]
    warnings: tuple[str, ...]


@st.cache_data(ttl=30, show_spinner=False)
def studies() -> "tuple[CompleteRun, ...]":
    """Return the newest complete studies, newest first.

    Raises:
        SourceError: MLflow does not answer in time.
    """
    from training import tracking

    with source_errors():
        connected()
        return tracking.complete_runs(STUDIES, {STUDY_TAG: None}, most=MAX_STUDIES)


@st.cache_resource(ttl=3600, max_entries=20, show_spinner=False)  # a complete study never changes
def study(run_id: str) -> StudyResult:
    """Return the result of a study.

    Raises:
        SourceError: MLflow does not answer in time, or holds something else.
    """
    from training import artifacts

    with source_errors():
        connected()
        with artifacts.downloaded(run_id, FILE) as path:
            text = path.read_text()
    return checked(StudyResult, parsed(text, FILE), FILE)
