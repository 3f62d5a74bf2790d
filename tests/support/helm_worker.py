"""Runs Helm as asked in lines of JSON, in a process of its own: its Go runtime must not be forked."""

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import helm_python
from helm_python import _native


@cache
def _chart(path: str) -> helm_python.Chart:
    return helm_python.Chart.load(path)


def _render(path: str, values: dict[str, Any], options: dict[str, Any]) -> dict[str, str]:
    """Do what `helm template` does: the schema first, then the templates.

    NOTE: the package's own `render` cannot say what the cluster offers, its native call can.
    """
    chart = _chart(path)
    chart.validate_schema(values)
    answer = _native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options))
    manifests: dict[str, str] = json.loads(answer)
    return manifests


def _lint(path: str, values: dict[str, Any], kube_version: str) -> list[str]:
    """Return what a strict lint holds against the chart: warnings and errors; informing lines left out."""
    report = helm_python.lint(path, values, strict=True, kube_version=kube_version, namespace="hilum")
    messages = [f"{each['path']}: {each['error']}" for each in report["messages"] if each["severity"] >= 2]
    errors: list[str] = report["errors"]
    return messages + errors


def _merge(path: str, values: dict[str, Any]) -> dict[str, Any]:
    return _chart(path).merge_values(values)


def _package(path: str, destination: str) -> str:
    return helm_python.package(path, destination=destination)


CALLS: dict[str, Callable[..., Any]] = {
    "render": _render,
    "lint": _lint,
    "merge": _merge,
    "package": _package,
}
"""What a line may ask for."""


def main() -> None:
    """Answer each line of standard input by one line of standard output."""
    helm_python.disable_logging()  # a refusal would be told twice
    for line in sys.stdin:
        call, arguments = json.loads(line)
        try:
            answer = {"answer": CALLS[call](*arguments)}
        except helm_python.HelmError as error:
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
