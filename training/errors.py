"""Errors of the training half.

HilumError
|-- UsageError
|   |-- DataSetError          a data set folder or its metadata.csv is wrong
|   |-- RecipeError           a recipe is wrong
|   |-- PolicyError           a gate's policy is wrong
|   |-- WeightsError          weights cannot be had, or belong to another architecture
|   `-- UnknownVersionError   no such run, version, release or alias in the registry
|-- DivergedError             a loss is no number any more
|-- StoppedError              a training was ended on purpose, which is no failure of its
|-- ParityError               exported and original outputs disagree
|-- IntegrityError            a file's digest is not the one that was pinned
|-- RepositoryError           a model repository that Triton would refuse or serve wrongly
|-- GateError                 a release did not pass its gate
|-- PromotionError            an alias may not be moved; none was
|-- RolloutError              Triton refused a step; the old release still answers
|   `-- HalfDoneError         nor was what it had changed put back: either may answer
|-- MirrorError               a copy of the model repository elsewhere cannot be written, or is wrong
|-- ClusterError              a Kubernetes cluster refuses a change, or does not get ready
`-- LedgerError               the ledger cannot be read or written
    |-- LedgerBusyError       others wrote for too long
    `-- ConcurrentChangeError another decision of the same kind came first
"""

from hilum.errors import HilumError, UsageError


class DataSetError(UsageError):
    """A data set folder or its metadata.csv is not as documented."""


class RecipeError(UsageError):
    """A recipe is missing or has a wrong value."""


class PolicyError(UsageError):
    """A gate's policy is missing or has a wrong value."""


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


class GateError(HilumError):
    """A release did not pass its gate, or the gate could not tell."""


class PromotionError(HilumError):
    """A promotion, a rollback or an approval is refused; no alias was moved."""


class RolloutError(HilumError):
    """Triton refused a step of a rollout; the old release still answers."""


class BrokenPromiseError(RolloutError):
    """A release that is loaded does not answer its golden cases as it promised."""

    def __init__(self, release: int, digest: str, problem: str) -> None:
        super().__init__(f"Release {release} does not answer as promised. {problem}")
        self.release = release
        self.digest = digest


class RefusedReleaseError(RolloutError):
    """A release broke its promise here before, and nothing has changed since: it is not tried again."""


class HalfDoneError(RolloutError):
    """A step of a rollout failed, and what was changed before it stays: either release may answer."""


class LedgerError(HilumError):
    """The ledger cannot be read or written, or is not what was once recorded."""


class LedgerBusyError(LedgerError):
    """Others wrote into the ledger for longer than a writer waits."""

    def __init__(self, where: str, waited_s: float) -> None:
        super().__init__(
            f"The ledger at {where} was held by other writers for {waited_s:g} s. Nothing was recorded; "
            "run the same command again. If it stays so, find the process that holds the database open."
        )
        self.where = where


class ConcurrentChangeError(LedgerError):
    """Somebody recorded a decision since the caller looked."""

    def __init__(self, kind: str, expected: int, found: int, who: str) -> None:
        super().__init__(
            f"Somebody was faster: the newest entry {kind!r} of the ledger is {found or 'none'}"
            f"{f' by {who}' if who else ''}, where {expected or 'none'} was when this was decided. "
            "Nothing was changed. Look with `hilum ledger show`, decide again, and run the command again."
        )
        self.kind = kind
        self.expected = expected
        self.found = found
        self.who = who


class MirrorError(HilumError):
    """A copy of the model repository elsewhere cannot be written, or is not what was written."""


class ClusterError(HilumError):
    """A Kubernetes cluster refuses a change, or what it runs does not get ready."""
