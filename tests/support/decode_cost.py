"""What decoding one file costs, measured in a process of its own.

`python -m tests.support.decode_cost < FILE` prints it as JSON.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hilum.radiograph import RadiographError, decode_radiograph
from tests.support.image_files import one_of_each

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class DecodeCost:
    """The outcome of decoding a file, and its price."""

    outcome: str
    """`accepted`, or the reason of the refusal."""
    cpu_s: float
    """Processor time, in seconds."""
    grown_kib: int
    """How far resident memory rose above what it was before, in KiB; the file itself was there already."""


def measure(data: bytes, *, timeout_s: float = 60) -> DecodeCost:
    """Decode `data` in a new process and return what that cost.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout_s`.
        subprocess.CalledProcessError: the process died, or another exception escaped.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.decode_cost"],
        input=data,
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        timeout=timeout_s,
    )
    return DecodeCost(**json.loads(done.stdout))


def main() -> None:
    """Decode standard input; every decoder has been used before, so that imports do not count."""
    for warm_up in one_of_each().values():
        decode_radiograph(warm_up)
    data = sys.stdin.buffer.read()
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back to what is in use now
    before_kib, start = _memory_kib("VmRSS"), time.process_time()
    try:
        decode_radiograph(data)
        outcome = "accepted"
    except RadiographError as error:
        outcome = error.reason
    cpu_s = time.process_time() - start
    print(json.dumps(asdict(DecodeCost(outcome, cpu_s, _memory_kib("VmHWM") - before_kib))))


def _memory_kib(field: str) -> int:
    """Return one line of this process's memory account: VmRSS is now, VmHWM the most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
