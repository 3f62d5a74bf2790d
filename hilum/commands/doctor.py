"""`hilum doctor`: what is missing on this machine, and how to get it."""

from dataclasses import asdict

import click
from rich.table import Column, Table

from hilum.console import emit_json, stdout
from hilum.doctor import diagnose
from hilum.errors import HilumError
from hilum.settings import settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
"""Colour of each status, which is also written out."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line on stdout.")
def doctor(*, as_json: bool) -> None:
    """Find what is missing on this machine, and the command that gets it.

    Exit status: 1 if something keeps Hilum from running, 0 otherwise.

    \b
    Examples:
      hilum doctor
      hilum doctor --json | jq 'select(.status != "ok")'
    """
    checks = diagnose(settings())
    if as_json:
        for check in checks:
            emit_json(asdict(check))
    else:
        table = Table("check", "status", Column("found", overflow="fold"))
        for check in checks:
            table.add_row(check.check, f"[{COLOURS[check.status]}]{check.status}[/]", check.found)
        stdout.print(table)
        for check in checks:
            if check.remedy:  # on a line of its own, to be copied
                stdout.print(f"{check.check}: {check.remedy}")
    failed = [check.check for check in checks if check.status == "fail"]
    if failed:
        raise HilumError(f"{len(failed)} checks failed: {', '.join(failed)}. Each line says how to mend it.")
