import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from hilum.monitoring.configuration import RULES, alertmanager_config, prometheus_config, render
from hilum.settings import Settings

ALERTS = {
    rule["alert"]
    for group in yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, metrics_port=3, watch_port=5, prometheus_port=6, alertmanager_port=7)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("has_alertmanager", [True, False])
def test_prometheus_takes_its_configuration(
    settings: Settings, tmp_path: Path, *, has_alertmanager: bool
) -> None:
    path = tmp_path / "prometheus.yaml"
    path.write_bytes(render(prometheus_config(settings, has_alertmanager=has_alertmanager)))
    checked = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "2 rule files found" in checked.stdout


def test_the_jobs_are_those_that_the_rules_ask(settings: Settings) -> None:
    jobs = {
        scrape["job_name"]: scrape["static_configs"][0]["targets"]
        for scrape in prometheus_config(settings, has_alertmanager=False)["scrape_configs"]
    }
    assert jobs == {"triton": ["127.0.0.1:3"], "rollout": ["127.0.0.1:5"], "prometheus": ["127.0.0.1:6"]}


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
@pytest.mark.parametrize("webhook", [None, SecretStr(""), SecretStr("https://example.org/alerts?key=1")])
def test_alertmanager_takes_its_configuration(
    settings: Settings, tmp_path: Path, webhook: SecretStr | None
) -> None:
    path = tmp_path / "alertmanager.yaml"
    configuration = alertmanager_config(settings.model_copy(update={"alert_webhook": webhook}))
    path.write_bytes(render(configuration))
    checked = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    (receiver,) = configuration["receivers"]
    urls = [sent["url"] for sent in receiver.get("webhook_configs", ())]
    assert urls == ([webhook.get_secret_value()] if webhook and webhook.get_secret_value() else [])


def test_only_alerts_that_exist_silence_each_other(settings: Settings) -> None:
    for rule in alertmanager_config(settings)["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(matcher.split('"')[1].split("|")) <= ALERTS
