import re
from pathlib import Path

import pytest

from tests.support.publishers import cohen_tree
from training.data.importers.cohen import PUBLISHER
from training.data.importers.tree import Tree, open_tree
from training.errors import DataSetError


def test_the_folder_that_an_archive_unpacks_to_should_be_found(tmp_path: Path) -> None:
    root = cohen_tree(tmp_path / "download" / "covid-chestxray-dataset-master")
    assert open_tree(tmp_path / "download", PUBLISHER).root == root
    assert open_tree(root, PUBLISHER).root == root
    cohen_tree(tmp_path / "download" / "again")
    with pytest.raises(DataSetError, match=r"more than once \(again, covid-chestxray-dataset-master\)"):
        open_tree(tmp_path / "download", PUBLISHER)


def test_a_wrong_folder_should_be_refused_with_what_is_missing_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("")
    for name in "abcdefghi":
        (tmp_path / name).mkdir()
    with pytest.raises(DataSetError) as caught:
        open_tree(tmp_path, PUBLISHER)
    assert str(caught.value).splitlines() == [
        f"{tmp_path} is not the COVID-19 Image Data Collection (covid-chestxray-dataset) as its publisher "
        "ships it: it lacks images.",
        "  Expected: metadata.csv beside the folder images/",
        "  Found: a/, b/, c/, d/, e/, f/, g/, h/ and 2 more",
        "  Download: https://github.com/ieee8023/covid-chestxray-dataset",
    ]
    with pytest.raises(DataSetError, match="is no folder: expected the COVID-19 Image Data Collection"):
        open_tree(tmp_path / "metadata.csv", PUBLISHER)


def test_files_should_be_listed_once_past_links_and_without_hidden_ones(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.PNG").write_bytes(b"")
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "tree" / ".git" / "c.png").write_bytes(b"")
    (tmp_path / "tree" / ".DS_Store").write_bytes(b"")
    (tmp_path / "tree" / "images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "tree")
    (tmp_path / "elsewhere" / "b.txt").write_bytes(b"")
    tree = Tree(tmp_path / "tree", PUBLISHER)
    assert list(tree.files) == ["images/a.PNG", "images/b.txt"]
    assert list(tree.pictures("images")) == ["images/a.PNG"]


def test_rows_should_be_stripped_and_short_ones_filled(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbf a ,b,c\r\n 1 ,"x, y"\r\n2,\xc2\xb0,3,4\r\n')
    tree = Tree(tmp_path, PUBLISHER)
    assert list(tree.rows("t.csv", ["a", "c"])) == [
        {"a": "1", "b": "x, y", "c": ""},
        {"a": "2", "b": "°", "c": "3"},
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "it lacks t.csv"),
        (b"", "its t.csv lacks the column(s) a; it has none"),
        (b'b,"c', "its t.csv lacks the column(s) a; it has b, c"),
        (b"a\n" + b"x" * 200_000, "its t.csv is no comma-separated table: field larger"),
    ],
)
def test_a_table_that_is_none_should_be_refused(tmp_path: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataSetError, match=re.escape(expected)):
        list(Tree(tmp_path, PUBLISHER).rows("t.csv", ["a"]))
