"""`hilum repository`: what is known about a model repository without a server."""

from pathlib import Path

import click

from hilum.console import emit_json, stdout
from training.errors import RepositoryError


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

    defects = lint_repository(folder)
    for defect in defects:
        if as_json:
            emit_json({"file": defect.file, "problem": defect.problem, "remedy": defect.remedy})
        else:
            stdout.print(f"{defect.file}: {defect.problem} {defect.remedy}", markup=False)
    if defects:
        raise RepositoryError(f"{folder} has {len(defects)} defect(s); each is listed above.")
    if not as_json:
        stdout.print(f"{folder}: Triton can load all of it.", markup=False)
