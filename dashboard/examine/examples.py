"""Pictures to try the page with: drawn by Hilum itself, of nobody."""

import io
from functools import cache

import numpy as np
from PIL import Image

from dashboard.language import mark
from hilum.contract import LABELS

EXAMPLES = {
    "no_finding": mark("a clear chest"),
    "lung_opacity": mark("an opacity"),
    "covid19": mark("COVID-19"),
    "bones": mark("a hand or knee"),
}
"""Name of each drawing, and what its button says."""

_SEED = 7


@cache
def example(name: str) -> bytes:
    """Return a drawing as PNG, the same one every time."""
    from training.data.anatomy import draw_radiograph
    from training.data.pictures import draw_bones

    random = np.random.default_rng(_SEED)
    picture = draw_radiograph(random, name) if name in LABELS else np.asarray(draw_bones(random))
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
