"""What a model repository has to know of a release, and which releases it serves at once."""

from dataclasses import dataclass

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, MONITOR, SCREENING
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedRelease:
    """What the model repository has to know of a release."""

    number: int
    """Release number: the version of the front door and of the monitor."""
    digest: str
    """The release's content digest, 64 hexadecimal digits."""
    filter_version: int
    """Registry version of the filter, and its version folder."""
    classifier_version: int
    """Registry version of the classifier, and its version folder."""
    operating_point: OperatingPoint
    """Thresholds from which findings are reported."""
    map_size: tuple[int, int]
    """Height and width of the activation map, in cells."""
    embedding_size: int
    """Length of the embedding."""
    decode_version: int = 1
    """Version of the decoder: its behaviour belongs to the code, not to a release."""

    def __post_init__(self) -> None:
        versions = (self.number, self.filter_version, self.classifier_version, self.decode_version)
        if min(versions) < 1:
            raise UsageError(f"Release and model versions count from 1; got {versions}.")
        if min(*self.map_size, self.embedding_size) < 1:
            raise UsageError(
                f"Sizes must be 1 or more: map {self.map_size}, embedding {self.embedding_size}."
            )

    def version_of(self, model: str) -> int:
        """Return the version of a served model that belongs to this release."""
        return {
            DECODE: self.decode_version,
            FILTER: self.filter_version,
            CLASSIFIER: self.classifier_version,
            MONITOR: self.number,
            SCREENING: self.number,
            CHALLENGER_SCREENING: self.number,
        }[model]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineup:
    """The releases that a model repository serves, each through a front door of its own."""

    champion: ServedRelease
    """Answers at the front door."""
    challenger: ServedRelease | None = None
    """Answers at the second front door, which is there only while it is."""

    @property
    def doors(self) -> dict[str, ServedRelease]:
        """The release behind each front door, by the Triton name of its ensemble."""
        doors = {SCREENING: self.champion}
        return doors if self.challenger is None else {**doors, CHALLENGER_SCREENING: self.challenger}

    @property
    def releases(self) -> tuple[ServedRelease, ...]:
        """Each release once, the champion first."""
        return tuple({release.number: release for release in self.doors.values()}.values())
