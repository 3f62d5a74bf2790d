from pathlib import Path

import pytest

from tests.support.publishers import cohen_tree, figure1_tree, import_clean
from training.data.importers.registry import IMPORTERS, load_importer
from training.data.metadata import COLUMNS
from training.errors import DataSetError


def test_images_should_be_links_to_the_publishers_files_or_copies(tmp_path: Path) -> None:
    tree = figure1_tree(tmp_path / "tree")
    linked = import_clean("figure1", tree, tmp_path / "linked")
    copied = import_clean("figure1", tree, tmp_path / "copied", copy=True)
    assert (linked.linked, linked.copied) == (16, 0)
    assert (copied.linked, copied.copied) == (0, 16)
    for done, same in ((linked, True), (copied, False)):
        for row in done.data.frame.itertuples():
            image, origin = done.data.folder / str(row.path), tree / str(row.origin_path)
            assert image.samefile(origin) is same
            assert image.read_bytes() == origin.read_bytes()
    assert linked.data.digest() == copied.data.digest()


def test_the_seed_alone_should_decide_the_table(tmp_path: Path) -> None:
    tree = cohen_tree(tmp_path / "tree")
    tables = [
        (import_clean("cohen", tree, tmp_path / str(n), seed=seed).data.folder / "metadata.csv").read_bytes()
        for n, seed in enumerate((1, 1, 2))
    ]
    assert tables[0] == tables[1] != tables[2]
    assert tables[0].decode().startswith(",".join(COLUMNS) + ",publisher_label,sex,age,pathogen,license,")


def test_an_image_that_cannot_be_read_should_leave_nothing_behind(tmp_path: Path) -> None:
    tree = figure1_tree(tmp_path / "tree")
    image = tree / "images" / "COVID-00003.jpg"
    image.unlink()
    image.symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "sets").mkdir()
    for copy in (False, True):
        with pytest.raises(FileNotFoundError):
            import_clean("figure1", tree, tmp_path / "sets" / "new", copy=copy)
    assert list((tmp_path / "sets").iterdir()) == []


def test_symbolic_links_should_be_followed(tmp_path: Path) -> None:
    tree = figure1_tree(tmp_path / "tree")
    image = tree / "images" / "COVID-00003.jpg"
    image.rename(tmp_path / "real.jpg")
    image.symlink_to(tmp_path / "real.jpg")
    done = import_clean("figure1", tree, tmp_path / "set")
    assert not any(path.is_symlink() for path in done.data.folder.rglob("*"))


def test_a_filled_folder_should_be_refused_before_anything_is_read(tmp_path: Path) -> None:
    importer = load_importer("figure1")
    for folder in (cohen_tree(tmp_path / "tree"), tmp_path / "tree" / "metadata.csv"):
        with pytest.raises(DataSetError, match="is not empty"):
            import_clean("figure1", tmp_path / "nothing", folder)
    assert importer.publisher.name == "figure1"


def test_a_tree_without_a_single_picture_should_be_refused(tmp_path: Path) -> None:
    tree = figure1_tree(tmp_path / "tree")
    for path in (tree / "images").iterdir():
        path.unlink()
    with pytest.raises(DataSetError, match="it holds no picture to import"):
        import_clean("figure1", tree, tmp_path / "set", partial=True)


@pytest.mark.parametrize("name", IMPORTERS)
def test_every_importer_should_say_what_its_set_is(name: str) -> None:
    importer = load_importer(name)
    assert importer.publisher.name == name
    for word in ("Licence", "Becomes:"):
        assert word in importer.about
    if name != "folder":
        assert importer.publisher.page in importer.about
        for word in ("Images:", "Labels", "Citation:", "Download:"):
            assert word in importer.about
