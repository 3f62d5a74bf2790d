"""Finds pictures that show the same radiograph: resized, re-encoded, re-windowed, marked, tilted or cropped.

Three steps, each on fewer pairs than the one before:

1. Perceptual hashes (`imagehash.phash`) of the whole picture and of 64 windows of it. The whole of one
   picture that was cropped from another hashes as that one's window, so every whole is compared with
   every window: one matrix product per block, and each picture keeps its three nearest either way.
2. Those pairs are laid over each other coarsely (`alignment.py`), and most are dropped.
3. The rest are laid over each other finely; the correlation of their detail decides.

`imagehash.crop_resistant_hash` was tried and left: its segments are bright and dark regions of fixed
levels, which another window setting moves, and it takes 110 ms a picture.

Found, of 100 chest films each that were changed on purpose, among 3,819 pictures of eleven collections: all
that were halved or reduced to 64 pixels, recompressed (JPEG quality 40), given gamma 0.7 or 1.5, tilted by 3
degrees, cropped by 3 to 15 % on every side or by 10 to 20 % on one (one missed); 96 with an equalised
histogram, 94 with a white mark and letters; 85 cropped at random by up to 25 % per axis; 68 tilted by 5
degrees. Mirror images, quarter turns and crops to less than 70 % of an axis are not looked for. For false
alarms see `MAX_DISTANCE`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import imagehash
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from hilum.console import track
from training.data.alignment import Detail, align, window_warp
from training.data.parallel import map_in_processes

MAX_DISTANCE = 0.17
"""Largest distance, 1 - correlation, at which two pictures are called near-duplicates.

Among the 2.84 million pairs of 2,382 frontal chest films, 17 lie below it, all of them one film twice to the
eye; the next is at 0.32. False alarms per million pairs: none up to 0.30 (at most 1.1 with 95 % confidence),
3.5 up to 0.35, 25 up to 0.40, 121 up to 0.45. The rate per pair did not change with the number of films (600,
1,200, 2,382), so false alarms grow with its square; carried on downwards by these steps there would be about
one in the 312 million pairs of 25,000 films. Blurred little pictures of other things come nearer: hands of
64 pixels to 0.18.
"""

MAX_RATIO = 0.5
"""Largest ratio of that distance to the next one beyond `MAX_DISTANCE` that either picture has.

Pictures with little detail, drawn ones above all, come near each other without showing the same; a copy
stands out from what is merely alike (the ratio test of Lowe 2004, International Journal of Computer Vision
60:91, section 7.1). Of 600 synthetic films it leaves no pair where 105 were within `MAX_DISTANCE`; of the
real ones above it costs none.
"""

HASH_SIDE = 12
"""A hash holds the signs of 12 x 12 low frequencies: 144 bits."""

THUMBNAIL_PX = 96
"""Side of the thumbnails that pairs are compared on."""

NEAREST = 3
"""Candidates per picture, as the part and again as the whole."""

_AXIS_WINDOWS = ((0, 1), (0, 0.9), (0.05, 0.9), (0.1, 0.9), (0, 0.8), (0.1, 0.8), (0.2, 0.8), (0.15, 0.7))
"""Start and length of the windows along one axis, as shares of it."""

WINDOWS = np.array(
    [(left, top, width, height) for left, width in _AXIS_WINDOWS for top, height in _AXIS_WINDOWS]
)
"""(W, 4) left, top, width and height of each window; the first is the whole picture."""

_BLACK = 8
"""Gray levels up to which an edge row or column is border: the letterbox, or a frame with JPEG noise."""

_COARSE_GRID, _FINE_GRID = 32, 64
_COARSE_ITERATIONS, _FINE_ITERATIONS = 8, 8
_COARSE_CORRELATION = 0.7
"""Coarse correlation below which a pair is dropped; 99 % of changed copies reach 0.77."""

_ROWS, _COLUMNS = 32, 1024
"""Pictures per block of the hash comparison: their windows' products, 8 MB, stay in the processor's cache."""

_BATCH = 64
"""Pairs that a worker process compares at a time."""

_Pair = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]
"""Thumbnail of the whole, thumbnail of the part, and the window of the whole to begin with."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture is compared by."""

    hashes: NDArray[np.uint8]
    """(W, 18), the perceptual hash of each window, eight bits a byte."""
    thumbnail: NDArray[np.uint8]
    """(96, 96), the picture without its black border, stretched to a square."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two pictures that show the same."""

    first: int
    """Place of one picture in the sequence that was searched."""
    second: int
    """Place of the other, after `first`."""
    distance: float
    """1 - correlation of their detail, laid over each other: 0 for a copy, at most `MAX_DISTANCE`."""


