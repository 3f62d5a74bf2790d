"""A radiograph to look into: zoom, shift, and the evidence over it or beside it, all in the browser.

Streamlit's own picture cannot be zoomed into, and a slider of its own would send the picture anew at each
step. What is drawn here comes with the page and nothing of it goes back, so it is as private as the page.
"""

import base64
import io
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from dashboard.language import tr
from hilum.overlay import draw_overlay

_FOLDER = Path(__file__).parent

_component = st.components.v2.component(
    "hilum_viewer",
    html=(_FOLDER / "viewer.html").read_text(),
    css=(_FOLDER / "viewer.css").read_text(),
    js=(_FOLDER / "viewer.js").read_text(),
)


def show_radiograph(
    radiograph: NDArray[np.uint8], activation_map: NDArray[np.float32] | None, *, alt: str, key: str
) -> None:
    """Draw a radiograph and, where there is a map, the evidence that it shows.

    Args:
        radiograph: (256, 256) uint8.
        activation_map: (h, w) float32 of one label; None where nothing was looked for.
        alt: what the coloured picture shows, for readers who do not see it.
        key: names the radiograph: another one is shown as a whole again.
    """
    _component(
        key=key,
        data={
            "gray": data_address(as_jpeg(Image.fromarray(radiograph))),
            "coloured": None
            if activation_map is None
            else data_address(as_jpeg(draw_overlay(radiograph, activation_map))),
            "alt": tr("The picture as the networks saw it"),
            "coloured_alt": alt,
            "words": {
                "help": tr(
                    "Zoom with + and -, move with the arrow keys, and show all with 0; or pinch, drag, "
                    "double-click."
                ),
                "opacity": tr("Strength of the colours"),
                "side": tr("Side by side"),
                "closer": tr("Zoom in"),
                "further": tr("Zoom out"),
                "whole": tr("Whole picture"),
            },
        },
    )


def as_jpeg(picture: Image.Image) -> bytes:
    """Return a picture as a file, small enough to keep many."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def data_address(jpeg: bytes) -> str:
    """Return a picture as an address that holds it, so that no server has to keep it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
