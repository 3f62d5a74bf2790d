"""Errors of the training half.

HilumError
|-- UsageError
|   |-- DataSetError          a data set folder or its metadata.csv is wrong
|   |-- RecipeError           a recipe is wrong
|   |-- WeightsError          weights cannot be had, or belong to another architecture
|   `-- UnknownVersionError   no such run, version, release or alias in the registry
|-- DivergedError             a loss is no number any more
|-- StoppedError              a training was ended on purpose, which is no failure of its
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


class DivergedError(HilumError):
    """Training ended because a loss is no finite number."""

    def __init__(self, epoch: int, name: str, value: float) -> None:
        super().__init__(
            f"Training diverged: {name} is {value} after epoch {epoch}. The run is marked failed. "
            "Lower optimizer.learning_rate in the recipe, or check the images with "
            "`hilum data check`, and train again."
        )
        self.epoch = epoch
        self.name = name
        self.value = value


class StoppedError(HilumError):
    """A training was ended before its budget, on purpose: it did not fail."""


class ParityError(HilumError):
    """Exported and original outputs differ by more than allowed."""


class IntegrityError(HilumError):
    """A file's digest is not the one that the registry or the release pinned."""


class RepositoryError(HilumError):
    """A model repository that Triton would refuse, or serve wrongly."""


class RolloutError(HilumError):
    """Triton refused a step of a rollout; the old release still answers."""
