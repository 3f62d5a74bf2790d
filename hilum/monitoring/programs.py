"""The two programs of monitoring, which this machine may have or not: no package index carries them."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One program that the stack runs where it is found."""

    name: str
    """What it is called here."""
    binaries: tuple[str, ...]
    """Its file names, as distributions and its publisher have them."""
    package: str
    """Debian's package, whose service must not run: it would take the port."""
    without: str
    """What does not happen while it is missing."""

    def find(self) -> Path | None:
        """Return where it is; None where it is not installed."""
        found = (shutil.which(binary) for binary in self.binaries)
        return next((Path(path) for path in found if path), None)

    @property
    def remedy(self) -> str:
        """The command that installs it on Debian, and stops the service that comes with the package."""
        return (
            f"sudo apt-get install --no-install-recommends {self.package} && "
            f"sudo systemctl disable --now {self.package}"
        )


PROMETHEUS = Program(
    name="prometheus",
    binaries=("prometheus",),
    package="prometheus",
    without="metrics are not kept and no alert is evaluated",
)
"""Collects metrics and evaluates the rules."""

ALERTMANAGER = Program(
    name="alertmanager",
    binaries=("alertmanager", "prometheus-alertmanager"),
    package="prometheus-alertmanager",
    without="alerts show on Prometheus' page only and reach nobody",
)
"""Groups alerts and sends them on."""


def missing_programs() -> list[Program]:
    """Return what of the two is not installed."""
    return [program for program in (PROMETHEUS, ALERTMANAGER) if program.find() is None]