def fingerprint(radiograph: NDArray[np.uint8]) -> Fingerprint:
    """Return what a canonical radiograph, (1, 256, 256) uint8, is compared by."""
    picture = Image.fromarray(_without_border(radiograph[0]))
    thumbnail = picture.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BILINEAR)
    hashes = [_hash(thumbnail, window) for window in WINDOWS]
    return Fingerprint(np.packbits(np.stack(hashes), axis=1), np.asarray(thumbnail))


def find_near_duplicates(fingerprints: Sequence[Fingerprint], groups: ArrayLike) -> list[NearDuplicate]:
    """Return the near-duplicates among N pictures, nearest first.

    Memory grows with N, some 10 kB a picture. Time grows with N^2 for the hashes, in matrix products that use
    every core (12 TFLOP for 25,000 pictures: two minutes on two cores), and with N for the rest (some 8 ms a
    picture and core).

    Args:
        fingerprints: of the N pictures.
        groups: (N,) pictures of one group are not compared with each other.
    """
    if len(fingerprints) < 2:
        return []
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    hashes = np.stack([item.hashes for item in fingerprints])
    candidates = list(_candidates(hashes, codes))
    pairs = [
        (fingerprints[whole].thumbnail, fingerprints[part].thumbnail, WINDOWS[window])
        for whole, part, window in candidates
    ]
    batches = [pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH)]
    distances = chain.from_iterable(map_in_processes(_distances, batches, "Comparing similar images"))
    nearest: dict[tuple[int, int], float] = {}
    for (whole, part, _), distance in zip(candidates, distances, strict=True):
        key = (min(whole, part), max(whole, part))
        nearest[key] = min(distance, nearest.get(key, distance))
    found = [NearDuplicate(*pair, nearest[pair]) for pair in _standing_out(nearest)]
    return sorted(found, key=lambda pair: (pair.distance, pair.first, pair.second))


def _standing_out(distances: Mapping[tuple[int, int], float]) -> Iterator[tuple[int, int]]:
    """Yield the pairs within `MAX_DISTANCE` and well nearer than what is merely alike."""
    alike: dict[int, float] = {}
    for pair, distance in distances.items():
        if distance > MAX_DISTANCE:
            for place in pair:
                alike[place] = min(distance, alike.get(place, distance))
    for pair, distance in distances.items():
        next_best = min(alike.get(place, 1.0) for place in pair)
        if distance <= min(MAX_DISTANCE, MAX_RATIO * next_best):
            yield pair


