"""Groups of images that an evaluation looks at one by one: per source, and per what else is known of them."""

import re

import pandas as pd

UNKNOWN = "unknown"
"""The group of images of which a column says nothing."""

COLUMNS = ("source", "view", "sex", "age", "kind")
"""The columns that images are grouped by, where they are there."""

_SAYS_NOTHING = frozenset({"", "unknown", "nan", "none", "na", "n/a", "not stated", "?"})
_SEX = {"m": "male", "male": "male", "f": "female", "female": "female"}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([dwmy]?)")
_PER_YEAR = {"d": 365.25, "w": 52.18, "m": 12.0, "y": 1.0, "": 1.0}
_BANDS = ((18, "0-17"), (40, "18-39"), (60, "40-59"), (80, "60-79"), (131, "80+"))
"""Ends of the age bands, in years; who is older was mistyped."""


def subgroups(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return, by column, the group of each image: `source` always, others where they tell images apart.

    What says nothing is `unknown`. Sex is `male` or `female`, also from M and F; age is a band in years, from
    years or DICOM's form (`045Y`, `018M`).

    Args:
        frame: N rows with `source`, and any of the other columns of `COLUMNS`.
    """
    groups = {column: _groups(column, frame[column]) for column in COLUMNS if column in frame}
    return {
        column: group
        for column, group in groups.items()
        if column == "source" or (group.nunique() > 1 and (group != UNKNOWN).any())
    }


def age_band(text: str) -> str:
    """Return the band of an age in years or DICOM's form, as `40-59`; `unknown` for anything else."""
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        return UNKNOWN
    years = float(match[1]) / _PER_YEAR[match[2]]
    return next((name for end, name in _BANDS if years < end), UNKNOWN)


def _groups(column: str, values: "pd.Series[str]") -> "pd.Series[str]":
    """Return the group of each value."""
    text = values.fillna("").astype(str)
    return text.map({value: _group(column, value.strip()) for value in text.unique()})


def _group(column: str, value: str) -> str:
    if value.lower() in _SAYS_NOTHING:
        return UNKNOWN
    if column == "age":
        return age_band(value)
    return _SEX.get(value.lower(), value) if column == "sex" else value
