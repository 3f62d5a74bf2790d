"""Triton's front door: what the served release says to one image."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import streamlit as st

from clients.client import ScreeningClient
from clients.errors import ClientError, RadiographRefusedError, TooLargeError
from clients.results import Screening
from dashboard.errors import SourceLyingError, SourceUnreachableError
from hilum.contract import RADIOGRAPH_SIZE_PX
from hilum.errors import ServiceUnreachableError
from hilum.operating_point import OperatingPoint
from hilum.settings import settings
from hilum.tls import TlsFiles

SOURCE = "Triton"

TIMEOUT_S = 20.0
"""Longest wait for one answer, in seconds."""

_ROUNDING = 1e-5


@st.cache_resource(show_spinner=False)
def client() -> ScreeningClient:
    """Return the connection that all readers share; it holds nothing of an image."""
    return ScreeningClient(
        settings().triton_address, timeout_s=TIMEOUT_S, tls=TlsFiles.from_settings(settings())
    )


def screen(image: bytes) -> Screening:
    """Return the answer for the content of one file, with heat maps; nothing is kept.

    Raises:
        RadiographRefusedError: the bytes are no radiograph.
        TooLargeError: there are more of them than the decoder takes.
        SourceError: Triton does not answer, serves no release, or answers what cannot be true.
    """
    with _source_errors():
        screening = client().screen(image, heatmap=True)
    nonsense = _nonsense(screening)
    if nonsense:
        raise SourceLyingError(SOURCE, settings().triton_address, nonsense)
    return screening


def operating_point(release: int) -> OperatingPoint:
    """Return the thresholds from which a release reports findings.

    Raises:
        SourceError: as for `screen`.
    """
    with _source_errors():
        return client().operating_point(release)


@contextmanager
def _source_errors() -> Iterator[None]:
    """Turn what the client raises of the server into errors of a source; what it says of a file stays.

    NOTE: each image is asked about, whatever became of the one before: one that takes too long must not
    cost other readers theirs, as it would if a failure were remembered.
    """
    address = settings().triton_address
    try:
        yield
    except (RadiographRefusedError, TooLargeError):
        raise
    except ServiceUnreachableError as error:
        raise SourceUnreachableError(SOURCE, address, type(error).__name__) from error
    except ClientError as error:
        raise SourceLyingError(SOURCE, address, str(error)) from error
    except Exception as error:  # a liar can break the reading of its answer anywhere
        raise SourceLyingError(SOURCE, address, type(error).__name__) from error


def _nonsense(screening: Screening) -> str:
    """Return what of an answer cannot be true; empty where all can.

    NOTE: an accepted image without probabilities, which is how NaN arrives, must not pass for a rejected one.
    """
    if not _is_share(screening.valid_probability):
        return "the filter's probability is none"
    if screening.accepted != (screening.probabilities is not None):
        return "the filter and the classifier contradict each other"
    shares = [] if screening.probabilities is None else list(screening.probabilities.values())
    if not all(map(_is_share, shares)) or (shares and not math.isclose(sum(shares), 1, abs_tol=0.01)):
        return "the probabilities are none"
    activation_map = screening.activation_map
    if activation_map is None:
        return ""
    if max(activation_map.shape) > RADIOGRAPH_SIZE_PX or not activation_map.size:
        return "the activation map has an impossible size"
    return "" if np.isfinite(activation_map).all() else "the activation map is not finite"


def _is_share(value: float) -> bool:
    """Tell whether a value is in [0, 1], but for rounding; NaN is not."""
    return -_ROUNDING <= value <= 1 + _ROUNDING


@st.cache_data(ttl=4, show_spinner=False)
def trouble() -> str:
    """Return why the front door does not answer; empty where it does."""
    try:
        client().check_ready()
    except (ClientError, ServiceUnreachableError) as error:
        return type(error).__name__.removesuffix("Error")
    return ""
