import os
from pathlib import Path

import pytest

from clients.errors import TooLargeError, UnreadableFileError
from clients.image_files import find_images, read_image
from hilum.errors import UsageError
from hilum.radiograph import MAX_BYTES


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_folder_is_searched_to_any_depth_in_order_of_names(tmp_path: Path) -> None:
    _touch(tmp_path, "b.png", "a.JPG", "sub/deeper/c.dcm", "sub/IM000001", "sub/1.2.840.10008.77")
    names = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert names == ["a.JPG", "b.png", "sub/1.2.840.10008.77", "sub/IM000001", "sub/deeper/c.dcm"]


def test_what_cannot_be_an_image_and_what_is_hidden_is_left_out_of_a_folder(tmp_path: Path) -> None:
    _touch(
        tmp_path, "a.png", "metadata.csv", "README.md", ".b.png", ".git/c.png", "DICOMDIR", "x.heatmap.txt"
    )
    assert find_images([tmp_path]) == [tmp_path / "a.png"]


def test_a_file_that_is_named_is_tried_whatever_its_suffix_and_order_is_kept(tmp_path: Path) -> None:
    _touch(tmp_path, "z.csv", "folder/a.png")
    assert find_images([tmp_path / "z.csv", tmp_path / "folder"]) == [
        tmp_path / "z.csv",
        tmp_path / "folder" / "a.png",
    ]


def test_a_folder_without_images_is_refused_and_says_what_was_looked_for(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=r"No image was found in .*\.dcm"):
        find_images([tmp_path])


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(b"content")
    assert read_image(path) == b"content"


def test_a_file_that_the_server_would_refuse_for_its_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.tiff"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 2**20)  # sparse: it takes no room
    with pytest.raises(TooLargeError, match=f"{MAX_BYTES + 2**20:,}"):
        read_image(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableFileError, match="no regular file"):
        read_image(tmp_path / "pipe.png")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UnreadableFileError, match=r"link\.png was not sent: No such file"):
        read_image(tmp_path / "link.png")
