"""Published numbers: those that `hilum paper` stored beside ours, and the threshold tables of a recipe."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

import streamlit as st
import yaml
from pydantic import BaseModel, Field

from dashboard.estimates import StoredEstimate
from dashboard.sources.records import checked, parsed
from dashboard.sources.registry_api import connected, source_errors
from dashboard.sources.studies_api import Spread

if TYPE_CHECKING:
    from training.tracking import CompleteRun

PAPERS = "paper"
"""`training.commands.paper.EXPERIMENT`; a test compares the two."""

MAX_REPORTS = 50
"""Reports that a reader can choose from: the newest."""

DEEP_COVID = "deepcovid"
"""The recipe family with the paper's threshold tables."""


class Number(BaseModel):
    """One published number and ours."""

    variant: str
    metric: str
    published: StoredEstimate
    published_sd: float | None
    """Over the paper's runs; `published` is then their mean."""
    ours: StoredEstimate
    spread: Spread
    """Of ours over the networks of the study."""
    difference: float | None
    """Ours less theirs."""


class MetricsTable(BaseModel):
    """A published table of metrics beside ours."""

    kind: Literal["metrics"]
    table: str
    """The paper's own number of it."""
    title: str
    numbers: tuple[Number, ...]


class ConfusionTable(BaseModel):
    """A published confusion matrix beside ours."""

    kind: Literal["confusion"]
    table: str
    title: str
    variant: str
    labels: tuple[str, ...]
    published: tuple[tuple[int, ...], ...]
    ours: tuple[tuple[int, ...], ...]


class Point(BaseModel):
    """One published threshold, and ours there and at the same sensitivity."""

    threshold: float
    published_sensitivity: StoredEstimate
    published_specificity: StoredEstimate
    sensitivity: StoredEstimate
    specificity: StoredEstimate
    same_sensitivity: StoredEstimate
    specificity_there: StoredEstimate


class ThresholdsTable(BaseModel):
    """A published table of thresholds beside ours."""

    kind: Literal["thresholds"]
    table: str
    title: str
    variant: str
    label: str
    points: tuple[Point, ...]


Table = Annotated[MetricsTable | ConfusionTable | ThresholdsTable, Field(discriminator="kind")]
"""Any published table beside ours, as `training.study.paper.compare` makes it."""


class NetworkFacts(BaseModel):
    """How one network of a paper was trained and tested here."""

    variant: str
    model: str
    protocol: str
    decision: str
    epochs: int
    weights: str
    images: dict[str, int]
    n_patients: int
    n_networks: int


class Report(BaseModel):
    """A paper's tables beside ours."""

    name: str
    source: str
    """The paper."""
    command: str
    """What made it."""
    data: str
    networks: tuple[NetworkFacts, ...]
    comparisons: tuple[Table, ...]
    warnings: tuple[str, ...]


@st.cache_data(ttl=30, show_spinner=False)
def reports() -> "tuple[CompleteRun, ...]":
    """Return the newest reports, newest first.

    Raises:
        SourceError: MLflow does not answer in time.
    """
    from training import tracking

    with source_errors():
        connected()
        return tracking.complete_runs(PAPERS, {tracking.RECIPE_TAG: None}, most=MAX_REPORTS)


@st.cache_resource(ttl=3600, max_entries=20, show_spinner=False)  # a stored report never changes
def report(run_id: str, name: str) -> Report:
    """Return a report.

    Args:
        run_id: its run.
        name: of the recipe family.

    Raises:
        SourceError: MLflow does not answer in time, or holds something else.
    """
    from training import artifacts

    file = f"paper/{name}.json"
    with source_errors():
        connected()
        with artifacts.downloaded(run_id, file) as path:
            text = path.read_text()
    return checked(Report, parsed(text, file), file)


class PublishedThresholds(BaseModel):
    """A paper's table of thresholds: as `training.train.published` has it, whose package needs torch."""

    table: str
    title: str
    variant: str
    label: str
    images: dict[str, int]
    """Images of each class that the numbers are of."""
    points: tuple[tuple[float, float, float], ...]
    """Threshold, sensitivity, specificity."""


@cache
def deep_covid_tables() -> tuple[PublishedThresholds, ...]:
    """Return the threshold tables of Deep-COVID, as its recipe quotes them (Minaee et al. 2020)."""
    recipe = yaml.safe_load(files("training").joinpath("recipes", f"{DEEP_COVID}.yaml").read_text())
    return tuple(
        PublishedThresholds.model_validate(table)
        for table in recipe["published"]
        if table["kind"] == "thresholds"
    )
