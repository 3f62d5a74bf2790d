"""Every PromQL expression of the project, and every series that it may name."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.support.data import REPOSITORY
from tests.support.helm import CHART, Rendered
from tests.support.promql import (
    TARGET_LABELS,
    Expression,
    Known,
    dashboard_expressions,
    rule_expressions,
    selectors,
)
from tests.support.runbooks import RUNBOOKS, blocks

DOCUMENTED = Path(__file__).with_name("documented_series.yaml")
"""Series that tests cannot see, with where each is documented."""

CODE = ("dashboard", "clients", "hilum")
"""Folders whose Python may ask Prometheus."""

_OURS = re.compile(r"\b(hilum[_:]|nv_)")


def chart_expressions() -> list[Expression]:
    """Return the expressions of the chart's rules and dashboards."""
    rules = [each for path in sorted((CHART / "rules").glob("*.yaml")) for each in rule_expressions(path)]
    dashboards = [
        each
        for path in sorted((CHART / "dashboards").glob("*.json"))
        for each in dashboard_expressions(json.loads(path.read_text()), path.name)
    ]
    return rules + dashboards


def adapter_expressions() -> list[Expression]:
    """Return what the Prometheus adapter is told to ask, its own templates filled in as it does."""
    path = CHART / "examples" / "prometheus-adapter-values.yaml"
    found = []
    for rule in yaml.safe_load(path.read_text())["rules"]["custom"]:
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
        query = query.replace("<<.LabelMatchers>>", 'namespace="screening",pod=~"hilum-triton-1"')
        name = rule["name"]["as"]
        found += [
            Expression(f"{path.name}, {name}", query),
            Expression(f"{path.name}, {name}, series", rule["seriesQuery"]),
        ]
    return found


def scaler_expressions(rendered: Rendered) -> list[Expression]:
    """Return what rendered ScaledObjects ask Prometheus."""
    return [
        Expression(f"ScaledObject {each['metadata']['name']}", trigger["metadata"]["query"])
        for each in rendered.of_kind("ScaledObject")
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]


def runbook_expressions() -> list[Expression]:
    """Return what the runbooks tell somebody to ask Prometheus: each line of their blocks is a query."""
    return [
        Expression(page.name, line)
        for page in sorted(RUNBOOKS.glob("*.md"))
        for block in blocks(page, "promql")
        for line in block.splitlines()
    ]


def code_expressions() -> list[Expression]:
    """Return the strings in Python code that are PromQL about series of Triton or of ours."""
    return [
        Expression(f"{path.relative_to(REPOSITORY)}:{line}", text)
        for folder in CODE
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for line, text in python_expressions(path.read_text())
    ]


def python_expressions(code: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string that asks Prometheus for one of our series.

    What an f-string puts in becomes `5m` in a range and `1` elsewhere. A name alone counts where it stands in
    a `{selector}`, a range or a function: else every series that code makes would be one that it asks for.
    """
    tree = ast.parse(code)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = _filled_in(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        if _OURS.search(text) and re.search(r"[({\[]", text) and _asks(text):
            yield node.lineno, text


def _filled_in(node: ast.JoinedStr) -> str:
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        else:
            text += "5m" if text.endswith("[") else "1"
    return text


def _asks(text: str) -> bool:
    try:
        return any(_OURS.match(each.name) for each in selectors(promql_parser.parse(text)))
    except ValueError:
        return False


def documented_series() -> dict[str, dict[str, Any]]:
    """Return the series that tests cannot see."""
    series: dict[str, dict[str, Any]] = yaml.safe_load(DOCUMENTED.read_text())
    return series


def add_documented(known: Known) -> None:
    """Add the series that tests cannot see."""
    for name, entry in documented_series().items():
        known.add(name, frozenset(entry["labels"]) | TARGET_LABELS)
