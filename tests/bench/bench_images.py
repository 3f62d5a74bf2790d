"""Images whose answers are known: the served filter accepts some and rejects the same ones upside down."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from clients.client import ScreeningClient
from clients.image_files import find_images
from hilum.errors import UsageError
from tests.support.data import shared_data
from training.data.synthetic import draw_data_set

PER_KIND = 16
"""Accepted and rejected images that are sent in turn."""

CANDIDATES = 150
"""Files of one source that are tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchImages:
    """JPEG files by what the served filter says to them."""

    accepted: list[bytes]
    rejected: list[bytes]


def find_bench_images(url: str, folder: Path | None) -> BenchImages:
    """Return images that the server accepts, and their upside-down copies that it rejects.

    They come from `folder`; without one from real radiographs where this machine has them, or else from
    synthetic ones: whichever the served filter was trained to tell apart.

    Raises:
        UsageError: the filter does not accept and reject enough of them.
    """
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as scratch, ScreeningClient(url) as client:
        for source in _sources(folder, Path(scratch)):
            pairs = (_upright_and_upside_down(path) for path in _spread(find_images([source]), CANDIDATES))
            fit = list(islice((pair for pair in pairs if _tells_apart(client, *pair)), PER_KIND))
            if len(fit) == PER_KIND:
                return BenchImages(accepted=[pair[0] for pair in fit], rejected=[pair[1] for pair in fit])
    raise UsageError(
        f"The served filter did not accept {PER_KIND} images whose upside-down copies it rejects. "
        "Name a folder of frontal chest radiographs like those it was trained on with --images."
    )


def _sources(folder: Path | None, scratch: Path) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    data = shared_data()
    if data is not None:
        yield data / "cxr" / "images"
    draw_data_set(scratch / "synthetic", 60, 1)
    yield scratch / "synthetic" / "images"


def _spread(paths: list[Path], count: int) -> Iterable[Path]:
    """Return at most `count` paths from all over the list."""
    return paths[:: max(1, len(paths) // count)]


def _upright_and_upside_down(path: Path) -> tuple[bytes, bytes]:
    with Image.open(path) as image:
        gray = image.convert("L")
    return _as_jpeg(gray), _as_jpeg(gray.transpose(Image.Transpose.ROTATE_180))


def _as_jpeg(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return content.getvalue()


def _tells_apart(client: ScreeningClient, upright: bytes, upside_down: bytes) -> bool:
    return client.screen(upright).accepted and not client.screen(upside_down).accepted