def _without_border(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut black rows and columns off the edges; a black picture stays as it is."""
    rows, columns = (np.flatnonzero(picture.max(axis=axis) > _BLACK) for axis in (1, 0))
    if not len(rows):
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _hash(thumbnail: Image.Image, window: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the (144,) perceptual hash of a window."""
    left, top, width, height = (THUMBNAIL_PX * window).tolist()
    side = 4 * HASH_SIDE  # what phash itself reduces a picture to
    part = thumbnail.resize(
        (side, side), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
    )
    bits: NDArray[np.bool_] = imagehash.phash(part, hash_size=HASH_SIDE).hash
    return bits.ravel()


def _candidates(hashes: NDArray[np.uint8], codes: NDArray[Any]) -> Iterator[tuple[int, int, int]]:
    """Yield (whole, part, window of the whole) for the pairs worth a closer look, each once."""
    pairs = np.array(sorted(set(_nearest_pairs(hashes, codes))), dtype=np.int64).reshape(-1, 2)
    for chunk in np.array_split(pairs, len(pairs) // 4096 + 1):
        differing = hashes[chunk[:, 0]] ^ hashes[chunk[:, 1], :1]
        windows = np.unpackbits(differing, axis=2).sum(axis=2, dtype=np.int64).argmin(axis=1)
        for (whole, part), window in zip(chunk.tolist(), windows.tolist(), strict=True):
            yield whole, part, window


def _nearest_pairs(hashes: NDArray[np.uint8], codes: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Yield, for each picture, the nearest it may be a part of, and the nearest that may be a part of it.

    The nearness of a whole and a part is the largest agreement of the part's hash with a window's of the
    whole: bits that agree less bits that differ, a product of signs.
    """
    n, n_windows = hashes.shape[:2]
    kept = min(NEAREST, n - 1)
    parts = _signs(hashes[:, 0]).T
    best = np.full((kept, n), -np.inf, dtype=np.float32)
    best_wholes = np.zeros((kept, n), dtype=np.int64)
    starts = range(0, n, _ROWS)
    for start in track(starts, "Looking for similar images", total=len(starts)):
        wholes = np.arange(start, min(start + _ROWS, n))
        signs = _signs(hashes[wholes].reshape(-1, hashes.shape[2]))
        nearness = np.empty((len(wholes), n), dtype=np.float32)
        for left in range(0, n, _COLUMNS):
            agreement = signs @ parts[:, left : left + _COLUMNS]
            nearness[:, left : left + _COLUMNS] = agreement.reshape(len(wholes), n_windows, -1).max(axis=1)
        nearness[codes[wholes, None] == codes] = -np.inf
        for row, columns in enumerate(np.argpartition(-nearness, kept - 1, axis=1)[:, :kept]):
            yield from _finite(nearness[row, columns], [wholes[row]] * kept, columns)
        nearness = np.concatenate([best, nearness])
        rows = np.argpartition(-nearness, kept - 1, axis=0)[:kept]
        known = np.concatenate([best_wholes, np.broadcast_to(wholes[:, None], (len(wholes), n))])
        best, best_wholes = (np.take_along_axis(values, rows, axis=0) for values in (nearness, known))
    for row in range(kept):
        yield from _finite(best[row], best_wholes[row], np.arange(n))


def _finite(
    nearness: NDArray[np.float32], wholes: Iterable[Any], parts: Iterable[Any]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs that may be compared."""
    for near, whole, part in zip(nearness, wholes, parts, strict=True):
        if near > -np.inf:
            yield int(whole), int(part)


def _signs(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (..., 144) hashes as +1 and -1: then a product counts agreeing less differing bits, exactly."""
    bits = np.unpackbits(packed, axis=-1, count=HASH_SIDE**2)
    return bits.astype(np.float32) * 2 - 1


def _distances(pairs: Sequence[_Pair]) -> list[float]:
    """Return the distance of each pair. Runs in worker processes."""
    return [_distance(*pair) for pair in pairs]


def _distance(whole: NDArray[np.uint8], part: NDArray[np.uint8], window: NDArray[np.float64]) -> float:
    """Return 1 - correlation of two thumbnails, the second laid over a window of the first or near it.

    1 for a pair that the coarse step drops.
    """
    coarse, warp = align(
        Detail.of(_halved(whole), _COARSE_GRID),
        Detail.of(_halved(part), _COARSE_GRID),
        window_warp(*window),
        iterations=_COARSE_ITERATIONS,
    )
    if coarse < _COARSE_CORRELATION:
        return 1.0
    fine, _ = align(
        Detail.of(whole, _FINE_GRID), Detail.of(part, _FINE_GRID), warp, iterations=_FINE_ITERATIONS
    )
    return 1 - fine


def _halved(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the means of 2 x 2 pixels."""
    side = THUMBNAIL_PX // 2
    means: NDArray[np.float32] = thumbnail.reshape(side, 2, side, 2).mean(axis=(1, 3), dtype=np.float32)
    return means
