"""Many files over one client: several in flight, answers in order, memory bounded."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import click

from clients.client import ScreeningClient
from clients.errors import DeadlineExceededError, ModelNotReadyError, ServerUnreachableError, TlsError
from clients.heatmap import HeatmapFolder, write_heatmap
from clients.image_files import read_image
from clients.results import Screening
from hilum.errors import HilumError

SERVER_TROUBLE = (DeadlineExceededError, ModelNotReadyError, ServerUnreachableError, TlsError)
"""Errors that speak of the server rather than of the file: after one, the server's health is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one file: an answer or an error, never both."""

    file: str
    """The file's path, printable on any terminal."""
    screening: Screening | None = None
    """The answer; its arrays are dropped once the heat map is written."""
    heatmap: Path | None = None
    """The overlay that was written, if one was asked for and the image was accepted."""
    error: HilumError | None = None
    """Why there is no answer."""

    def as_json(self) -> dict[str, Any]:
        """Return the record that `hilum predict --json` prints."""
        if self.screening is None:
            return {"file": self.file, "error": str(self.error)}
        record = self.screening.as_json(self.file)
        return record if self.heatmap is None else {**record, "heatmap": str(self.heatmap)}


class Batch:
    """Screens files with several requests in flight.

    A file's error is its own outcome and does not stop the rest. An error of the server's does,
    once the server's health check fails too: the files not yet sent then share that error, so a
    dead server costs one time-out and not one for each file.
    """

    def __init__(
        self, client: ScreeningClient, *, in_flight: int = 4, heatmaps: HeatmapFolder | None = None
    ) -> None:
        """Prepare to screen with `client`, `in_flight` files at a time, overlays going to `heatmaps`."""
        self._client = client
        self._in_flight = in_flight
        self._heatmaps = heatmaps
        self.server_error: HilumError | None = None
        """Why the batch ended early, if it did."""
        self._health_check = Lock()

    def screen(self, paths: Iterable[Path]) -> Generator[Outcome, None, None]:
        """Yield one outcome for each path, in their order.

        At most `in_flight` files are held in memory, however many there are.

        Raises:
            OSError: a heat map cannot be written.
        """
        pool = ThreadPoolExecutor(self._in_flight, thread_name_prefix="screen")
        waiting: deque[Future[Outcome]] = deque()
        try:
            for path in paths:
                target = self._heatmaps.reserve(path) if self._heatmaps else None
                waiting.append(pool.submit(self._screen_file, path, target))
                if len(waiting) > 2 * self._in_flight:  # a slow file ahead leaves the others work to do
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _screen_file(self, path: Path, target: Path | None) -> Outcome:
        file = click.format_filename(path)
        if self.server_error is not None:
            return Outcome(file=file, error=self.server_error)
        try:
            image = read_image(path)
            screening = self._client.screen(image, heatmap=target is not None)
            heatmap = target if screening.accepted else None
            if heatmap:
                write_heatmap(heatmap, image, screening)
        except SERVER_TROUBLE as error:
            self._check_server()
            return Outcome(file=file, error=error)
        except HilumError as error:
            return Outcome(file=file, error=error)
        return Outcome(file=file, screening=replace(screening, activation_map=None), heatmap=heatmap)

    def _check_server(self) -> None:
        """Keep the error that ends the batch, if the server is not there any more."""
        with self._health_check:
            if self.server_error is None:
                try:
                    self._client.check_ready()
                except HilumError as error:
                    self.server_error = error
