import csv
import io
from collections.abc import Callable
from itertools import pairwise

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from hilum.radiograph import decode_radiograph
from tests.support.data import shared_data
from training.data import near_duplicates
from training.data.near_duplicates import (
    HASH_SIDE,
    MAX_DISTANCE,
    NEAREST,
    WINDOWS,
    Fingerprint,
    find_near_duplicates,
    fingerprint,
)

Change = Callable[[Image.Image], Image.Image]


def film(seed: int, width: int = 300, height: int = 340) -> Image.Image:
    """A picture as rich in detail as a radiograph, brighter in its middle."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    mixed = np.sum([gaussian_filter(noise, sigma) * sigma for sigma in (2, 6, 20)], axis=0)
    levels = 30 + 200 * (mixed - mixed.min()) / np.ptp(mixed)
    return Image.fromarray(levels.astype(np.uint8))


def taken(picture: Image.Image, quality: int = 90) -> Fingerprint:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return fingerprint(decode_radiograph(stream.getvalue()))


def marked(picture: Image.Image) -> Image.Image:
    changed = picture.copy()
    ImageDraw.Draw(changed).rectangle((10, 10, 60, 30), fill=255)
    return changed


def framed(picture: Image.Image) -> Image.Image:
    frame = Image.new("L", (picture.width + 80, picture.height + 10))
    frame.paste(picture, (40, 5))
    return frame


def cut(left: float, top: float, right: float, bottom: float) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        return picture.crop(
            (
                round(left * width),
                round(top * height),
                round((1 - right) * width),
                round((1 - bottom) * height),
            )
        )

    return change


CHANGES: dict[str, Change] = {
    "half the size": lambda picture: picture.resize((150, 170)),
    "gamma": lambda picture: picture.point([round(255 * (v / 255) ** 1.5) for v in range(256)]),
    "mark": marked,
    "frame": framed,
    "tilt": lambda picture: picture.rotate(2),
    "crop on every side": cut(0.1, 0.1, 0.1, 0.1),
    "crop of the top": cut(0, 0.15, 0, 0),
    "crop of a corner": cut(0.12, 0, 0, 0.08),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_found_among_others(name: str) -> None:
    films = [film(seed) for seed in range(8)]
    copy = CHANGES[name](films[3])
    found = find_near_duplicates([*map(taken, films), taken(copy, quality=60)], range(9))
    assert [(pair.first, pair.second) for pair in found] == [(3, 8)]
    assert 0 < found[0].distance <= MAX_DISTANCE


def test_pictures_of_one_group_are_not_compared() -> None:
    prints = [taken(film(0)), taken(film(0), quality=50), taken(film(1))]
    assert find_near_duplicates(prints, ["a", "a", "b"]) == []
    assert len(find_near_duplicates(prints, ["a", "b", "b"])) == 1


def test_a_copy_has_distance_0_and_nearer_pairs_come_first() -> None:
    prints = [taken(film(0)), taken(film(0)), taken(film(1)), taken(film(1), quality=20)]
    found = find_near_duplicates(prints, range(4))
    assert [(pair.first, pair.second) for pair in found] == [(0, 1), (2, 3)]
    assert found[0].distance == pytest.approx(0, abs=1e-6)


def test_black_and_flat_pictures_are_no_duplicates() -> None:
    flat = [fingerprint(np.full((1, 256, 256), level, np.uint8)) for level in (0, 0, 90, 90)]
    assert find_near_duplicates([*flat, taken(film(0))], range(5)) == []


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pictures_have_no_pairs(n: int) -> None:
    assert find_near_duplicates([taken(film(0))] * n, range(n)) == []


def test_the_first_hash_is_imagehashs_of_the_whole_picture() -> None:
    item = taken(film(2))
    expected = imagehash.phash(Image.fromarray(item.thumbnail), hash_size=HASH_SIDE).hash.ravel()
    bits = np.unpackbits(item.hashes, axis=1)
    assert bits.shape == (len(WINDOWS), HASH_SIDE**2)
    assert (bits[0] != expected).sum() <= 4  # phash itself scales by another filter
    assert all((one != other).any() for one, other in pairwise(bits))


def brute_force(hashes: NDArray[np.uint8], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Hamming distance of each whole's nearest window to each part, pair by pair."""
    bits = np.unpackbits(hashes, axis=2)
    n = len(bits)
    distance = np.full((n, n), np.inf)
    for whole in range(n):
        for part in range(n):
            if codes[whole] != codes[part]:
                distance[whole, part] = min(int((window != bits[part, 0]).sum()) for window in bits[whole])
    return distance


def test_candidates_are_the_nearest_by_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks smaller than the set must be merged; of ties any may be kept, so distances are compared."""
    monkeypatch.setattr(near_duplicates, "_ROWS", 5)
    monkeypatch.setattr(near_duplicates, "_COLUMNS", 7)
    random = np.random.default_rng(0)
    hashes = random.integers(0, 256, (23, len(WINDOWS), HASH_SIDE**2 // 8), dtype=np.uint8)
    codes = random.integers(0, 9, 23)
    distance = brute_force(hashes, codes)
    found = set(near_duplicates._candidates(hashes, codes))
    for place in range(23):
        for axis in (0, 1):  # as the whole, and as the part
            near = sorted(distance[whole, part] for whole, part, _ in found if (whole, part)[axis] == place)
            line = distance[place] if axis == 0 else distance[:, place]
            assert near[:NEAREST] == sorted(line)[:NEAREST]
    bits = np.unpackbits(hashes, axis=2)
    for whole, part, window in found:
        assert (bits[whole, window] != bits[part, 0]).sum() == distance[whole, part]


def test_a_film_in_two_real_collections_is_found_and_nothing_else() -> None:
    """One publication's figure, cropped by one collection: the eye says the same, the file's bytes do not."""
    data = shared_data()
    if data is None:
        pytest.skip("no real radiographs on this machine")
    with (data / "cxr" / "metadata.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "frontal_cxr"]
    twice = ["images/armiro/036.jpg", "images/cohen/all14238-fig-0002-m-e.jpg"]
    others = [row for row in rows[::60] if row["path"] not in twice]
    paths = [*twice, *(row["path"] for row in others)]
    prints = [fingerprint(decode_radiograph((data / "cxr" / path).read_bytes())) for path in paths]
    groups = ["one", "two", *(row["patient_id"] for row in others)]
    found = find_near_duplicates(prints, groups)
    assert [(pair.first, pair.second) for pair in found] == [(0, 1)]
    assert found[0].distance < 0.05
