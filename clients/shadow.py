"""Mirrors a sample of requests to the challenger, behind the back of the caller.

The caller hands over an image that the champion has answered, and goes on at once. A few threads ask the
challenger about it and write down both answers. What may wait is bounded: images beyond it are dropped and
counted. Nothing that happens here is raised into the caller.
"""

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from clients.errors import ModelNotReadyError
from clients.results import Screening
from hilum.errors import UsageError
from hilum.paired_answers import Pair, PairedAnswer, image_digest
from hilum.settings import settings

Fate = Literal["skipped", "recorded", "dropped", "absent", "unwritten"]

JOIN_S = 5.0
"""Longest wait for threads to end once their requests were cut off, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowPolicy:
    """Which requests are mirrored, and where both answers are kept."""

    share: float
    """Share of images that are mirrored, in (0, 1]. The same image is mirrored always or never."""
    record: Path
    """File that gets a line per mirrored request (`hilum.paired_answers`); several clients may share it."""
    seed: int = 0
    """Another seed chooses another sample of the same size."""
    pending: int = 32
    """Images that may wait or be under way, each held in memory; those beyond are dropped."""
    in_flight: int = 2
    """Mirrored requests at a time."""
    timeout_s: float = 30.0
    """Longest wait for one answer of the challenger, in seconds."""
    close_wait_s: float = 5.0
    """Longest wait for mirrored requests when the client closes, in seconds; those left are dropped."""
    key: bytes = field(default_factory=lambda: settings().read_shadow_key(), repr=False)
    """Key under which images are named in the record: the installation's, unless given."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"The share of mirrored images must lie in (0, 1], got {self.share:g}.")
        if min(self.pending, self.in_flight) < 1 or self.timeout_s <= 0 or self.close_wait_s < 0:
            raise UsageError(
                "Mirroring needs room for at least one image and one request, and times above 0 s; got "
                f"{self.pending}, {self.in_flight}, {self.timeout_s:g} s and {self.close_wait_s:g} s."
            )

    def takes(self, digest: str) -> bool:
        """Tell whether the image of this digest is in the sample; a larger share takes the same and more."""
        draw = hashlib.sha256(f"{self.seed}:{digest}".encode()).digest()[:8]
        return int.from_bytes(draw) < self.share * 2**64


@dataclass(kw_only=True, slots=True)
class ShadowCounts:
    """What became of the images that the champion answered."""

    offered: int = 0
    """Answered by the champion."""
    skipped: int = 0
    """Not in the sample."""
    recorded: int = 0
    """Mirrored and written down: both answers, or how the challenger failed."""
    dropped: int = 0
    """Left alone, in the sample or not, since too many were pending or the client closed."""
    absent: int = 0
    """Mirrored while no challenger was loaded: there is nothing to write down."""
    unwritten: int = 0
    """Mirrored, but not written down: the file took no line, or part of one; or the champion's answer lies
    outside the record's bounds."""

    def __str__(self) -> str:
        """Return the counts for a reader, without those that are 0."""
        words = {
            "recorded": self.recorded,
            "not in the sample": self.skipped,
            "dropped (too many were pending, or the client closed)": self.dropped,
            "sent while no challenger was loaded": self.absent,
            "not written (no room on the disk, or the champion's answer is outside the record's bounds)": (
                self.unwritten
            ),
        }
        return ", ".join(f"{count} {what}" for what, count in words.items() if count) or "no image"


@dataclass(frozen=True, slots=True)
class _Task:
    """One image that the champion has answered."""

    image: bytes
    champion: Screening
    latency_s: float
    at: datetime


