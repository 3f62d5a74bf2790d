"""The processes of Python models: children of the server, which never replaces one that died.

Triton goes on calling itself ready, and fails each request that falls to the dead instance. It does not
collect the process either, so it can be seen in `/proc`.
"""

from pathlib import Path


def dead_children(pid: int) -> set[int]:
    """Return the children of a process that died and were not collected."""
    return {child for child in _children(pid) if _is_zombie(child)}


def _children(pid: int) -> set[int]:
    """Return the children of a process; each of its threads may have some."""
    children: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children |= {int(child) for child in task.read_text().split()}
        except OSError:  # the thread has just ended
            continue
    return children


def _is_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has just been collected
        return False
    return status.rpartition(")")[2].split()[0] == "Z"
