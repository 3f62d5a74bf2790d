"""Where tests find what is not part of the repository, on machines that have it."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_data() -> Path | None:
    """Return the folder that holds `cxr/` and `hostile/`, or None on a machine without them."""
    folder = Path(os.environ.get("HILUM_DATA") or REPOSITORY.parent / "shared" / "data")
    return folder if (folder / "cxr" / "metadata.csv").is_file() else None


def crd_folder() -> Path | None:
    """Return the folder with KServe's CustomResourceDefinitions, or None on a machine without them."""
    folder = Path(os.environ.get("HILUM_CRDS") or REPOSITORY.parent / "shared" / "crds")
    return folder if (folder / "inferenceservices.serving.kserve.io.json").is_file() else None
