import hashlib
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from hilum.radiograph import decode_radiograph
from training.data import cache as cache_module
from training.data.cache import COMMIT_EVERY, RadiographCache
from training.data.store import CacheError
from training.errors import DataSetError


def write_images(folder: Path, count: int) -> list[Path]:
    """Write small pictures that all differ."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (64, 48), dtype=np.uint8)).save(path, compress_level=1)
    return paths


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refuse_to_decode(*_: object) -> None:
    raise AssertionError("decoded again")


@pytest.fixture
def cache(tmp_path: Path) -> RadiographCache:
    return RadiographCache.open(tmp_path / "cache")


@pytest.mark.parametrize("count", [3, 60], ids=["in this process", "in workers"])
def test_a_radiograph_should_be_what_the_decoder_gives(
    tmp_path: Path, cache: RadiographCache, count: int
) -> None:
    paths = write_images(tmp_path / "images", count)
    digests = cache.ensure(paths)
    assert digests == tuple(sha256(path) for path in paths)
    for path, digest in zip(paths, digests, strict=True):
        radiograph = cache.get(digest)
        assert radiograph.dtype == np.uint8
        assert np.array_equal(radiograph, decode_radiograph(path.read_bytes()))


def test_a_radiograph_should_be_the_callers_own_copy(tmp_path: Path, cache: RadiographCache) -> None:
    (digest,) = cache.ensure(write_images(tmp_path / "images", 1))
    first = cache.get(digest)
    untouched = first.copy()
    first[:] = 0
    assert np.array_equal(cache.get(digest), untouched)


def test_digests_should_follow_the_order_of_the_paths_repeats_included(
    tmp_path: Path, cache: RadiographCache
) -> None:
    paths = write_images(tmp_path / "images", 4)
    asked = [paths[index] for index in (2, 0, 2, 3, 1)]
    assert cache.ensure(asked) == tuple(sha256(path) for path in asked)
    assert cache.ensure([]) == ()


def test_known_files_should_be_neither_decoded_nor_read_again(
    tmp_path: Path, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_images(tmp_path / "images", 5)
    first = cache.ensure(paths)
    monkeypatch.setattr(cache_module, "_decode", refuse_to_decode)
    assert RadiographCache.open(tmp_path / "cache").ensure(paths) == first


def test_copies_should_not_be_decoded_again(
    tmp_path: Path, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_images(tmp_path / "images", 5)
    first = cache.ensure(paths)
    shutil.copytree(tmp_path / "images", tmp_path / "copies")
    monkeypatch.setattr(cache_module, "decode_radiograph", refuse_to_decode)
    assert cache.ensure([tmp_path / "copies" / path.name for path in paths]) == first


def test_a_changed_file_should_be_decoded_anew(tmp_path: Path, cache: RadiographCache) -> None:
    paths = write_images(tmp_path / "images", 2)
    before = cache.ensure(paths)
    shutil.copy(paths[1], paths[0])
    os.utime(paths[0], ns=(1, 1))
    assert cache.ensure(paths) == (before[1], before[1])


def test_another_decoder_should_not_find_this_ones_pixels(
    tmp_path: Path, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digest,) = cache.ensure(write_images(tmp_path / "images", 1))
    monkeypatch.setattr(cache_module, "DECODER_DIGEST", "another")
    assert not cache.holds(digest)
    with pytest.raises(CacheError, match=f"holds no radiograph of content {digest}"):
        cache.get(digest)


def test_unreadable_files_should_be_listed_and_the_others_kept(
    tmp_path: Path, cache: RadiographCache
) -> None:
    paths = write_images(tmp_path / "images", 3)
    rubbish = [tmp_path / "images" / f"rubbish-{number}.jpg" for number in range(6)]
    for path in rubbish:
        path.write_bytes(b"rubbish")
    missing = tmp_path / "images" / "missing.jpg"
    with pytest.raises(DataSetError) as caught:
        cache.ensure([paths[0], missing, *rubbish, *paths[1:]])
    message = str(caught.value)
    assert "7 of 10 images cannot be read" in message
    assert f"{missing}: No such file or directory" in message
    assert "rubbish-3.jpg" in message
    assert "rubbish-4.jpg" not in message
    assert "and 2 more" in message
    assert "hilum data check" in message
    assert all(cache.holds(sha256(path)) for path in paths)


def test_work_should_go_on_where_a_kill_stopped_it(tmp_path: Path, cache: RadiographCache) -> None:
    paths = write_images(tmp_path / "images", 12 * COMMIT_EVERY)
    script = """
        import sys
        from pathlib import Path
        from training.data.cache import RadiographCache

        images, home = map(Path, sys.argv[1:])
        RadiographCache.open(home).ensure([images / f"{number}.png" for number in range(%d)])
    """
    command = [sys.executable, "-c", textwrap.dedent(script % len(paths))]
    victim = subprocess.Popen([*command, str(tmp_path / "images"), str(tmp_path / "cache")])
    digests = [sha256(path) for path in paths]
    deadline = time.monotonic() + 60
    while not cache.holds(digests[0]) and time.monotonic() < deadline:
        time.sleep(0.005)
    workers = psutil.Process(victim.pid).children(recursive=True)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    kept = [cache.holds(digest) for digest in digests]
    assert COMMIT_EVERY <= sum(kept) < len(paths)
    for path, held in zip(paths, kept, strict=True):
        if held:  # whatever reads it again now gets rubbish
            stat = path.stat()
            path.write_bytes(b"r" * stat.st_size)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert list(cache.ensure(paths)) == digests
    assert not kept[-1]
    assert np.array_equal(cache.get(digests[-1]), decode_radiograph(paths[-1].read_bytes()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_should_read_it(tmp_path: Path, cache: RadiographCache, method: str) -> None:
    digests = cache.ensure(write_images(tmp_path / "images", 8))
    expected = [int(cache.get(digest).sum()) for digest in digests]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(pixel_sum, [(cache, digest) for digest in digests]) == expected
    assert pixel_sum(cache, digests[0]) == expected[0]  # this process still can, after the fork


def test_two_processes_should_fill_it_at_once(tmp_path: Path, cache: RadiographCache) -> None:
    paths = write_images(tmp_path / "images", 40)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        answers = pool.starmap(ensure_all, [(cache, paths), (cache, paths[::-1])])
    assert answers[0] == answers[1][::-1] == tuple(sha256(path) for path in paths)


def test_a_cache_should_pickle_as_its_folder_alone(cache: RadiographCache) -> None:
    assert pickle.loads(pickle.dumps(cache)) == cache
    assert len(pickle.dumps(cache)) < 1000


def pixel_sum(cache: RadiographCache, digest: str) -> int:
    return int(cache.get(digest).sum())


def ensure_all(cache: RadiographCache, paths: Sequence[Path]) -> tuple[str, ...]:
    return cache.ensure(paths)
