"""Writes an explanation to a folder and to the MLflow run that trained the network."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hilum.files import write_atomic
from training import artifacts, tracking
from training.explain.explained import ExplainedImages
from training.explain.files import draw_files, overlay_files
from training.explain.sanity import Sanity
from training.explain.summary import ClassSummary, images_frame, warnings_of

FOLDER = "explanations"
"""Artifact folder of a training run; inside it one folder per method, in that one per place."""

TABLE = "table.csv"
"""One row per explained image."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanations:
    """What one method found on one split, and whether to believe it."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    split: str
    """Where the images come from."""
    place: str
    """The split, or for another data set than the network's own a folder that names it too."""
    data_digest: str
    """Of the data set."""
    images: ExplainedImages
    """The images and their heat maps."""
    classes: tuple[ClassSummary, ...]
    """Per true class."""
    sanity: Sanity | None
    """The checks; None where none were asked for."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything but pixels, as objects that JSON can carry once NaN is replaced."""
        frame = images_frame(self.images, overlay_files(self.images))
        return {
            **self.record(),
            "images": [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")],
        }

    def record(self) -> Mapping[str, Any]:
        """Return what is known of classes and checks, without the rows per image."""
        return {
            "model": self.model,
            "split": self.split,
            "data_digest": self.data_digest,
            "method": self.images.heat.method,
            "classes": [asdict(summary) for summary in self.classes],
            "warnings": list(warnings_of(self.classes)),
            "sanity": self.sanity and {**asdict(self.sanity), "sentence": self.sanity.sentence},
        }


def log_explanations(run_id: str, explanations: Explanations, out: Path) -> None:
    """Write overlays, contact sheets and their table into `out`, and log them to the run.

    Every file is whole or absent; one of the same name is replaced, others in the folder are left alone
    and not logged.

    Raises:
        OSError: the disk is full or the folder cannot be written.
        ServiceUnreachableError: MLflow is gone; the folder holds everything.
    """
    explained = explanations.images
    frame = images_frame(explained, overlay_files(explained))
    destination = f"{FOLDER}/{explained.heat.method}/{explanations.place}"
    with tempfile.TemporaryDirectory(prefix="hilum-") as name:
        upload = Path(name)
        for file, png in draw_files(explained):
            write_atomic(out / file, png)
            write_atomic(upload / file, png)
        write_atomic(out / TABLE, frame.to_csv(index=False).encode())
        artifacts.log_artifacts(run_id, upload, destination)
    tracking.log_results(run_id, destination, record=explanations.record(), table=frame, figures={})
