"""In which order a model repository is copied and cleared, so that no server ever reads half a model.

A configuration names version folders and a labels file: it goes up after all of them, and the
ensembles' configurations, which name versions of other models, go up last. What is removed goes the
other way round.
"""

from collections.abc import Iterable
from pathlib import Path

from hilum.contract import SCREENING
from training.repository.layout import CONFIG_FILE, FRONT_DOORS, MODEL_FILES, STEP_MODELS

SERVED_MODELS = (*STEP_MODELS, *reversed(FRONT_DOORS))
"""Folders of a live model repository, each after those that it names: the front door last."""

KEPT_HIDDEN = MODEL_FILES[SCREENING]
"""The one hidden file that belongs to a repository: it stands for an ensemble's empty version folder."""


def repository_files(folder: Path) -> list[str]:
    """Return the files of a model repository below `folder`, in the order in which to copy them.

    What a writer has not finished, or a killed one left, has a hidden name and is not among them.
    """
    found = []
    for model in SERVED_MODELS:
        for path in (folder / model).rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith(".") for part in parts) and parts[-1] != KEPT_HIDDEN
            if path.is_file() and not hidden:
                found.append("/".join(parts))
    return sorted(found, key=_rank)


def removal_order(names: Iterable[str]) -> list[str]:
    """Return files of a model repository in the order in which to remove them."""
    return sorted(names, key=_rank, reverse=True)


def is_served(name: str) -> bool:
    """Whether a file is part of a model that Hilum serves: nothing else is ever touched."""
    model, _, rest = name.partition("/")
    return model in SERVED_MODELS and bool(rest)


def _rank(name: str) -> tuple[bool, int, bool, str]:
    """Return what to sort by: configurations last, then the model; folders before files beside them."""
    model, _, rest = name.partition("/")
    return rest == CONFIG_FILE, SERVED_MODELS.index(model), "/" not in rest, name
