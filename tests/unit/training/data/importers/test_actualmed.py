from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import actualmed_tree, figure1_tree, import_clean
from training.errors import DataSetError


def test_inconclusive_films_should_have_no_finding_and_a_patient_may_have_both(tmp_path: Path) -> None:
    done = import_clean("actualmed", actualmed_tree(tmp_path / "tree"), tmp_path / "set")
    frame = done.data.frame
    assert Counter(frame["finding"]) == {"covid19": 11, "no_finding": 11, "": 4}
    assert frame["patient_id"].nunique() == 24
    assert set(frame.loc[frame["patient_id"] == "actualmed:ANON0", "finding"]) == {"covid19", "no_finding"}
    assert Counter(frame["view"]) == {"AP": 11, "PA": 15}
    assert done.found.left_out == {}


def test_the_sister_collection_should_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"lacks the column\(s\) imagename"):
        import_clean("actualmed", figure1_tree(tmp_path / "tree"), tmp_path / "set")
