"""What several subcommands ask for."""

from pathlib import Path

import click

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
