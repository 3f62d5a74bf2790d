"""`hilum repository`: what is known about a model repository without a server."""

from pathlib import Path

import click

from hilum.console import stdout
from training.commands.defects import print_defects


@click.group()
def repository() -> None:
    """Look into a Triton model repository offline."""


@repository.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per defect: file, problem, remedy.")
def lint(folder: Path, *, as_json: bool) -> None:
    """Compare the configurations in FOLDER with the networks beside them, and say what to mend.

    Exit status: 0 Triton can load it all, 1 something has to be mended.

    \b
    Examples:
      hilum repository lint .hilum/model_repository
      hilum repository lint model_repository --json
    """
    from training.repository.lint import lint_repository

    print_defects(lint_repository(folder), of=str(folder), as_json=as_json)
    if not as_json:
        stdout.print(f"{folder}: Triton can load all of it.", markup=False)
