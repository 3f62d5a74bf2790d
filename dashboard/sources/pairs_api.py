"""What clients recorded of mirrored requests, judged: only the numbers of many images are kept, no answer."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import SourceLyingError
from hilum.errors import UsageError
from hilum.settings import settings

if TYPE_CHECKING:
    from training.promote.challenge import Challenge

SOURCE = "The folder of mirrored requests"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the records say, for each challenger beside each champion."""

    challenges: "tuple[Challenge, ...]"
    """The newest first."""
    pairs: int
    """Records that were read."""
    torn: int
    """Lines that are no records."""
    at: float
    """When they were read, in seconds since 1970."""


@st.cache_resource(ttl=600, max_entries=1, show_spinner=False)  # 100,000 records take seconds
def judged() -> Judged | None:
    """Return what `hilum release compare` says of all records in the folder; None where none is named.

    Raises:
        SourceError: the folder or a file in it cannot be read.
    """
    from hilum.paired_answers import read_pairs
    from training.promote.challenge import by_releases, judge_challenger

    folder = settings().shadow_records
    if folder is None:
        return None
    if not folder.is_dir():
        raise SourceLyingError(SOURCE, str(folder), "no folder")
    try:
        read = [read_pairs(path) for path in sorted(folder.rglob("*.jsonl"))]
    except (UsageError, OSError) as error:
        raise SourceLyingError(SOURCE, str(folder), str(error)) from error
    pairs = [pair for found, _ in read for pair in found]
    challenges = [judge_challenger(group) for group in by_releases(pairs).values()]
    return Judged(
        challenges=tuple(sorted(challenges, key=lambda one: one.last, reverse=True)),
        pairs=len(pairs),
        torn=sum(torn for _, torn in read),
        at=time.time(),
    )
