"""Releases: what the registry and the ledger say of them, and the two decisions a reader may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import SourceLyingError
from dashboard.sources.registry_api import connected, promised, source_errors
from hilum.settings import settings

if TYPE_CHECKING:
    from training.ledger.entry import Entry
    from training.ledger.ledger import Ledger
    from training.promote.difference import Difference
    from training.promote.promotion import Promotion
    from training.promote.release import ReleaseSummary
    from training.promote.verdict import Verdict


@st.cache_data(ttl=10, show_spinner=False)
def releases() -> "tuple[ReleaseSummary, ...]":
    """Return a line for each release, newest first.

    Raises:
        SourceError: MLflow does not answer in time, or not as it should.
    """
    from training.promote.release import list_releases

    with source_errors():
        return tuple(reversed(list_releases(connected())))


@st.cache_data(ttl=10, max_entries=100, show_spinner=False)
def verdict(number: int) -> "Verdict | None":
    """Return the newest verdict of the gate on a release; None where it was not judged.

    Raises:
        SourceError: as for `releases`, or the verdict was changed since it was stored.
    """
    from training.promote.verdict import fetch_verdict

    with source_errors():
        return fetch_verdict(connected(), number)


@st.cache_data(ttl=3600, max_entries=200, show_spinner=False)  # a release never changes
def difference(first: int, second: int) -> "Difference":
    """Return what changes from one release to another.

    Raises:
        SourceError: as for `releases`, or a release was changed since it was stored.
    """
    from training.promote.difference import compare_releases
    from training.promote.release import fetch_release

    with source_errors():
        registry = connected()
        return compare_releases(fetch_release(registry, first), fetch_release(registry, second))


@st.cache_data(ttl=5, show_spinner=False)
def history() -> "tuple[Entry, ...]":
    """Return the ledger's entries, newest first.

    Raises:
        SourceError: the ledger cannot be read.
    """
    with _ledger() as ledger:
        return tuple(reversed(tuple(ledger.entries())))


def promote(number: int, *, who: str, reason: str) -> "Promotion":
    """Make a release the champion, as `hilum promote` does; refused without a passing verdict.

    Raises:
        SourceError: MLflow or the ledger cannot be reached.
        HilumError: the promotion is refused; the message says why.
    """
    from training.promote.promotion import promote_release

    with _ledger() as ledger:
        promotion = promote_release(connected(), ledger, number, who=who, reason=reason)
    _forget()
    return promotion


def roll_back(*, who: str, reason: str) -> "Promotion":
    """Make the champion before this one champion again, as `hilum rollback` does.

    Raises:
        SourceError: MLflow or the ledger cannot be reached.
        HilumError: there is none before; the message says so.
    """
    from training.promote.promotion import roll_back as roll_back_release

    with _ledger() as ledger:
        promotion = roll_back_release(connected(), ledger, who=who, reason=reason)
    _forget()
    return promotion


@contextmanager
def _ledger() -> "Iterator[Ledger]":
    """Open the ledger; what it cannot be opened with is this dashboard's error."""
    from sqlalchemy.exc import SQLAlchemyError

    from training.ledger.ledger import Ledger

    try:
        with Ledger(settings().ledger_address) as ledger:
            yield ledger
    except SQLAlchemyError as error:
        raise SourceLyingError("The ledger", "HILUM_LEDGER_URL", type(error).__name__) from error


def _forget() -> None:
    """Drop what was read before a decision."""
    for cached in (releases, verdict, history, promised):
        cached.clear()
