"""The rules by Prometheus' own tool, and that each alert has its cases and its page."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import promql_parser
import pytest
import yaml

from hilum.monitoring.configuration import RULES
from tests.support.runbooks import RUNBOOKS, blocks, check_command, hilum_commands, hilum_mentions

CASES = sorted(Path(__file__).with_name("rules").glob("*.yaml"))
FILES = sorted(RULES.glob("*.yaml"))
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for path in FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.name != "README.md")
SECTIONS = ["What it means", "What to look at", "What to do", "When it is safe to ignore"]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed"
)


def promtool(*arguments: str | Path) -> None:
    """Run Prometheus' tool, which must find no fault."""
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_promtool
def test_promtool_finds_no_fault() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *FILES)


@needs_promtool
@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_rules_say_what_they_should(cases: Path) -> None:
    promtool("test", "rules", cases)


def test_every_alert_is_seen_firing_and_silent() -> None:
    tests = [test for path in CASES for test in yaml.safe_load(path.read_text())["tests"]]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert firing == silent == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_who_must_act_and_how(name: str) -> None:
    rule = ALERTS[name]
    assert name.startswith("Hilum")
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("critical", "warning")
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == f"https://github.com/hilum/hilum/blob/main/docs/runbooks/{name}.md"
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n\nSeverity **{rule['labels']['severity']}**.")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS


def test_the_index_lists_every_page_with_its_severity() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", (RUNBOOKS / "README.md").read_text(), re.M)
    assert [name for name, _, _ in rows] == [file for _, file, _ in rows]
    assert {name: severity for name, _, severity in rows} == {
        name: rule["labels"]["severity"] for name, rule in ALERTS.items()
    }
    assert {page.stem for page in PAGES} == set(ALERTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_asks_for_what_exists(page: Path) -> None:
    for arguments in hilum_commands(page):
        check_command(arguments)
    for arguments in hilum_mentions(page):
        check_command(arguments, is_whole=False)
    for block in blocks(page, "promql"):
        for line in block.splitlines():
            promql_parser.parse(line)
    for link in re.findall(r"\]\(([\w./]+\.md)\)", page.read_text()):
        assert (RUNBOOKS / link).is_file()


@pytest.mark.parametrize("arguments", [["rollout"], ["rollout", "verify", "--loudly"], ["undo"], ["predict"]])
def test_a_command_that_does_not_exist_is_found(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        check_command(arguments)


def test_commands_are_found_wherever_a_page_names_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    block = "```bash\nhilum status | jq .    # one\nkubectl exec pod -- hilum doctor\n```\n"
    page.write_text(block + '`hilum rollback --reason "a b"`')
    assert hilum_commands(page) == [["status"], ["doctor"]]
    assert hilum_mentions(page) == [["rollback", "--reason", "a b"]]
