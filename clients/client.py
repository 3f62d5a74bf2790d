"""The synchronous gRPC client of the front door."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tritonclient.grpc import InferResult

from clients.errors import ModelNotReadyError, ServerFailureError
from clients.grpc_status import translated
from clients.messages import (
    CHANNEL_OPTIONS,
    ContractMismatchError,
    extra_outputs,
    image_input,
    read_operating_point,
    read_screening,
    release_of,
    requested_outputs,
)
from clients.results import Screening
from clients.shadow import Shadow, ShadowCounts, ShadowPolicy
from clients.terms import HEALTH_TIMEOUT_S, Terms
from hilum.contract import CHALLENGER_SCREENING, SCREENING, Tensor
from hilum.operating_point import OperatingPoint
from hilum.tls import TlsFiles
from hilum.triton.channel import connect

if TYPE_CHECKING:
    from clients.metrics import ClientMetrics


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
        tls: TlsFiles | None = None,
        retries: int = 2,
        metrics: "ClientMetrics | None" = None,
        shadow: ShadowPolicy | None = None,
    ) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            url: `host:port` of Triton's gRPC service; after `dns:///`, all addresses of the host in turn.
            timeout_s: longest wait for one answer, retries included, in seconds.
            model: the front door: the champion's, or `CHALLENGER_SCREENING`.
            tls: whom to trust and what to show; None does not encrypt.
            retries: how often a request whose connection broke is sent again, 0 or more.
            metrics: told of every request; clients may share it.
            shadow: also asks the challenger about a sample of the images, without the caller waiting for it.

        Raises:
            UsageError: a value is none of these, or a file of `tls` cannot be used.
            OSError: the record of mirrored requests cannot be opened.
        """
        self._terms = Terms(
            url=url, timeout_s=timeout_s, model=model, tls=tls, retries=retries, metrics=metrics
        )
        self._retries = self._terms.make_retries()
        self._grpc = connect(url, tls, options=CHANNEL_OPTIONS)
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
            TlsError: client and server do not agree on encryption.
            DeadlineExceededError: no answer came within `HEALTH_TIMEOUT_S`.
            ModelNotReadyError: the server answers without the model.
        """
        with self._translated(HEALTH_TIMEOUT_S):
            self._grpc.is_server_live(client_timeout=HEALTH_TIMEOUT_S)
            ready = self._grpc.is_model_ready(self._terms.model, client_timeout=HEALTH_TIMEOUT_S)
        if not ready:
            raise ModelNotReadyError(self._terms.url, self._terms.model, "no version of it is loaded")

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
            ServerUnreachableError: nothing answers at the address, or the connection broke, retries included.
            TlsError: client and server do not agree on encryption.
            ModelNotReadyError: no release is loaded.
            OverloadedError: too many requests are waiting.
            ServerFailureError: the server failed, or answered outside the contract.
        """
        with self._terms.observed() as request:
            request.screening = screening = self._screen(image, extra_outputs(heatmap, embedding))
        if self._shadow is not None:
            self._shadow.offer(image, screening, request.duration_s)
        return screening

    def _screen(self, image: bytes, extra: list[Tensor]) -> Screening:
        try:
            result = self._infer(image, extra)
            try:
                point = self.operating_point(release_of(result))
            except ModelNotReadyError:
                # A rollout took the release away between the answer and the question about it.
                result = self._infer(image, extra)
                point = self.operating_point(release_of(result))
            return read_screening(result, point, extra)
        except ContractMismatchError as error:
            raise ServerFailureError(self._terms.url, str(error)) from error

    def _infer(self, image: bytes, extra: list[Tensor]) -> InferResult:
        inputs, outputs = [image_input(image)], requested_outputs(*extra)

        def attempt(left_s: float) -> InferResult:
            with self._translated(self._terms.timeout_s):
                return self._grpc.infer(self._terms.model, inputs, outputs=outputs, client_timeout=left_s)

        return self._retries.call(attempt)

    def operating_point(self, release: int) -> OperatingPoint:
        """Return the decision thresholds of a release, asked for once: a release never changes."""
        if release not in self._operating_points:
            with self._translated(self._terms.timeout_s):
                answer = self._grpc.get_model_config(
                    self._terms.model, str(release), client_timeout=self._terms.timeout_s
                )
            self._operating_points[release] = read_operating_point(release, answer.config)
        return self._operating_points[release]

    def _translated(self, timeout_s: float) -> AbstractContextManager[None]:
        """Turn what `tritonclient` raises inside the block into our errors."""
        return translated(self._terms.url, timeout_s, model=self._terms.model, tls=self._terms.tls)

    def _make_shadow(self, policy: ShadowPolicy) -> Shadow:
        """Connect a second client, to the challenger's front door."""
        challenger = ScreeningClient(
            self._terms.url,
            timeout_s=policy.timeout_s,
            model=CHALLENGER_SCREENING,
            tls=self._terms.tls,
            retries=0,
        )
        return Shadow(policy, challenger.screen, challenger.close)
