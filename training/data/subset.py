"""Draws the part of a data set that a paper used."""

from collections.abc import Mapping

import pandas as pd
from pydantic import Field, model_validator

from hilum.console import stderr
from hilum.contract import LABELS
from hilum.files import sha256_bytes
from training.config import Section
from training.data.metadata import DataSet
from training.errors import DataSetError


class SubsetConfig(Section):
    """Which rows of a data set take part; the default takes all."""

    select: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By column: the values that a row with a finding may have. Rows without a finding are not touched."""
    exclude: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """By finding, then by column: the values that a row of that finding must not have. A data set without
    the column is left whole, and a note says so."""
    images_per_finding: dict[str, int] = Field(default_factory=dict)
    """Most images of a finding, drawn the same way every time; all where there are fewer."""

    @model_validator(mode="after")
    def _findings_exist(self) -> "SubsetConfig":
        unknown = sorted({*self.images_per_finding, *self.exclude} - set(LABELS))
        if unknown:
            raise ValueError(f"unknown finding {', '.join(unknown)}; there are {', '.join(LABELS)}")
        return self


def draw_subset(data: DataSet, config: SubsetConfig) -> DataSet:
    """Return the data set with the rows that `config` keeps; itself where that is all.

    Raises:
        DataSetError: the table lacks a column that is selected by, or nothing with a finding is left.
    """
    if config == SubsetConfig():
        return data
    frame = data.frame
    kept = frame["finding"] != ""
    for column, values in config.select.items():
        if column not in frame.columns:
            raise DataSetError(
                f"The recipe selects images by the column {column} ({', '.join(values)}), which "
                f"{data.folder} does not have: import the set with `hilum data import`, or add the column."
            )
        kept &= frame[column].isin(values)
    kept &= ~_excluded(data, config)
    if not kept.any():
        raise DataSetError(f"The recipe asks for images with {_described(config)}; {data.folder} has none.")
    kept &= _among_the_first(frame[kept], config.images_per_finding).reindex(frame.index, fill_value=False)
    return DataSet(data.folder, frame[kept | (frame["finding"] == "")].reset_index(drop=True))


def _among_the_first(frame: pd.DataFrame, most: Mapping[str, int]) -> "pd.Series[bool]":
    """Mark the rows of each finding that come first in an order that depends on their paths alone."""
    order = frame["path"].map(lambda path: sha256_bytes(path.encode()))
    place = order.sort_values().groupby(frame["finding"]).cumcount().reindex(frame.index)
    return place < frame["finding"].map(lambda finding: most.get(finding, len(frame)))


def _excluded(data: DataSet, config: SubsetConfig) -> "pd.Series[bool]":
    """Mark the rows that have a value which the recipe leaves out."""
    frame = data.frame
    excluded = pd.Series(data=False, index=frame.index)
    for finding, columns in config.exclude.items():
        for column, values in columns.items():
            if column in frame.columns:
                excluded |= (frame["finding"] == finding) & frame[column].isin(values)
            else:
                stderr.print(
                    f"{data.folder} has no column {column}: images of {finding} with {' or '.join(values)}, "
                    "which the recipe leaves out, are not told from the others and stay in."
                )
    return excluded


def _described(config: SubsetConfig) -> str:
    chosen = [f"{column} {' or '.join(values)}" for column, values in config.select.items()]
    excluded = [
        f"{finding} without {column} {' or '.join(values)}"
        for finding, columns in config.exclude.items()
        for column, values in columns.items()
    ]
    return " and ".join(chosen + excluded) or "a finding"
