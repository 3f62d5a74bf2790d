"""Where tests find real radiographs, on machines that have them."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_data() -> Path | None:
    """Return the folder that holds `cxr/` and `hostile/`, or None on a machine without them."""
    folder = Path(os.environ.get("HILUM_DATA") or REPOSITORY.parent / "shared" / "data")
    return folder if (folder / "cxr" / "metadata.csv").is_file() else None
