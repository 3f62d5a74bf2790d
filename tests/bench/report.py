"""How a benchmark ends: a table for people, one JSON line for machines, and an exit status."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version

import psutil
from rich.table import Table

from hilum.console import emit_json, stdout


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number of a benchmark, and what it has to reach."""

    name: str
    """Key in the JSON line; a comparison ends in `_ratio`."""
    what: str
    """What was measured, for the table, with its unit."""
    value: float
    at_least: float | None = None
    """The target, where more is better."""
    at_most: float | None = None
    """The target, where less is better."""

    @property
    def target(self) -> str:
        """The target as a sentence; empty for a number that is only reported."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    @property
    def is_met(self) -> bool:
        """Whether the value reaches its target; a number without one always does."""
        high_enough = self.at_least is None or self.value >= self.at_least
        return high_enough and (self.at_most is None or self.value <= self.at_most)


def print_report(bench: str, measurements: list[Measurement]) -> bool:
    """Print a table and a JSON line with hardware and versions; tell whether every target is met."""
    table = Table(title=f"Benchmark: {bench}", title_justify="left")
    for heading, justify in (("what", "left"), ("value", "right"), ("target", "right"), ("", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for measurement in measurements:
        verdict = "" if not measurement.target else "met" if measurement.is_met else "[red]missed[/red]"
        table.add_row(measurement.what, f"{measurement.value:.3g}", measurement.target, verdict)
    stdout.print(table)
    emit_json(
        {
            "bench": bench,
            **{measurement.name: measurement.value for measurement in measurements},
            "missed": [measurement.name for measurement in measurements if not measurement.is_met],
            "hardware": _hardware(),
            "versions": {
                name: version(name) for name in ("hilum", "onnxruntime", "nvidia-pytriton", "numpy")
            },
        }
    )
    return all(measurement.is_met for measurement in measurements)


def _hardware() -> dict[str, object]:
    return {
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": os.getloadavg()[0],
    }
