import errno
import multiprocessing
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.store import FIRST_MAP_BYTES, CacheError, Transaction, transact

BLOCK = bytes(range(256)) * 256


def put(folder: Path, start: int, stop: int) -> None:
    def write(transaction: Transaction) -> None:
        for number in range(start, stop):
            transaction.put(b"%d" % number, BLOCK)

    transact(folder, write, write=True)


def get(folder: Path, number: int) -> bytes | None:
    def read(transaction: Transaction) -> bytes | None:
        value = transaction.get(b"%d" % number)
        return None if value is None else bytes(value)

    return transact(folder, read)


def count(folder: Path) -> int:
    return transact(folder, lambda transaction: int(transaction.stat()["entries"]))


@given(entries=st.dictionaries(st.binary(min_size=1, max_size=80), st.binary(min_size=1, max_size=9000)))
def test_what_was_put_should_be_read_back(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[bytes, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("store")

    def write(transaction: Transaction) -> None:
        for key, value in entries.items():
            transaction.put(key, value)

    transact(folder, write, write=True)
    found = transact(folder, lambda transaction: {bytes(k): bytes(v) for k, v in transaction.cursor()})
    assert found == entries


def test_a_store_should_outgrow_its_first_map(tmp_path: Path) -> None:
    blocks = FIRST_MAP_BYTES // len(BLOCK)
    put(tmp_path, 0, blocks + 100)
    assert count(tmp_path) == blocks + 100
    assert get(tmp_path, blocks + 99) == BLOCK


def test_a_failed_transaction_should_leave_the_old_state(tmp_path: Path) -> None:
    put(tmp_path, 0, 3)

    def write(transaction: Transaction) -> None:
        transaction.put(b"0", b"changed")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transact(tmp_path, write, write=True)
    assert get(tmp_path, 0) == BLOCK


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_many_processes_should_write_and_enlarge_it_together(tmp_path: Path, method: str) -> None:
    put(tmp_path, 0, 1)  # this process has it open, with the first map
    ranges = [(tmp_path, start, start + 125) for start in range(1, 1501, 125)]
    with multiprocessing.get_context(method).Pool(3) as pool:
        pool.starmap(put, ranges, chunksize=1)
    assert count(tmp_path) == 1501
    assert get(tmp_path, 1500) == BLOCK
    put(tmp_path, 1501, 1502)
    assert count(tmp_path) == 1502


def test_reading_should_keep_memory_flat(tmp_path: Path) -> None:
    put(tmp_path, 0, 2500)
    put(tmp_path, 2500, 5000)
    script = """
        import random, sys
        from pathlib import Path
        import psutil
        from training.data.store import transact

        folder, process = Path(sys.argv[1]), psutil.Process()
        transact(folder, lambda transaction: None)
        before = peak = process.memory_info().rss
        for number in random.sample(range(5000), 5000):
            assert transact(folder, lambda transaction: bytes(transaction.get(b"%d" % number))[257] == 1)
            peak = max(peak, process.memory_info().rss)
        print((peak - before) / 2**20)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    grown_mib = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown_mib < 110  # of the 330 MiB that were read


def test_a_full_disk_should_be_said_and_leave_the_store_whole(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the kernel refuses the write alike."""
    put(tmp_path, 0, 100)
    script = """
        import sys
        from pathlib import Path
        from tests.unit.training.data.test_store import put
        from training.data.store import CacheError

        try:
            put(Path(sys.argv[1]), 100, 1000)
        except CacheError as error:
            sys.exit(str(error))
    """
    limit = 30 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert f"The disk that holds the cache of decoded radiographs, {tmp_path}, is full" in done.stderr
    assert "HILUM_HOME" in done.stderr
    assert count(tmp_path) == 100
    assert get(tmp_path, 99) == BLOCK


def test_a_damaged_store_should_be_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(CacheError, match="Delete that folder"):
        count(tmp_path)


def test_a_file_in_the_place_of_the_folder_should_be_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as caught:
        count(tmp_path / "file")
    assert caught.value.errno == errno.EEXIST
