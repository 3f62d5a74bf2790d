"""Errors of the training half.

HilumError
|-- UsageError
|   |-- DataSetError          a data set folder or its metadata.csv is wrong
|   |-- RecipeError           a recipe is wrong
|   |-- WeightsError          weights cannot be had, or belong to another architecture
|   `-- UnknownVersionError   no such run, version, release or alias in the registry
|-- ParityError               exported and original outputs disagree
|-- IntegrityError            a file's digest is not the one that was pinned
|-- RepositoryError           a model repository that Triton would refuse or serve wrongly
`-- RolloutError              Triton refused a step; the old release still answers
"""

from hilum.errors import HilumError, UsageError


class DataSetError(UsageError):
    """A data set folder or its metadata.csv is not as documented."""


class RecipeError(UsageError):
    """A recipe is missing or has a wrong value."""


class WeightsError(UsageError):
    """Weights cannot be had, or belong to another architecture."""


class UnknownVersionError(UsageError):
    """No such run, version, release or alias in the registry."""


class ParityError(HilumError):
    """Exported and original outputs differ by more than allowed."""


class IntegrityError(HilumError):
    """A file's digest is not the one that the registry or the release pinned."""


class RepositoryError(HilumError):
    """A model repository that Triton would refuse, or serve wrongly."""


class RolloutError(HilumError):
    """Triton refused a step of a rollout; the old release still answers."""
