"""How a lint tells what it found: one line for each defect, and an error at the end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hilum.console import emit_json, stdout

if TYPE_CHECKING:
    from training.repository.defect import Defect


def print_defects(defects: Sequence["Defect"], *, of: str, as_json: bool) -> None:
    """Print each defect, as a line or as a JSON object.

    Args:
        defects: what was found.
        of: what was looked at, as the subject of a sentence.
        as_json: print objects with `file`, `problem` and `remedy`.

    Raises:
        RepositoryError: there is any.
    """
    from training.errors import RepositoryError

    for defect in defects:
        if as_json:
            emit_json({"file": defect.file, "problem": defect.problem, "remedy": defect.remedy})
        else:
            stdout.print(f"{defect.file}: {defect.problem} {defect.remedy}", markup=False)
    if defects:
        raise RepositoryError(f"{of} has {len(defects)} defect(s); each is listed above.")
