"""The gRPC client of the front door for asyncio: what `clients.client` does, without threads."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tritonclient.grpc import InferResult
from tritonclient.utils import InferenceServerException

from clients.errors import ModelNotReadyError, ServerFailureError
from clients.grpc_status import explain
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
from clients.terms import HEALTH_TIMEOUT_S, Terms
from hilum.contract import SCREENING, Tensor
from hilum.operating_point import OperatingPoint
from hilum.tls import TlsFiles
from hilum.triton.channel import connect_async

if TYPE_CHECKING:
    from clients.metrics import ClientMetrics

T = TypeVar("T")


class AsyncScreeningClient:
    """Asks a Triton server's front door about radiographs, over one gRPC connection of an event loop.

    Any number of tasks may share a client.

    Example:
        >>> async with AsyncScreeningClient("127.0.0.1:8001") as client:  # doctest: +SKIP
        ...     answers = await asyncio.gather(*map(client.screen, images))
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
    ) -> None:
        """Prepare a connection, where an event loop runs; nothing is sent yet.

        Args:
            url: `host:port` of Triton's gRPC service; after `dns:///`, all addresses of the host in turn.
            timeout_s: longest wait for one answer, retries included, in seconds.
            model: the front door: the champion's, or `CHALLENGER_SCREENING`.
            tls: whom to trust and what to show; None does not encrypt.
            retries: how often a request whose connection broke is sent again, 0 or more.
            metrics: told of every request; clients may share it.

        Raises:
            UsageError: a value is none of these, or a file of `tls` cannot be used.
        """
        self._terms = Terms(
            url=url, timeout_s=timeout_s, model=model, tls=tls, retries=retries, metrics=metrics
        )
        self._retries = self._terms.make_retries()
        self._grpc = connect_async(url, tls, options=CHANNEL_OPTIONS)
        self._operating_points: dict[int, OperatingPoint] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way fail at once."""
        await self._grpc.close()

    async def check_ready(self) -> None:
        """Return if the server answers and serves this client's front door.

        Raises:
            HilumError: it does not, as `ScreeningClient.check_ready` says.
        """
        model = self._terms.model
        timeout_s = HEALTH_TIMEOUT_S
        await self._explained(lambda: self._grpc.is_server_live(client_timeout=timeout_s), timeout_s)
        ready = await self._explained(
            lambda: self._grpc.is_model_ready(model, client_timeout=timeout_s), timeout_s
        )
        if not ready:
            raise ModelNotReadyError(self._terms.url, model, "no version of it is loaded")

    async def screen(self, image: bytes, *, heatmap: bool = False, embedding: bool = False) -> Screening:
        """Return the served release's answer for the content of one image file.

        Args:
            image: the file as it is: JPEG, PNG, TIFF, BMP, WebP or DICOM.
            heatmap: also ask for the class activation maps.
            embedding: also ask for the classifier's features.

        Raises:
            HilumError: there is no answer, as `ScreeningClient.screen` says.
        """
        with self._terms.observed() as request:
            request.screening = screening = await self._screen(image, extra_outputs(heatmap, embedding))
        return screening

    async def _screen(self, image: bytes, extra: list[Tensor]) -> Screening:
        try:
            result = await self._infer(image, extra)
            try:
                point = await self._operating_point(release_of(result))
            except ModelNotReadyError:
                # A rollout took the release away between the answer and the question about it.
                result = await self._infer(image, extra)
                point = await self._operating_point(release_of(result))
            return read_screening(result, point, extra)
        except ContractMismatchError as error:
            raise ServerFailureError(self._terms.url, str(error)) from error

    async def _infer(self, image: bytes, extra: list[Tensor]) -> InferResult:
        inputs, outputs = [image_input(image)], requested_outputs(*extra)
        terms = self._terms

        async def attempt(left_s: float) -> InferResult:
            return await self._explained(
                lambda: self._grpc.infer(terms.model, inputs, outputs=outputs, client_timeout=left_s),
                terms.timeout_s,
            )

        return await self._retries.call_async(attempt)

    async def _operating_point(self, release: int) -> OperatingPoint:
        """Return the decision thresholds of a release, asked for once: a release never changes."""
        terms = self._terms
        if release not in self._operating_points:
            answer = await self._explained(
                lambda: self._grpc.get_model_config(
                    terms.model, str(release), client_timeout=terms.timeout_s
                ),
                terms.timeout_s,
            )
            self._operating_points[release] = read_operating_point(release, answer.config)
        return self._operating_points[release]

    async def _explained(self, call: Callable[[], Awaitable[T]], timeout_s: float) -> T:
        """Return what a call returns, or raise one of our errors; finding the reason blocks no other task."""
        terms = self._terms
        try:
            return await call()
        except InferenceServerException as error:
            failure = await asyncio.to_thread(
                explain, error, terms.url, timeout_s, model=terms.model, tls=terms.tls
            )
            raise failure from error
