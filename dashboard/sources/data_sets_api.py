"""The data sets on this machine, as their `metadata.csv` describes them: HILUM_DATA names their folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import SourceLyingError
from hilum.settings import settings

if TYPE_CHECKING:
    import pandas as pd

METADATA = "metadata.csv"

SOURCE = "The data set"

STUDY_DATE = "study_date"
"""Column of `metadata.csv`, not required: when an image was made, ISO 8601 (`2020-03-14`)."""


def folders() -> tuple[Path, ...]:
    """Return the folders that hold a data set: the one that HILUM_DATA names, or those in it."""
    root = settings().data
    if root is None:
        return ()
    found = (root / METADATA, *sorted(root.glob(f"*/{METADATA}")))
    return tuple(path.parent for path in found if path.is_file())


def table(folder: Path) -> "pd.DataFrame":
    """Return one row per image of a data set, all columns text.

    Raises:
        SourceError: its `metadata.csv` is no such table.
    """
    try:
        modified_ns = (folder / METADATA).stat().st_mtime_ns
    except OSError as error:
        raise SourceLyingError(SOURCE, str(folder), error.strerror or type(error).__name__) from error
    return _table(str(folder), modified_ns)


def study_dates(images: "pd.DataFrame") -> "pd.Series[pd.Timestamp]":
    """Return when each image was made, by what the data sets on this machine say; NaT where none does.

    Args:
        images: N rows with `path` and `source`.

    Raises:
        SourceError: as for `table`.
    """
    import pandas as pd

    keys = ["path", "source"]
    dates = [one[[*keys, STUDY_DATE]] for one in map(table, folders()) if STUDY_DATE in one]
    if not dates:
        return pd.Series(pd.NaT, index=images.index, dtype="datetime64[ns]")
    known = pd.concat(dates).drop_duplicates(keys).set_index(keys)[STUDY_DATE]
    told = known.reindex(pd.MultiIndex.from_frame(images[keys]))
    return pd.Series(
        pd.to_datetime(told.to_numpy(), format="ISO8601", errors="coerce", utc=True).tz_localize(None),
        index=images.index,
    )


@st.cache_resource(ttl=3600, max_entries=8, show_spinner=False)  # large, never changed, so not copied
def _table(folder: str, modified_ns: int) -> "pd.DataFrame":  # noqa: ARG001 - a changed file is read anew
    from training.data.metadata import read_table
    from training.errors import DataSetError

    try:
        return read_table(Path(folder))
    except (DataSetError, OSError) as error:
        raise SourceLyingError(SOURCE, folder, str(error)) from error
