"""Lets torchvision be imported beside a torch build that lacks its compiled operators.

torchvision's wheels on the package index are linked against CUDA. Beside a CPU build of torch their
operator library cannot load, and `import torchvision` fails while it registers shape functions for
`torchvision::nms` and `torchvision::qnms`. Hilum uses neither operator: declaring their schemas is
enough. Where the real operators load, nothing is declared.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_missing_operators() -> None:
    """Declare `torchvision::nms` and `qnms` unless torchvision's own library provides them."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]  # torch leaves it untyped
        except OSError:
            continue
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", _SCHEMA)
