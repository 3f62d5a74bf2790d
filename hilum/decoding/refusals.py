"""Why bytes are refused as a radiograph: the bounds, and one error class per reason.

    RadiographError                 undecodable
    |-- EmptyFileError              empty
    |-- TooManyBytesError           too_many_bytes
    |-- TooManyPixelsError          too_many_pixels
    |-- TooSmallError               too_small
    |-- TooElongatedError           too_elongated
    |-- UnsupportedFormatError      unsupported_format
    |-- CorruptFileError            corrupt
    |-- MultiFrameError             multi_frame
    `-- NoPixelsError               no_pixels

A message never repeats anything that stood in the file but its format and its size: names and
dates in a DICOM header must not reach logs or answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hilum.errors import HilumError

MAX_BYTES = 64 * 2**20
"""Largest file that is read: 64 MiB."""

MAX_PIXELS = 40_000_000
"""Most pixels that are decoded; the largest detectors in use give 20 million."""

MIN_SIDE_PX = 32
"""Shortest side that can still show a chest."""

MAX_ASPECT = 8.0
"""Largest ratio of the longer to the shorter side."""


DECOMPRESS_DICOM = "Decompress it first, with `gdcmconv --raw` or `dcmdjpeg`."
"""What to do about a DICOM in a compression that is not decoded."""

_SMALL_PIXELS = 2**20
"""Pictures up to this size may be as blank, and so as well compressed, as they like."""

_MAX_PIXELS_PER_BYTE = 1100
"""Best compression that is believed of larger ones: deflate's is 1,032, and radiographs reach about 60."""


class RadiographError(HilumError):
    """These bytes give no canonical radiograph."""

    reason = "undecodable"
    """One of `REASONS`: a bounded set, fit for a Prometheus label."""


class EmptyFileError(RadiographError):
    """The file has no content."""

    reason = "empty"

    def __init__(self) -> None:
        super().__init__("Expected a radiograph, found an empty file of 0 bytes. Send the file again.")


class TooManyBytesError(RadiographError):
    """The file is larger than `MAX_BYTES`."""

    reason = "too_many_bytes"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"Expected a file of at most {MAX_BYTES:,} bytes, found {size:,}. "
            "Export the radiograph again as a single image, as JPEG or 16-bit PNG."
        )
        self.size = size


class TooManyPixelsError(RadiographError):
    """The header claims more than `MAX_PIXELS`."""

    reason = "too_many_pixels"

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"Expected at most {MAX_PIXELS:,} pixels, found a header that claims {width} x {height}. "
            "Export the radiograph again at a smaller size; 2,000 pixels a side are plenty."
        )
        self.width, self.height = width, height


class TooSmallError(RadiographError):
    """A side is shorter than `MIN_SIDE_PX`."""

    reason = "too_small"

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"Expected at least {MIN_SIDE_PX} pixels a side, found {width} x {height}. "
            "Send the radiograph itself, not an icon or a strip of it."
        )
        self.width, self.height = width, height


class TooElongatedError(RadiographError):
    """One side is more than `MAX_ASPECT` times the other."""

    reason = "too_elongated"

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"Expected a longer side of at most {MAX_ASPECT:g} times the shorter, found {width} x {height}. "
            "Send one whole frontal radiograph."
        )
        self.width, self.height = width, height


class UnsupportedFormatError(RadiographError):
    """The content is in no format, or in a variant of one, that is decoded here."""

    reason = "unsupported_format"

    def __init__(self, found: str, remedy: str = "Save the image as PNG or JPEG, or send the DICOM.") -> None:
        super().__init__(f"Expected a JPEG, PNG, TIFF, BMP, WebP or DICOM image, found {found}. {remedy}")


class CorruptFileError(RadiographError):
    """The file is of a supported format, but damaged or cut short."""

    reason = "corrupt"

    def __init__(self, kind: str, detail: str = "it is damaged or cut short") -> None:
        super().__init__(
            f"Expected a whole {kind} file, but {detail}. "
            "Send it again, or export it again from where it came from."
        )


class MultiFrameError(RadiographError):
    """The file holds several images."""

    reason = "multi_frame"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"Expected one image, found a {kind} file of several frames or pages. "
            "Export the frame to be read as an image of its own."
        )


class NoPixelsError(RadiographError):
    """The file is well-formed, but no image is in it."""

    reason = "no_pixels"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"Expected an image, found a {kind} file without pixel data: it holds something else, or was "
            "cut off. Send the image itself."
        )


REASONS = tuple(
    error.reason
    for error in (
        RadiographError,
        EmptyFileError,
        TooManyBytesError,
        TooManyPixelsError,
        TooSmallError,
        TooElongatedError,
        UnsupportedFormatError,
        CorruptFileError,
        MultiFrameError,
        NoPixelsError,
    )
)
"""Every value that `RadiographError.reason` can take."""


def check_length(size: int) -> None:
    """Refuse a file of `size` bytes that is empty or longer than `MAX_BYTES`."""
    if size == 0:
        raise EmptyFileError
    if size > MAX_BYTES:
        raise TooManyBytesError(size)


def check_size(width: int, height: int) -> None:
    """Refuse a picture whose header claims an impossible size in pixels."""
    if min(width, height) < MIN_SIDE_PX:
        raise TooSmallError(width, height)
    if width * height > MAX_PIXELS:
        raise TooManyPixelsError(width, height)
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise TooElongatedError(width, height)


def check_compression(kind: str, width: int, height: int, size: int) -> None:
    """Refuse a header that claims more pixels than `size` compressed bytes can hold.

    Decoders reserve memory for what is claimed before they find that nothing is there.
    """
    if width * height > max(_SMALL_PIXELS, _MAX_PIXELS_PER_BYTE * size):
        raise CorruptFileError(kind, "its header claims more pixels than its bytes can hold")


@contextmanager
def refused_as_corrupt(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises inside the block into `CorruptFileError`.

    Decoders raise anything from `struct.error` to `RecursionError` on hostile bytes, and their
    messages may quote the file; so all of it is caught, and none of it is chained.
    """
    try:
        yield
    except RadiographError:
        raise
    except Exception:
        raise CorruptFileError(kind) from None
