"""Prometheus and Alertmanager as services of the stack, where their programs are installed."""

from collections.abc import Callable

from hilum.monitoring.programs import ALERTMANAGER, PROMETHEUS, Program
from hilum.monitoring.servers import (
    alertmanager_port,
    find_causes,
    prometheus_port,
    run_alertmanager,
    run_prometheus,
)
from hilum.ports import Port
from hilum.settings import Settings
from hilum.stack.service import Service


def monitoring_services(settings: Settings) -> tuple[Service, ...]:
    """Return what of monitoring can run here; Alertmanager only where Prometheus gives it alerts."""
    if PROMETHEUS.find() is None:
        return ()
    services = [_service(PROMETHEUS, prometheus_port(settings), run_prometheus)]
    if ALERTMANAGER.find() is not None:
        services.append(_service(ALERTMANAGER, alertmanager_port(settings), run_alertmanager))
    return tuple(services)


def _service(program: Program, port: Port, run: Callable[[Settings], None]) -> Service:
    address = f"http://{port.host}:{port.number}"
    return Service(
        name=program.name,
        address=address,
        health_url=f"{address}/-/ready",
        ports=(port,),
        ready_timeout_s=120.0,
        find_causes=find_causes,
        run=run,
    )
