"""Overlays that show where on the radiograph the evidence for the reported finding lies."""

import io
from pathlib import Path

from clients.results import Screening
from hilum.contract import LABELS, NOTICE
from hilum.files import safe_name, write_atomic
from hilum.overlay import draw_overlay, with_lines
from hilum.radiograph import decode_radiograph


class HeatmapFolder:
    """Gives each screened file an overlay's path of its own inside one folder."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` if it is not there.

        Raises:
            OSError: it cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._taken: set[str] = set()

    def reserve(self, path: Path) -> Path:
        """Return a path inside the folder that no earlier file was given, named after the file's stem."""
        stem = safe_name(path.stem)
        name, copies = stem, 1
        while name.casefold() in self._taken:
            copies += 1
            name = f"{stem}-{copies}"
        self._taken.add(name.casefold())
        return self._folder / f"{name}.heatmap.png"


def write_heatmap(path: Path, image: bytes, screening: Screening) -> None:
    """Write the overlay of an accepted image's finding as PNG, with a caption and the notice under it.

    Raises:
        RadiographError: `image` cannot be decoded here.
        OSError: the disk is full or read-only; nothing is left behind.
    """
    assert screening.finding is not None, "a rejected image has no activation map"
    assert screening.probabilities is not None
    assert screening.activation_map is not None
    overlay = draw_overlay(
        decode_radiograph(image)[0], screening.activation_map[LABELS.index(screening.finding)]
    )
    caption = (
        f"Evidence for {screening.finding}, probability {screening.probabilities[screening.finding]:.2f}, "
        f"release {screening.release}"
    )
    content = io.BytesIO()
    with_lines(overlay, [caption, NOTICE]).save(content, "PNG")
    write_atomic(path, content.getvalue())
