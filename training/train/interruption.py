"""SIGTERM ends a training as Ctrl-C does: its run is marked, and what is finished is kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from typing_extensions import override


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at SIGTERM, which a cluster sends before it takes a machine away."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class SigtermInterrupts(Callback):
    """Takes Lightning's handler of SIGTERM away, which would first talk to processes that may be dead."""

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lightning puts its handler in place shortly before, and takes it away itself."""
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
