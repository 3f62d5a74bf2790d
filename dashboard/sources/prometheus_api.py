"""Prometheus: what its HTTP API answers, as records. Values may be NaN where Prometheus says NaN."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import requests
import streamlit as st

from dashboard.errors import SourceLyingError, SourceUnreachableError
from dashboard.sources.patience import waiting_once
from hilum.settings import settings

SOURCE = "Prometheus"

TIMEOUT_S = (1.0, 4.0)
"""Longest wait for a connection and for an answer, in seconds: the page is drawn within a few seconds."""

QUERY_TIMEOUT = "3s"
"""When Prometheus itself gives a query up: sooner than this page does, so that only a Prometheus that answers
nothing at all counts as unreachable."""

MAX_POINTS = 240
"""Points of a line, at most: as many as a reader can see, whatever the time range."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One series' newest value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One series over time."""

    labels: Mapping[str, str]
    times: npt.NDArray[np.float64]
    """(N,) seconds since 1970."""
    values: npt.NDArray[np.float64]
    """(N,), with a NaN in every gap: a line must not cross it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """An alert that is firing or about to."""

    name: str
    state: str
    """`firing` or `pending`."""
    severity: str
    summary: str
    runbook_url: str
    namespace: str
    """The installation that it is about; empty outside Kubernetes."""
    since: str
    """Start, ISO 8601 in UTC."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instant:
    """The answer to a query at one time."""

    samples: tuple[Sample, ...]
    at: float
    """When it was asked, in seconds since 1970."""

    @property
    def value(self) -> float:
        """The value of the only series; NaN where there is none."""
        return self.samples[0].value if self.samples else math.nan


@st.cache_data(ttl=5, max_entries=500, show_spinner=False)
def query(expression: str) -> Instant:
    """Return what an expression is now.

    Raises:
        SourceError: Prometheus does not answer in time, or not as Prometheus does.
    """
    data = _get("query", {"query": expression})
    with _as_documented():
        samples = tuple(
            Sample(labels=_labels(item), value=float(item["value"][1])) for item in _result(data, "vector")
        )
    return Instant(samples=samples, at=time.time())


@st.cache_data(ttl=15, max_entries=200, show_spinner=False)
def query_range(expression: str, *, hours: float, end: float | None = None) -> tuple[Series, ...]:
    """Return what an expression was over the last `hours`, in at most `MAX_POINTS` points.

    Raises:
        SourceError: as for `query`.
    """
    end = end or time.time()
    step = max(15.0, hours * 3600 / MAX_POINTS)
    data = _get("query_range", {"query": expression, "start": end - hours * 3600, "end": end, "step": step})
    with _as_documented():
        return tuple(_series(item, step) for item in _result(data, "matrix"))


@st.cache_data(ttl=5, show_spinner=False)
def alerts() -> tuple[Alert, ...]:
    """Return the alerts that fire or are pending, the firing ones first.

    Raises:
        SourceError: as for `query`.
    """
    found = _get("alerts", {}).get("alerts", [])
    with _as_documented():
        records = [
            Alert(
                name=str(alert["labels"].get("alertname", "")),
                state=str(alert["state"]),
                severity=str(alert["labels"].get("severity", "")),
                summary=str(alert["annotations"].get("summary", "")),
                runbook_url=str(alert["annotations"].get("runbook_url", "")),
                namespace=str(alert["labels"].get("namespace", "")),
                since=str(alert.get("activeAt", "")),
            )
            for alert in found
        ]
    return tuple(sorted(records, key=lambda alert: (alert.state != "firing", alert.name)))


@contextmanager
def _as_documented() -> Iterator[None]:
    """Turn what an answer of another form raises when it is read into an error of its source."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SourceLyingError(SOURCE, settings().prometheus_address, reason) from error


def _get(path: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    address = settings().prometheus_address
    try:
        with waiting_once(SOURCE, address):
            body = _ask(f"{address}/api/v1/{path}", {**parameters, "timeout": QUERY_TIMEOUT})
    except requests.JSONDecodeError as error:
        raise SourceLyingError(SOURCE, address, "no JSON") from error
    if not isinstance(body, Mapping) or body.get("status") != "success":
        reason = str(body.get("error") or "no status") if isinstance(body, Mapping) else "no object"
        raise SourceLyingError(SOURCE, address, reason)
    data = body.get("data")
    if not isinstance(data, Mapping):
        raise SourceLyingError(SOURCE, address, "no data")
    return data


def _ask(url: str, parameters: Mapping[str, Any]) -> Any:
    """Return the JSON that comes back."""
    try:
        answer = requests.get(url, params=dict(parameters), timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise SourceUnreachableError(SOURCE, settings().prometheus_address, type(error).__name__) from error
    return answer.json()


def _series(item: Mapping[str, Any], step: float) -> Series:
    """Return one series of a range, with a NaN where points are missing."""
    times = np.array([float(at) for at, _ in item["values"]])
    values = np.array([float(value) for _, value in item["values"]])
    gaps = np.flatnonzero(np.diff(times) > 1.5 * step) + 1
    return Series(
        labels=_labels(item),
        times=np.insert(times, gaps, (times[gaps - 1] + times[gaps]) / 2),
        values=np.insert(values, gaps, np.nan),
    )


def _result(data: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    if data.get("resultType") != kind or not isinstance(data.get("result"), list):
        raise SourceLyingError(SOURCE, settings().prometheus_address, f"no {kind}")
    result: Sequence[Mapping[str, Any]] = data["result"]
    return result


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: value for name, value in item["metric"].items() if name != "__name__"}
