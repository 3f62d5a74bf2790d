import numpy as np
import pandas as pd
import pytest

from training.evaluate.subgroups import age_band, subgroups


def frame(**columns: list[object]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"source": ["here"] * n} | columns)


def test_source_is_always_a_group_and_others_where_they_tell_images_apart() -> None:
    groups = subgroups(
        frame(
            view=["PA", "AP", ""], sex=["", "unknown", "n/a"], kind=["frontal_cxr"] * 3, note=["a", "b", "c"]
        )
    )
    assert list(groups) == ["source", "view"]
    assert groups["view"].tolist() == ["PA", "AP", "unknown"]


def test_a_value_known_of_some_images_is_a_group() -> None:
    assert subgroups(frame(view=["PA", "unknown"]))["view"].tolist() == ["PA", "unknown"]


def test_sex_is_read_in_every_spelling() -> None:
    groups = subgroups(frame(sex=["M", "male", "F", " Female ", "O", np.nan]))
    assert groups["sex"].tolist() == ["male", "male", "female", "female", "O", "unknown"]


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("0", "0-17"),
        ("17.9", "0-17"),
        ("18", "18-39"),
        ("45.0", "40-59"),
        ("045Y", "40-59"),
        ("018M", "0-17"),
        ("003W", "0-17"),
        ("20000D", "40-59"),
        ("60", "60-79"),
        ("80", "80+"),
        ("131", "unknown"),
        ("999", "unknown"),
        ("-4", "unknown"),
        ("45-50", "unknown"),
        ("adult", "unknown"),
    ],
)
def test_age_bands(text: str, band: str) -> None:
    assert age_band(text) == band


def test_ages_are_grouped_by_band_from_numbers_and_text() -> None:
    assert subgroups(frame(age=[3, 33, 70.5, np.nan]))["age"].tolist() == [
        "0-17",
        "18-39",
        "60-79",
        "unknown",
    ]
    assert subgroups(frame(age=["033Y", "", "0712"]))["age"].tolist() == ["18-39", "unknown", "unknown"]


def test_groups_keep_the_rows_of_the_frame() -> None:
    shuffled = frame(view=["PA", "AP", "PA"]).iloc[[2, 0, 1]]
    group = subgroups(shuffled)["view"]
    assert group.index.tolist() == [2, 0, 1]
    assert group.tolist() == ["PA", "PA", "AP"]
