"""Prometheus and Alertmanager as processes: their command lines, their ports, and what their logs say."""

import os
import re
from pathlib import Path

from hilum.files import write_atomic
from hilum.monitoring.configuration import alertmanager_config, prometheus_config, render
from hilum.monitoring.programs import ALERTMANAGER, PROMETHEUS
from hilum.ports import Port
from hilum.settings import Settings

RETENTION_TIME = "30d"
"""How long the local Prometheus keeps samples: the rules look back a week."""

RETENTION_SIZE = "1GB"
"""The most that they may take on disk."""


def prometheus_command(settings: Settings, binary: Path) -> list[str]:
    """Return the command line of the local Prometheus; everything that it keeps is in `home`."""
    folder = _folder(settings, PROMETHEUS.name)
    options = {
        "config.file": folder / "prometheus.yaml",
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": RETENTION_TIME,
        "storage.tsdb.retention.size": RETENTION_SIZE,
        "web.listen-address": f"{settings.host}:{settings.prometheus_port}",
        "web.external-url": f"http://{settings.host}:{settings.prometheus_port}",
    }
    return [str(binary), *(f"--{name}={value}" for name, value in options.items())]


def alertmanager_command(settings: Settings, binary: Path) -> list[str]:
    """Return the command line of the local Alertmanager, which is alone: it opens no port for others."""
    folder = _folder(settings, ALERTMANAGER.name)
    options = {
        "config.file": folder / "alertmanager.yaml",
        "storage.path": folder / "data",
        "web.listen-address": f"{settings.host}:{settings.alertmanager_port}",
        "web.external-url": f"http://{settings.host}:{settings.alertmanager_port}",
        "cluster.listen-address": "",
    }
    return [str(binary), *(f"--{name}={value}" for name, value in options.items())]


def run_prometheus(settings: Settings) -> None:
    """Write Prometheus' configuration and replace this process by it.

    Raises:
        PortTakenError: another program listens on its port.
        FileNotFoundError: it is not installed any more.
    """
    prometheus_port(settings).check_free()
    configuration = prometheus_config(settings, has_alertmanager=ALERTMANAGER.find() is not None)
    write_atomic(_folder(settings, PROMETHEUS.name) / "prometheus.yaml", render(configuration))
    _become(prometheus_command(settings, PROMETHEUS.find() or Path(PROMETHEUS.name)))


def run_alertmanager(settings: Settings) -> None:
    """Write Alertmanager's configuration and replace this process by it.

    The address of a webhook may hold a secret: its file is for the owner only.

    Raises:
        PortTakenError: another program listens on its port.
        FileNotFoundError: it is not installed any more.
    """
    alertmanager_port(settings).check_free()
    path = _folder(settings, ALERTMANAGER.name) / "alertmanager.yaml"
    write_atomic(path, render(alertmanager_config(settings)), mode=0o600)
    _become(alertmanager_command(settings, ALERTMANAGER.find() or Path(ALERTMANAGER.name)))


def prometheus_port(settings: Settings) -> Port:
    """Return the port of the local Prometheus."""
    return Port(
        host=settings.host,
        number=settings.prometheus_port,
        purpose="Prometheus",
        variable="HILUM_PROMETHEUS_PORT",
    )


def alertmanager_port(settings: Settings) -> Port:
    """Return the port of the local Alertmanager."""
    return Port(
        host=settings.host,
        number=settings.alertmanager_port,
        purpose="Alertmanager",
        variable="HILUM_ALERTMANAGER_PORT",
    )


def find_causes(log: str) -> list[str]:
    """Return the last error of a log of key=value lines, or else its last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\blevel=error\b", line, re.IGNORECASE)]
    if not errors:
        return lines[-1:]
    values = re.findall(r'\b(?:msg|err)=("(?:[^"\\]|\\.)*"|\S+)', errors[-1])
    return [": ".join(value.strip('"').replace('\\"', '"') for value in values) or errors[-1]]


def _become(command: list[str]) -> None:
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _folder(settings: Settings, name: str) -> Path:
    return settings.home.absolute() / name
