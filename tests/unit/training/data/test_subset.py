"""The part of a data set that a paper used."""

from pathlib import Path

import pandas as pd
import pytest

from training.data.metadata import COLUMNS, DataSet
from training.data.subset import SubsetConfig, draw_subset
from training.errors import DataSetError


@pytest.fixture
def data() -> DataSet:
    findings = ["no_finding"] * 6 + ["lung_opacity"] * 6 + ["covid19"] * 3 + [""] * 2
    frame = pd.DataFrame(dict.fromkeys(COLUMNS, "x"), index=range(len(findings)))
    frame["path"] = [f"{number}.jpg" for number in range(len(findings))]
    frame["finding"] = findings
    frame["pathogen"] = ["", ""] * 3 + ["bacteria", "virus"] * 3 + [""] * 5
    return DataSet(Path("set"), frame)


def counts(data: DataSet) -> dict[str, int]:
    return {str(name): int(n) for name, n in data.frame["finding"].value_counts().items()}


def test_nothing_asked_keeps_all(data: DataSet) -> None:
    assert draw_subset(data, SubsetConfig()) is data


def test_a_column_selects_among_the_rows_with_a_finding(data: DataSet) -> None:
    chosen = draw_subset(data, SubsetConfig(select={"pathogen": ("", "bacteria")}))
    assert counts(chosen) == {"no_finding": 6, "lung_opacity": 3, "covid19": 3, "": 2}


def test_counts_are_upper_bounds_and_drawn_alike_in_any_order(data: DataSet) -> None:
    config = SubsetConfig(images_per_finding={"no_finding": 2, "covid19": 9})
    chosen = draw_subset(data, config)
    assert counts(chosen) == {"no_finding": 2, "lung_opacity": 6, "covid19": 3, "": 2}
    shuffled = DataSet(data.folder, data.frame.iloc[::-1].reset_index(drop=True))
    assert set(draw_subset(shuffled, config).frame["path"]) == set(chosen.frame["path"])


def test_counts_are_of_the_selected_rows(data: DataSet) -> None:
    config = SubsetConfig(select={"pathogen": ("", "virus")}, images_per_finding={"lung_opacity": 2})
    chosen = draw_subset(data, config)
    assert counts(chosen)["lung_opacity"] == 2
    assert "bacteria" not in set(chosen.frame["pathogen"])


def test_a_column_that_is_not_there_is_named(data: DataSet) -> None:
    with pytest.raises(DataSetError, match="by the column age"):
        draw_subset(data, SubsetConfig(select={"age": ("40",)}))


def test_an_empty_choice_is_refused(data: DataSet) -> None:
    with pytest.raises(DataSetError, match="pathogen fungus; set has none"):
        draw_subset(data, SubsetConfig(select={"pathogen": ("fungus",)}))


def test_values_of_one_finding_are_left_out_and_others_keep_theirs(data: DataSet) -> None:
    config = SubsetConfig(exclude={"lung_opacity": {"pathogen": ("virus",)}})
    data.frame.loc[data.frame["finding"] == "covid19", "pathogen"] = "virus"
    chosen = draw_subset(data, config)
    assert counts(chosen) == {"no_finding": 6, "lung_opacity": 3, "covid19": 3, "": 2}


def test_a_set_without_the_column_is_left_whole_and_a_note_says_so(
    data: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = draw_subset(data, SubsetConfig(exclude={"lung_opacity": {"age": ("3", "4")}}))
    assert counts(chosen) == counts(data)
    assert "has no column age: images of lung_opacity with 3 or 4" in capsys.readouterr().err
