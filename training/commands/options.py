"""What several subcommands ask for."""

from pathlib import Path
from typing import Any

import click


class ReleaseNumber(click.ParamType[int | None]):
    """A release's number, or the word `newest`, which becomes None."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number; None for the newest."""
        if value == "newest":
            return None
        return click.INT.convert(value, param, ctx)


MODEL = click.argument("network", metavar="NETWORK", type=click.Choice(["filter", "classifier"]))
"""Which of the two networks."""

DATA = click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Data set: a folder with metadata.csv (see `hilum data check --help`).",
)
"""A data set folder."""

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
"""Machine-readable output."""

RUN = click.option("--run", "run_id", help="MLflow run that trained it. Default: the newest complete one.")
"""A training run."""
