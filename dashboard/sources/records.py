"""JSON that MLflow holds, read with suspicion: it may be torn, hold NaN, or be of another version."""

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dashboard.errors import SourceLyingError
from dashboard.sources.registry_api import SOURCE
from hilum.settings import settings

Record = TypeVar("Record")


def parsed(text: str, name: str) -> Any:
    """Return the content of a JSON file.

    Args:
        text: the file's own.
        name: what it is called where it is told to be wrong.

    Raises:
        SourceLyingError: it is torn, or holds NaN or infinity.
    """
    try:
        return json.loads(text, parse_constant=_refused)
    except ValueError as error:
        raise SourceLyingError(SOURCE, settings().mlflow_address, f"{name}: {error}") from error


def checked(kind: type[Record], content: Any, name: str) -> Record:
    """Return parsed JSON as the record that it must be.

    Args:
        kind: a dataclass or a pydantic model; keys that it does not know are left out.
        content: of the file.
        name: as for `parsed`.

    Raises:
        SourceLyingError: a value is missing or of another kind; the message says which.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise SourceLyingError(SOURCE, settings().mlflow_address, reason) from error


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
