"""The synchronous gRPC client of the front door."""

import re
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferResult

from clients.errors import ModelNotReadyError, ServerFailureError
from clients.grpc_status import translated
from clients.messages import (
    CHANNEL_OPTIONS,
    ContractMismatchError,
    image_input,
    read_output,
    read_probabilities,
    requested_outputs,
)
from clients.results import Screening
from hilum.contract import ACCEPTED, ACTIVATION_MAP, EMBEDDING, SCREENING, VALID_PROBABILITY, Tensor
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint

HEALTH_TIMEOUT_S = 5.0
"""Longest wait for the answer to "are you there?", in seconds."""


class ScreeningClient:
    """Asks a Triton server's `xray_screening` about radiographs, over one gRPC connection.

    Threads may share a client: its gRPC channel may be shared, and the rest is a cache of
    operating points that only grows.

    Example:
        >>> with ScreeningClient("127.0.0.1:8001") as client:  # doctest: +SKIP
        ...     client.screen(Path("scan.dcm").read_bytes()).finding
        'lung_opacity'
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """Prepare a connection to `url`, `host:port` of Triton's gRPC service; nothing is sent yet.

        Args:
            url: `host:port`, without a scheme.
            timeout_s: longest wait for one answer, in seconds.

        Raises:
            UsageError: `url` is no `host:port`, or `timeout_s` is not above 0.
        """
        if not re.fullmatch(r"[^\s/]+:\d+", url):
            raise UsageError(f"Triton's gRPC address must be host:port, such as 127.0.0.1:8001; got {url!r}.")
        if timeout_s <= 0:
            raise UsageError(f"The time allowed for an answer must be above 0 s, got {timeout_s:g} s.")
        self.url = url
        self.timeout_s = timeout_s
        self._grpc = InferenceServerClient(url, channel_args=CHANNEL_OPTIONS)
        self._operating_points: dict[int, OperatingPoint] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way in other threads fail at once."""
        self._grpc.close()

    def check_ready(self) -> None:
        """Return if the server answers and serves `xray_screening`.

        Raises:
            ServerUnreachableError: nothing answers at the address.
            DeadlineExceededError: no answer came within `HEALTH_TIMEOUT_S`.
            ModelNotReadyError: the server answers without the model.
        """
        with translated(self.url, HEALTH_TIMEOUT_S):
            self._grpc.is_server_live(client_timeout=HEALTH_TIMEOUT_S)
            ready = self._grpc.is_model_ready(SCREENING, client_timeout=HEALTH_TIMEOUT_S)
        if not ready:
            raise ModelNotReadyError(self.url, SCREENING, "no version of it is loaded")

    def screen(self, image: bytes, *, heatmap: bool = False, embedding: bool = False) -> Screening:
        """Return the served release's answer for the content of one image file.

        Args:
            image: the file as it is: JPEG, PNG, TIFF, BMP, WebP or DICOM.
            heatmap: also ask for the class activation maps.
            embedding: also ask for the classifier's features.

        Raises:
            RadiographRefusedError: the bytes are no radiograph; the message says why.
            TooLargeError: there are more than the decoder takes; nothing was sent.
            DeadlineExceededError: no answer came within the client's `timeout_s`.
            ServerUnreachableError: nothing answers at the address, or the connection broke.
            ModelNotReadyError: no release is loaded.
            OverloadedError: too many requests are waiting.
            ServerFailureError: the server failed, or answered outside the contract.
        """
        extra = [tensor for tensor, wanted in ((ACTIVATION_MAP, heatmap), (EMBEDDING, embedding)) if wanted]
        try:
            result = self._infer(image, extra)
            try:
                operating_point = self._operating_point(_release(result))
            except ModelNotReadyError:
                # A rollout took the release away between the answer and the question about it.
                result = self._infer(image, extra)
                operating_point = self._operating_point(_release(result))
            return _read_screening(result, operating_point, extra)
        except ContractMismatchError as error:
            raise ServerFailureError(self.url, str(error)) from error

    def _infer(self, image: bytes, extra: list[Tensor]) -> InferResult:
        with translated(self.url, self.timeout_s):
            return self._grpc.infer(
                SCREENING,
                [image_input(image)],
                outputs=requested_outputs(*extra),
                client_timeout=self.timeout_s,
            )

    def _operating_point(self, release: int) -> OperatingPoint:
        """Return the decision thresholds of a release, asked for once: a release never changes."""
        if release not in self._operating_points:
            with translated(self.url, self.timeout_s):
                answer = self._grpc.get_model_config(SCREENING, str(release), client_timeout=self.timeout_s)
            parameters = {name: value.string_value for name, value in answer.config.parameters.items()}
            try:
                self._operating_points[release] = OperatingPoint.from_parameters(parameters)
            except (UsageError, ValueError) as error:
                raise ContractMismatchError(f"release {release} has no operating point: {error}") from error
        return self._operating_points[release]


def _release(result: InferResult) -> int:
    """Return the version of the ensemble that answered."""
    return int(result.get_response().model_version)


def _read_screening(result: InferResult, operating_point: OperatingPoint, extra: list[Tensor]) -> Screening:
    probabilities = read_probabilities(result)

    def wanted(tensor: Tensor) -> NDArray[np.float32] | None:
        if tensor not in extra or probabilities is None:
            return None
        return read_output(result, tensor).astype(np.float32, copy=False)

    return Screening(
        release=_release(result),
        accepted=bool(read_output(result, ACCEPTED)[0]),
        valid_probability=float(read_output(result, VALID_PROBABILITY).astype(np.float64)[0]),
        probabilities=probabilities,
        finding=None if probabilities is None else operating_point.finding(list(probabilities.values())),
        activation_map=wanted(ACTIVATION_MAP),
        embedding=wanted(EMBEDDING),
    )
