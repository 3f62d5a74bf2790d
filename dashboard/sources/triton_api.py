"""Triton's front door: what the served release says to one image."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from clients.client import ScreeningClient
from clients.errors import ClientError, RadiographRefusedError, TooLargeError
from clients.results import Screening
from dashboard.errors import SourceLyingError, SourceUnreachableError
from hilum.errors import ServiceUnreachableError
from hilum.operating_point import OperatingPoint
from hilum.settings import settings
from hilum.tls import TlsFiles

SOURCE = "Triton"

TIMEOUT_S = 20.0
"""Longest wait for one answer, in seconds."""


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
        SourceError: Triton does not answer, or serves no release.
    """
    with _source_errors():
        return client().screen(image, heatmap=True)


def operating_point(release: int) -> OperatingPoint:
    """Return the thresholds from which a release reports findings.

    Raises:
        SourceError: as for `screen`.
    """
    with _source_errors():
        return client().operating_point(release)


@contextmanager
def _source_errors() -> Iterator[None]:
    """Turn what the client raises of the server into errors of a source; what it says of a file stays."""
    try:
        yield
    except (RadiographRefusedError, TooLargeError):
        raise
    except ServiceUnreachableError as error:
        raise SourceUnreachableError(SOURCE, settings().triton_address, type(error).__name__) from error
    except ClientError as error:
        raise SourceLyingError(SOURCE, settings().triton_address, str(error)) from error


@st.cache_data(ttl=4, show_spinner=False)
def trouble() -> str:
    """Return why the front door does not answer; empty where it does."""
    try:
        client().check_ready()
    except (ClientError, ServiceUnreachableError) as error:
        return type(error).__name__.removesuffix("Error")
    return ""
