from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from training.data.importers.placing import place_files

SHARED_MEMORY = Path("/dev/shm")


def test_another_file_system_should_get_copies(tmp_path: Path) -> None:
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    (tmp_path / "a").write_bytes(b"film")
    with TemporaryDirectory(dir=SHARED_MEMORY) as elsewhere:
        place = Path(elsewhere) / "deep" / "b"
        assert place_files([(tmp_path / "a", place)], 1, copy=False) == (0, 1)
        assert place.read_bytes() == b"film"
