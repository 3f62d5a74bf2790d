"""What a server costs: CPU time and memory of its process and all that it started."""

import psutil


def cpu_time_s(pid: int) -> float:
    """Return the user and system time that the processes under `pid` have used so far, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for process in _tree(pid))


def resident_bytes(pid: int) -> int:
    """Return the memory of the processes under `pid`, pages that they share counted once (PSS)."""
    return sum(process.memory_full_info().pss for process in _tree(pid))


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
