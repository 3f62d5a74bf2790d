"""Several processes that train one network together, as `torchrun` starts them.

Rank zero alone reads tables, decodes images, talks to MLflow, writes files and prints; the others are
told what came of it, and end with it when it fails. All of them read the cache of radiographs and the
checkpoints, so on several machines HILUM_HOME must be a folder that these share. Messages between the
processes are small and go over gloo; gradients go over NCCL where the network is on GPUs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, distributed
from torchmetrics.utilities.distributed import gather_all_tensors

from hilum.console import stderr
from hilum.errors import HilumError, UsageError
from training.train.interruption import sigterm_interrupts

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""How long the others wait for rank zero, which may have a large data set to decode. A process that dies
is noticed at once, by torchrun and by its closed connections."""


LAST_MESSAGES_S = 0.2
"""gloo's threads need Python's lock once more to drop what they sent last. A group that is destroyed before
holds that lock while it waits for them: both would wait for ever."""

END_OF_RANK_ZERO = timedelta(minutes=1)
"""How long the others let a failed rank zero tell MLflow of it."""


class RankZeroFailedError(HilumError):
    """Rank zero failed and has said why; this process ends as it does."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("Rank zero failed; its message says why.")
        self.exit_code = exit_code


@dataclass(frozen=True)
class _Failure:
    """What rank zero tells the others in place of a result."""

    exit_code: int


class LostProcessError(HilumError):
    """Another process that trained the same network is gone."""

    def __init__(self) -> None:
        super().__init__(
            "Another process that trained the same network has ended; its own message says why. Finished "
            "epochs are kept: run the same command again."
        )


@contextmanager
def joined_processes(device: str) -> Iterator[None]:
    """Join the processes that torchrun started, if it did, for as long as the context is open.

    A process other than rank zero prints nothing, and where rank zero fails it ends with the same status.
    SIGTERM is as Ctrl-C meanwhile.

    Args:
        device: `auto`, `cpu` or `cuda`, as Lightning's accelerator.

    Raises:
        UsageError: there are more processes than GPUs.
        LostProcessError: another process has died.
    """
    with sigterm_interrupts():
        if not TorchElasticEnvironment.detect():
            yield
            return
        on_gpu = device != "cpu" and torch.cuda.is_available()
        distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
        stderr.quiet = rank() != 0
        try:
            if on_gpu:
                here = world_size() // machines()
                from_rank_zero(lambda: _check_gpus(here))
            yield
            sum_over_processes(0)  # nobody leaves while another still reads what rank zero will delete
        except (Exception, KeyboardInterrupt) as error:
            end = _how_to_end(error)
            if end is error:
                raise
            raise end from error
        leave()


def leave() -> None:
    """Leave the group of processes."""
    time.sleep(LAST_MESSAGES_S)
    distributed.destroy_process_group()


def _how_to_end(error: BaseException) -> BaseException:
    """Return what to raise for an error: rank zero speaks for all, the others end without a word."""
    lost = isinstance(error, distributed.DistError) or "gloo" in str(error)
    if rank() == 0:
        return LostProcessError() if lost else error
    if isinstance(error, RankZeroFailedError):
        with suppress(RuntimeError):  # it closes its connections when it ends
            # before, torchrun would end it as soon as another process has
            distributed.all_reduce(torch.zeros(1), async_op=True).wait(END_OF_RANK_ZERO)
        return SystemExit(error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return SystemExit(130)
    return SystemExit(1) if lost else error


def rank() -> int:
    """Return this process's number: 0 to `world_size()` - 1."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Return how many processes train together; 1 for a process on its own."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def from_rank_zero(work: Callable[[], T]) -> T:
    """Do `work` on rank zero alone, and return what it gave on every process.

    The result must be picklable. Every process must make this call, in the same order as other such calls.

    Raises:
        RankZeroFailedError: on the other processes, where `work` raised an error on rank zero.
    """
    if world_size() == 1:
        return work()
    if rank() == 0:
        try:
            result = work()
        except BaseException as error:
            _broadcast(_Failure(error.exit_code if isinstance(error, HilumError) else 1))
            raise
        _broadcast(result)
        return result
    answer: T | _Failure = _broadcast(None)
    if isinstance(answer, _Failure):
        raise RankZeroFailedError(answer.exit_code)
    return answer


def rank_zero_first(work: Callable[[], T]) -> T:
    """Do `work` on every process, on rank zero before the others, and return each one's own result.

    What rank zero refuses or downloads is so refused, or downloaded, once.
    """
    if rank() != 0:
        from_rank_zero(lambda: None)
        return work()
    done: list[T] = []
    from_rank_zero(lambda: done.append(work()))
    return done[0]


def sum_over_processes(value: int) -> int:
    """Return the sum of all processes' numbers; each waits for all others."""
    if world_size() == 1:
        return value
    total = torch.tensor(value)
    distributed.all_reduce(total)
    return int(total)


def gathered(tensor: Tensor) -> Tensor:
    """Return the rows of all processes' (N, ...) tensors, whose N may differ, on every process."""
    return tensor if world_size() == 1 else torch.cat(gather_all_tensors(tensor))


def check_joined() -> None:
    """Refuse to train on one's own what torchrun meant for all.

    Raises:
        UsageError: this process is one of several, and has not joined them.
    """
    if TorchElasticEnvironment.detect() and not distributed.is_initialized():
        raise UsageError(
            "Under torchrun only `hilum train` spreads over several processes. Run this command without it."
        )


def machines() -> int:
    """Return on how many machines the processes run."""
    if world_size() == 1:
        return 1
    return sum_over_processes(int(TorchElasticEnvironment().local_rank() == 0))


def _check_gpus(processes: int) -> None:
    """Refuse more processes on this machine than it has GPUs."""
    gpus = torch.cuda.device_count()
    if gpus < processes:
        raise UsageError(
            f"torchrun started {processes} processes on this machine, which has {gpus} GPUs. Give "
            f"--nproc-per-node {gpus}, or --device cpu."
        )


def _broadcast(value: Any) -> Any:
    """Return rank zero's `value` on every process."""
    box = [value]
    distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]
