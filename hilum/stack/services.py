"""The servers of the local stack: what each is called, where it answers, how it is started."""

import base64
import os
import re
import secrets
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from hilum.files import write_once
from hilum.interrupt import until_stopped
from hilum.ports import Port
from hilum.settings import Settings
from hilum.stack.monitoring import monitoring_services
from hilum.stack.service import Service
from hilum.triton.addresses import TritonAddresses
from hilum.triton.log import find_causes as find_triton_causes
from hilum.triton.process import running
from hilum.triton.server import TritonServer


def local_services(settings: Settings) -> tuple[Service, ...]:
    """Return the servers of this installation in the order of their start."""
    mlflow_url = f"http://{settings.host}:{settings.mlflow_port}"
    watch_url = f"http://{settings.host}:{settings.watch_port}"
    triton = TritonAddresses.from_settings(settings)
    return (
        Service(
            name="mlflow",
            address=mlflow_url,
            health_url=f"{mlflow_url}/health",
            ports=(_mlflow_port(settings),),
            ready_timeout_s=180.0,
            find_causes=find_python_causes,
            run=run_mlflow,
        ),
        Service(
            name="triton",
            address=triton.grpc,
            health_url=triton.ready_url,
            ports=triton.ports,
            ready_timeout_s=300.0,
            find_causes=find_triton_causes,
            run=run_triton,
        ),
        Service(
            name="rollout",
            address=watch_url,
            health_url=f"{watch_url}/healthz",  # alive: a release that cannot be rolled out stops no stack
            ports=(watch_port(settings),),
            ready_timeout_s=180.0,
            find_causes=find_python_causes,
            run=run_rollout,
        ),
        *monitoring_services(settings),
        *_dashboard_service(settings),
    )


def mlflow_command(settings: Settings) -> list[str]:
    """Return the command line of the local MLflow server: one worker over SQLite."""
    home = settings.home.absolute()
    options = {
        "host": settings.host,
        "port": settings.mlflow_port,
        "workers": 1,
        "backend-store-uri": f"sqlite:///{home / 'mlflow.db'}",
        "artifacts-destination": home / "artifacts",
    }
    settings_given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "mlflow", "server", *settings_given]


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with what the local MLflow server needs.

    Telemetry and background jobs are off. Webhooks may go to this machine, over http; their secrets
    are kept encrypted under a key that outlives the server, and a new webhook is called at once.
    """
    return (
        mlflow_names(settings)
        | dict(os.environ)
        | {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_CACHE_TTL": "0",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": _webhook_encryption_key(settings.home),
        }
    )


def mlflow_names(settings: Settings) -> dict[str, str]:
    """Return, as MLflow's variables, under which names it may be asked; it refuses others (DNS rebinding).

    Left to itself it knows addresses only, and neither `HILUM_HOST` nor this machine's own name. For further
    names, those of a proxy say, set the same variables: they win.
    """
    names = list(dict.fromkeys((settings.host, socket.gethostname())))
    # An address ends in a digit, a name under a top-level domain does not.
    private = [f"{start}.*[0-9]" for start in ("10", "192.168", *(f"172.{n}" for n in range(16, 32)))]
    hosts = [f"{name}:{settings.mlflow_port}" for name in (*names, "localhost", "127.0.0.1", *private)]
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(
            f"http://{name}:{settings.mlflow_port}" for name in names
        ),
    }


def run_mlflow(settings: Settings) -> None:
    """Replace this process by the MLflow server.

    Raises:
        PortTakenError: another program listens on its port.
    """
    _mlflow_port(settings).check_free()
    command = mlflow_command(settings)
    os.execve(command[0], command, mlflow_environment(settings))  # noqa: S606 - no shell is wanted


def run_triton(settings: Settings) -> None:
    """Run Triton on the live repository, made empty if there is none, until it dies or is stopped.

    Raises:
        MissingTritonError: Triton or the shared Python library is not installed.
        PortTakenError: another program listens on one of its ports.
        ServerFailedError: Triton died.
    """
    settings.live_repository.mkdir(parents=True, exist_ok=True)
    server = TritonServer.from_settings(settings, settings.live_repository)
    with until_stopped(), running(server, log=None) as process:
        process.watch()


def run_rollout(settings: Settings) -> None:
    """Replace this process by the rollout watcher, woken by the local MLflow server.

    Raises:
        PortTakenError: another program listens on its port.
    """
    watch_port(settings).check_free()
    command = [sys.executable, "-m", "hilum", "rollout", "watch"]
    if not settings.mlflow_uri:  # another MLflow server could not call this machine's loopback
        command.append("--register-webhook")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def run_dashboard(settings: Settings) -> None:
    """Replace this process by the dashboard.

    Raises:
        PortTakenError: another program listens on its port.
    """
    _dashboard_port(settings).check_free()
    command = [sys.executable, "-m", "hilum", "dashboard"]
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def find_python_causes(log: str) -> list[str]:
    """Return the exception that ended a Python server, or else its last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(Error|[\w.]+(Error|Exception)): ", line)]
    return [line.removeprefix("Error: ") for line in (errors or lines)[-1:]]


def watch_port(settings: Settings) -> Port:
    """Return the port of the rollout watcher."""
    return Port(
        host=settings.host,
        number=settings.watch_port,
        purpose="The rollout watcher",
        variable="HILUM_WATCH_PORT",
    )


def is_dashboard_installed() -> bool:
    """Whether the dashboard can run here: what only serves and rolls out goes without."""
    return find_spec("streamlit") is not None


def _dashboard_service(settings: Settings) -> tuple[Service, ...]:
    if not is_dashboard_installed():
        return ()
    address = f"http://{settings.host}:{settings.dashboard_port}"
    return (
        Service(
            name="dashboard",
            address=address,
            health_url=f"{address}/_stcore/health",
            ports=(_dashboard_port(settings),),
            ready_timeout_s=120.0,
            find_causes=find_python_causes,
            run=run_dashboard,
        ),
    )


def _dashboard_port(settings: Settings) -> Port:
    return Port(
        host=settings.host,
        number=settings.dashboard_port,
        purpose="The dashboard",
        variable="HILUM_DASHBOARD_PORT",
    )


def _mlflow_port(settings: Settings) -> Port:
    return Port(
        host=settings.host, number=settings.mlflow_port, purpose="MLflow", variable="HILUM_MLFLOW_PORT"
    )


def _webhook_encryption_key(home: Path) -> str:
    """Return the Fernet key of MLflow's webhook secrets, made at first use and readable by its owner only."""
    path = home / "mlflow-webhook-key"
    if not path.exists():
        write_once(path, base64.urlsafe_b64encode(secrets.token_bytes(32)), mode=0o600)
    return path.read_text()
