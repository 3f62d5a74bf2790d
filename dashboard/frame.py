"""What every page has in common: its head, the notice of intended use, and parts that fail alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import SourceError
from dashboard.language import mark, tr

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

NOTICE = mark(
    "For research and triage support only. Hilum is not a medical device: "
    "a qualified reader must confirm every answer."
)
"""`hilum.contract.NOTICE`, as the translations know it; a test compares the two."""


def notice() -> None:
    """Show the notice of intended use: beside every answer."""
    st.caption(f":material/info: {tr(NOTICE)}")


@contextmanager
def part(title: str = "") -> Iterator[None]:
    """Draw a part of a page; a source that fails leaves a sentence in its place, and the others go on."""
    if title:
        st.subheader(title)
    try:
        yield
    except SourceError as error:
        st.warning(error.sentence, icon=":material/cloud_off:")


def folded(title: str, key: str) -> "ExpanderContainer":
    """Return a place that is closed at first: only where it is `open` is what it holds to be drawn in it."""
    return st.expander(title, key=key, on_change="rerun")


def empty(sentence: str) -> None:
    """Say that a source answered and has nothing yet, which is not the same as zero."""
    st.info(sentence, icon=":material/hourglass_empty:")


def updated(at: float) -> None:
    """Say how old what is shown is; `at` in seconds since 1970."""
    st.caption(tr("updated {seconds} s ago", seconds=max(0, round(time.time() - at))))
