"""Waits once for a source that does not answer: the parts of a page ask it one after the other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.errors import SourceUnreachableError

REMEMBERED_S = 15.0
"""How long a source that did not answer is not asked again, in seconds."""


@contextmanager
def waiting_once(source: str, address: str) -> Iterator[None]:
    """Ask a source within this block; at once the error of moments ago, where it did not answer then.

    Raises:
        SourceUnreachableError: it does not answer, or did not a few seconds ago.
    """
    failures, key = _failures(), (source, address)
    until, reason = failures.get(key, (0.0, ""))
    if time.monotonic() < until:
        raise SourceUnreachableError(source, address, reason)
    try:
        yield
    except SourceUnreachableError as error:
        failures[key] = (time.monotonic() + REMEMBERED_S, str(error.values["reason"]))
        raise
    failures.pop(key, None)


@st.cache_resource(show_spinner=False)  # forgotten with all else that was read
def _failures() -> dict[tuple[str, str], tuple[float, str]]:
    """Return until when, on the monotonic clock, each source is not asked again, and why."""
    return {}
