"""The synchronous gRPC client of the front door."""

import re
import time
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
from clients.shadow import Shadow, ShadowCounts, ShadowPolicy
from hilum.contract import (
    ACCEPTED,
    ACTIVATION_MAP,
    CHALLENGER_SCREENING,
    EMBEDDING,
    SCREENING,
    VALID_PROBABILITY,
    Tensor,
)
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint

HEALTH_TIMEOUT_S = 5.0
"""Longest wait for the answer to "are you there?", in seconds."""


class ScreeningClient:
    """Asks a Triton server's front door about radiographs, over one gRPC connection.

    Threads may share a client: its gRPC channel may be shared, and the rest is a cache of
    operating points that only grows.

    Example:
        >>> with ScreeningClient("127.0.0.1:8001") as client:  # doctest: +SKIP
        ...     client.screen(Path("scan.dcm").read_bytes()).finding
        'lung_opacity'
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 30.0,
        model: str = SCREENING,
        shadow: ShadowPolicy | None = None,
    ) -> None:
        """Prepare a connection to `url`, `host:port` of Triton's gRPC service; nothing is sent yet.

        Args:
            url: `host:port`, without a scheme.
            timeout_s: longest wait for one answer, in seconds.
            model: the front door: the champion's, or `CHALLENGER_SCREENING`.
            shadow: also asks the challenger about a sample of the images, without the caller waiting for it.

        Raises:
            UsageError: `url` is no `host:port`, or `timeout_s` is not above 0.
            OSError: the record of mirrored requests cannot be opened.
        """
        if not re.fullmatch(r"[^\s/]+:\d+", url):
            raise UsageError(f"Triton's gRPC address must be host:port, such as 127.0.0.1:8001; got {url!r}.")
        if timeout_s <= 0:
            raise UsageError(f"The time allowed for an answer must be above 0 s, got {timeout_s:g} s.")
        self.url = url
        self.timeout_s = timeout_s
        self.model = model
        self._grpc = InferenceServerClient(url, channel_args=CHANNEL_OPTIONS)
        self._operating_points: dict[int, OperatingPoint] = {}
        self._shadow = None if shadow is None else self._make_shadow(shadow)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way in other threads fail at once.

        Mirrored requests are waited for first, no longer than their policy says.
        """
        if self._shadow is not None:
            self._shadow.close()
        self._grpc.close()

    @property
    def shadow_counts(self) -> ShadowCounts:
        """What became of the images that were to be mirrored to the challenger; none without a policy."""
        return ShadowCounts() if self._shadow is None else self._shadow.counts

    def check_ready(self) -> None:
        """Return if the server answers and serves this client's front door.

        Raises:
            ServerUnreachableError: nothing answers at the address.
            DeadlineExceededError: no answer came within `HEALTH_TIMEOUT_S`.
            ModelNotReadyError: the server answers without the model.
        """
        with translated(self.url, HEALTH_TIMEOUT_S, model=self.model):
            self._grpc.is_server_live(client_timeout=HEALTH_TIMEOUT_S)
            ready = self._grpc.is_model_ready(self.model, client_timeout=HEALTH_TIMEOUT_S)
        if not ready:
            raise ModelNotReadyError(self.url, self.model, "no version of it is loaded")

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
        start = time.perf_counter()
        screening = self._screen(image, extra)
        if self._shadow is not None:
            self._shadow.offer(image, screening, time.perf_counter() - start)
        return screening

    def _screen(self, image: bytes, extra: list[Tensor]) -> Screening:
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
        with translated(self.url, self.timeout_s, model=self.model):
            return self._grpc.infer(
                self.model,
                [image_input(image)],
                outputs=requested_outputs(*extra),
                client_timeout=self.timeout_s,
            )

    def _operating_point(self, release: int) -> OperatingPoint:
        """Return the decision thresholds of a release, asked for once: a release never changes."""
        if release not in self._operating_points:
            with translated(self.url, self.timeout_s, model=self.model):
                answer = self._grpc.get_model_config(self.model, str(release), client_timeout=self.timeout_s)
            parameters = {name: value.string_value for name, value in answer.config.parameters.items()}
            try:
                self._operating_points[release] = OperatingPoint.from_parameters(parameters)
            except (UsageError, ValueError) as error:
                raise ContractMismatchError(f"release {release} has no operating point: {error}") from error
        return self._operating_points[release]

    def _make_shadow(self, policy: ShadowPolicy) -> Shadow:
        """Connect a second client, to the challenger's front door."""
        challenger = ScreeningClient(self.url, timeout_s=policy.timeout_s, model=CHALLENGER_SCREENING)
        return Shadow(policy, challenger.screen, challenger.close)


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
