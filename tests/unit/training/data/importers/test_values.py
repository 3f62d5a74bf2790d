import pytest

from training.data.importers.values import age_of, sex_of, view_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PA", "PA"),
        ("AP Supine", "AP"),
        ("AP erect", "AP"),
        ("L", "lateral"),
        ("LL", "lateral"),
        ("Axial", "unknown"),
        ("", "unknown"),
    ],
)
def test_views_should_be_told_apart(text: str, expected: str) -> None:
    assert view_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("M", "M"), ("Male", "M"), ("female", "F"), ("Unknown", ""), ("", ""), ("O", "")]
)
def test_sexes_should_be_one_letter(text: str, expected: str) -> None:
    assert sex_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("58", "58"),
        ("058Y", "58"),
        ("65.0", "65"),
        ("0", "0"),
        ("000Y", "0"),
        ("120", "120"),
        ("414", ""),
        ("50+", ""),
        ("003M", ""),
        ("early 40s", ""),
        ("-3", ""),
        ("", ""),
    ],
)
def test_ages_should_be_whole_and_possible_years(text: str, expected: str) -> None:
    assert age_of(text) == expected
