"""The files of an explanation: an overlay per image, and a contact sheet per class."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hilum.contract import NOTICE
from hilum.files import safe_name
from hilum.overlay import OVERLAY_SIZE_PX, with_lines
from training.explain.explained import ExplainedImages
from training.explain.methods import NAMES
from training.explain.pictures import as_png, contact_sheet


def overlay_files(explained: ExplainedImages) -> list[str]:
    """Return the overlay's path of each image, `CLASS/STEM.png`, no two alike."""
    names: list[str] = []
    taken: set[str] = set()
    frame = explained.table.frame
    for label, path in zip(frame["label"], frame["path"], strict=True):
        base = f"{safe_name(label)}/{safe_name(Path(path).stem)}"
        name, copies = base, 1
        while name.casefold() in taken:
            copies += 1
            name = f"{base}-{copies}"
        taken.add(name.casefold())
        names.append(f"{name}.png")
    return names


def draw_files(explained: ExplainedImages) -> Iterator[tuple[str, bytes]]:
    """Yield each picture's path and its PNG: `CLASS/STEM.png` per image, `contact_CLASS.png` per class.

    Each is captioned and carries the notice; where covering places flips the decision, a line surrounds them.
    """
    for index, name in enumerate(overlay_files(explained)):
        overlay = explained.picture(index, OVERLAY_SIZE_PX)
        yield name, as_png(with_lines(overlay, [_caption(explained, index), NOTICE]))
    for label in explained.table.labels:
        rows = np.flatnonzero(explained.table.frame["label"] == label)
        if len(rows):
            sheet = contact_sheet(
                f"Evidence by {NAMES[explained.heat.method]} for the reported class; true class {label}.",
                [explained.canvases[row] for row in rows],
                [explained.picture(row, OVERLAY_SIZE_PX) for row in rows],
                [_short_caption(explained, row) for row in rows],
            )
            yield f"contact_{safe_name(label)}.png", as_png(sheet)


def _caption(explained: ExplainedImages, index: int) -> str:
    """Return what an overlay shows, in full."""
    row, share = explained.table.frame.iloc[index], explained.border_shares[index]
    border = "" if np.isnan(share) else f" {100 * share:.0f} % of the evidence lies on the outer tenth."
    return (
        f"{row['path']}: evidence by {NAMES[explained.heat.method]} for {_decided(explained, index)}. "
        f"True class: {row['label']}.{border}{_flips(explained, index)}"
    )


def _short_caption(explained: ExplainedImages, index: int) -> str:
    stem = Path(explained.table.frame["path"].iloc[index]).stem
    return f"{stem}: {_decided(explained, index)}.{_flips(explained, index)}"


def _decided(explained: ExplainedImages, index: int) -> str:
    label = explained.table.labels[explained.decided[index]]
    return f"{label}, probability {explained.probabilities[index]:.2f}"


def _flips(explained: ExplainedImages, index: int) -> str:
    """Return how many covered places flip the decision; nothing for methods that cover none."""
    occlusion = explained.heat.occlusion
    if occlusion is None:
        return ""
    return f" Covering {occlusion.flipping[index]} of {occlusion.places} places flips it."
