"""`hilum dashboard`: the page, in the foreground."""

import os
import sys
from pathlib import Path

import click

from hilum.settings import settings


@click.command()
@click.option("--host", help="Address to listen on. Default: HILUM_HOST, else loopback.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: HILUM_DASHBOARD_PORT, else 8501.")
def dashboard(host: str | None, port: int | None) -> None:
    """Show the dashboard until Ctrl-C: examine images, watch the service, compare and promote releases.

    It reads Triton, Prometheus, MLflow and the ledger where the HILUM_* settings say. Promoting and rolling
    back from the page is off unless HILUM_DASHBOARD_KEY is set.

    \b
    Examples:
      hilum dashboard                        http://127.0.0.1:8501
      hilum dashboard --port 9000
      HILUM_TRITON_URL=triton:8001 hilum dashboard --host 0.0.0.0
    """
    command = dashboard_command(host or settings().host, port or settings().dashboard_port)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def dashboard_command(host: str, port: int) -> list[str]:
    """Return the command line of Streamlit's server, with no call home and no uploads of its own."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 0,  # no page has Streamlit's uploader; pictures go another way, bounded
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "theme.light.primaryColor": "#005A8C",
        "theme.light.textColor": "#000000",  # captions are a lighter shade of it, and must stay readable
        "theme.dark.primaryColor": "#56B4E9",
    }
    app = Path(__file__).with_name("server.py")
    return [
        *(sys.executable, "-m", "streamlit", "run", str(app)),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


MAX_UPLOAD_MIB = 64
"""Largest picture that can be sent: as large as the decoder takes."""
