"""What the local Prometheus scrapes and the local Alertmanager sends, as their configuration files.

The files are JSON, which is YAML too.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hilum
from hilum.settings import Settings
from hilum.triton.addresses import TritonAddresses

RULES = Path(hilum.__file__).resolve().parent.parent / "charts" / "hilum" / "rules"
"""The rules of the chart: beside the package in a checkout, and where it is installed from a wheel."""

INTERVAL_S = 15
"""Time between two scrapes of a server and between two evaluations of the rules, in seconds."""

GROUP_WAIT_S = 30
"""How long Alertmanager waits for alerts with the same cause before it sends the first, in seconds."""

# An alert on the left says all that those on the right would say, of the same installation.
_IMPLIED: Mapping[str, Sequence[str]] = {
    "HilumTritonDown": ("HilumTritonNotReady", "HilumRegistryDrift", "HilumRolloutFailing"),
    "HilumErrorBudgetBurnFast": ("HilumErrorBudgetBurnSlow",),
    "HilumCertificateExpiresNow": ("HilumCertificateExpiring",),
}


def prometheus_config(
    settings: Settings, *, has_alertmanager: bool, rules: Path = RULES, interval_s: int = INTERVAL_S
) -> dict[str, Any]:
    """Return Prometheus' configuration: Triton, the watcher and monitoring itself as targets.

    The jobs have the names that the rules expect, `triton` and `rollout`, as on Kubernetes.

    Args:
        settings: where the servers listen.
        has_alertmanager: whether alerts are sent to the local Alertmanager.
        rules: the folder with the rule files.
        interval_s: time between two scrapes, and between two evaluations, in seconds.
    """
    targets = {
        "triton": urlsplit(TritonAddresses.from_settings(settings).metrics_url).netloc,
        "rollout": f"{settings.host}:{settings.watch_port}",
        "prometheus": f"{settings.host}:{settings.prometheus_port}",
    }
    alertmanager = f"{settings.host}:{settings.alertmanager_port}"
    if has_alertmanager:
        targets["alertmanager"] = alertmanager
    return {
        "global": {"scrape_interval": f"{interval_s}s", "evaluation_interval": f"{interval_s}s"},
        "rule_files": [str(path) for path in sorted(rules.glob("*.yaml"))],
        "alerting": {"alertmanagers": [_static(alertmanager)] if has_alertmanager else []},
        "scrape_configs": [{"job_name": job} | _static(target) for job, target in targets.items()],
    }


def alertmanager_config(settings: Settings, *, group_wait_s: int = GROUP_WAIT_S) -> dict[str, Any]:
    """Return Alertmanager's configuration: every alert goes to `alert_webhook`, where there is one.

    Args:
        settings: the webhook.
        group_wait_s: how long an alert waits for others with the same cause, in seconds.
    """
    webhook = settings.alert_webhook.get_secret_value() if settings.alert_webhook else ""
    receiver: dict[str, Any] = {"name": "webhook" if webhook else "page"}
    if webhook:
        receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    return {
        "route": {
            "receiver": receiver["name"],
            "group_by": ["alertname", "namespace"],
            "group_wait": f"{group_wait_s}s",
            "group_interval": "5m",
            "repeat_interval": "4h",
        },
        "receivers": [receiver],
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{source}"'],
                "target_matchers": [f'alertname=~"{"|".join(implied)}"'],
                "equal": ["namespace"],
            }
            for source, implied in _IMPLIED.items()
        ],
    }


def render(configuration: Mapping[str, Any]) -> bytes:
    """Return the content of a configuration file."""
    return json.dumps(configuration, indent=2).encode()


def _static(target: str) -> dict[str, Any]:
    return {"static_configs": [{"targets": [target]}]}