class Shadow:
    """Asks the challenger what the champion was asked, in threads of its own."""

    def __init__(
        self, policy: ShadowPolicy, ask: Callable[[bytes], Screening], hang_up: Callable[[], None]
    ) -> None:
        """Open the record and start the threads.

        Args:
            policy: what is mirrored.
            ask: asks the challenger about one image file's content.
            hang_up: cuts off all that `ask` has under way.

        Raises:
            OSError: the record cannot be opened.
        """
        self._policy = policy
        self._ask = ask
        self._hang_up = hang_up
        policy.record.parent.mkdir(parents=True, exist_ok=True)
        self._record = os.open(policy.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._writing = threading.Lock()
        self._is_torn = False
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._counts = ShadowCounts()
        self._pending = 0
        self._is_closing = self._is_cut_off = False
        self._changed = threading.Condition()
        self._threads = [
            # Daemons: a program that does not close its client ends all the same.
            threading.Thread(target=self._work, name=f"shadow-{number}", daemon=True)
            for number in range(policy.in_flight)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counts(self) -> ShadowCounts:
        """What became of the images so far; one that is pending is only among the offered."""
        with self._changed:
            return ShadowCounts(**asdict(self._counts))

    def offer(self, image: bytes, champion: Screening, latency_s: float) -> None:
        """Take an image that the champion has answered, or drop it; never waits for the challenger.

        Args:
            image: the file's content.
            champion: the answer.
            latency_s: what the answer took, in seconds.
        """
        with self._changed:
            self._counts.offered += 1
            if self._is_closing or self._pending >= self._policy.pending:
                self._counts.dropped += 1
                return
            self._pending += 1
        self._tasks.put(_Task(image, champion, latency_s, datetime.now(UTC)))

    def close(self) -> None:
        """Wait for pending images, for `close_wait_s` at most, then drop the others and end the threads."""
        with self._changed:
            if self._is_closing:
                return
            self._is_closing = True
            self._changed.wait_for(lambda: not self._pending, self._policy.close_wait_s)
            self._is_cut_off = True
        self._hang_up()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(JOIN_S)
        if not any(thread.is_alive() for thread in self._threads):
            os.close(self._record)

    def _work(self) -> None:
        """Mirror what is offered until the end is."""
        while (task := self._tasks.get()) is not None:
            fate: Fate = "unwritten"
            try:
                fate = self._mirror(task)
            finally:  # whatever happened, the image is not pending any more: `close` waits for those that are
                with self._changed:
                    setattr(self._counts, fate, getattr(self._counts, fate) + 1)
                    self._pending -= 1
                    self._changed.notify_all()

    def _mirror(self, task: _Task) -> Fate:
        """Ask the challenger about one image, if it is in the sample, and write both answers down."""
        if self._is_cut_off:
            return "dropped"
        digest = image_digest(self._policy.key, task.image)
        if not self._policy.takes(digest):
            return "skipped"
        challenger, error = None, None
        start = time.perf_counter()
        try:
            challenger = _paired(self._ask(task.image), time.perf_counter() - start)
        except ModelNotReadyError:
            return "absent"
        except (
            Exception
        ) as failure:  # whatever it is: a failing challenger is a finding, and no caller's trouble
            if self._is_cut_off:
                return "dropped"
            error = type(failure).__name__
        try:
            champion = _paired(task.champion, task.latency_s)
            pair = Pair(at=task.at, image=digest, champion=champion, challenger=challenger, error=error)
        except ValidationError:  # it is the champion's: the caller has it, and the record cannot hold it
            return "unwritten"
        return self._write(pair.to_line())

    def _write(self, line: bytes) -> Fate:
        """Append a line by one call, so that clients that share the file do not mix theirs.

        A full disk may take only part of a line. The next one then begins with a newline, so that what is
        torn does not take it along.
        """
        with self._writing:
            content = b"\n" + line if self._is_torn else line
            try:
                written = os.write(self._record, content)
            except OSError:  # nothing of it was written
                return "unwritten"
            self._is_torn = written < len(content)
        return "unwritten" if self._is_torn else "recorded"


def _paired(screening: Screening, latency_s: float) -> PairedAnswer:
    """Return what the record keeps of an answer."""
    return PairedAnswer(
        release=screening.release,
        accepted=screening.accepted,
        valid_probability=screening.valid_probability,
        probabilities=screening.probabilities,
        finding=screening.finding,
        latency_s=latency_s,
    )
