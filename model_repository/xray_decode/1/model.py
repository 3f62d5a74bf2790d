"""`xray_decode`: bytes of an image file in, canonical radiograph out.

A refusal is the caller's error (INVALID_ARG) and carries the refusal's own sentence. Nothing that
stood in a file is ever logged or answered. A copy for the challenger is decoded, but not counted.
"""

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from hilum.contract import IMAGE_BYTES, MIRRORED_IMAGE, RADIOGRAPH
from hilum.radiograph import REASONS, RadiographError, decode_radiograph
from hilum.triton.metrics import (
    DECODE_BUCKETS_S,
    DECODE_DURATION,
    IMAGES,
    UNDECODABLE,
    Counter,
    Histogram,
    hand_on_the_rest,
)

INTERNAL_ERROR = "internal_error"
"""Reason of a failure that is the decoder's own."""


class _RefusedError(Exception):
    """One image of a request that cannot be decoded: what to answer and to count."""

    def __init__(self, sentence: str, code: int, reason: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason


class TritonPythonModel:
    """One decoding process."""

    def initialize(self, _args: Mapping[str, str]) -> None:
        """Register the metrics."""
        self._images = Counter(IMAGES, "outcome", ["undecodable"])
        self._reasons = Counter(UNDECODABLE, "reason", [*REASONS, INTERNAL_ERROR])
        self._duration = Histogram(DECODE_DURATION, DECODE_BUCKETS_S)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Decode each request's images; a request with one image refused is refused."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Count what is not counted yet."""
        hand_on_the_rest()

    def _answer(self, request: Any) -> Any:
        files = pb_utils.get_input_tensor_by_name(request, IMAGE_BYTES.name).as_numpy().reshape(-1)
        mirrored = pb_utils.get_input_tensor_by_name(request, MIRRORED_IMAGE.name) is not None
        radiographs = np.empty((len(files), *RADIOGRAPH.shape), np.uint8)
        for index, data in enumerate(files):
            try:
                radiographs[index] = self._decode(data)
            except _RefusedError as refusal:
                if not mirrored:
                    self._images.add("undecodable")
                    self._reasons.add(refusal.reason)
                where = f"Image {index + 1} of {len(files)}: " if len(files) > 1 else ""
                return pb_utils.InferenceResponse(
                    error=pb_utils.TritonError(f"{where}{refusal}", refusal.code)
                )
        return pb_utils.InferenceResponse([pb_utils.Tensor(RADIOGRAPH.name, radiographs)])

    def _decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        start = time.perf_counter()
        try:
            return decode_radiograph(data)
        except RadiographError as error:
            raise _RefusedError(str(error), pb_utils.TritonError.INVALID_ARG, error.reason) from None
        except Exception as error:
            # The message may quote the file: log the kind of error and the place only.
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            pb_utils.Logger.log_error(f"xray_decode: {kind} at {place.filename}:{place.lineno}")
            raise _RefusedError(
                f"The decoder failed on this image ({kind}); the server's log says where. "
                "Save the image as PNG or JPEG and send it again.",
                pb_utils.TritonError.INTERNAL,
                INTERNAL_ERROR,
            ) from None
        finally:
            self._duration.observe(time.perf_counter() - start)
