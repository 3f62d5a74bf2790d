"""What champion and challenger said to the same image: the record that a shadowing client leaves.

It holds numbers and decisions, never pixels, file names or patients. An image is named by a digest under a
key that only the installation has, so that nobody without the key can look up whether a radiograph that they
hold was among those screened. Clients write the records, `hilum release compare` reads them.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hilum.contract import LABELS
from hilum.errors import UsageError

Probability = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PairedAnswer(_Record):
    """One release's answer to an image."""

    release: Annotated[int, Field(ge=1)]
    """The release that answered."""
    accepted: bool
    """Whether its filter took the image for an upright frontal chest radiograph."""
    valid_probability: Probability
    """Its filter's probability that it is one."""
    probabilities: Mapping[str, Probability] | None
    """Its classifier's, by label; None where the filter rejected the image."""
    finding: str | None
    """The label that its own operating point reports; None where the filter rejected the image."""
    latency_s: Annotated[float, Field(ge=0)]
    """From the request to the answer, in seconds, as the client saw it."""

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        given = (self.probabilities is not None, self.finding is not None)
        if given != (self.accepted, self.accepted):
            raise ValueError("an accepted image has probabilities and a finding, a rejected one has neither")
        if self.probabilities is not None and tuple(self.probabilities) != LABELS:
            raise ValueError(f"probabilities must be those of {', '.join(LABELS)}, in this order")
        if self.finding is not None and self.finding not in LABELS:
            raise ValueError(f"{self.finding!r} is none of {', '.join(LABELS)}")
        return self


class Pair(_Record):
    """What both said to one image; or what the champion said, and how the challenger failed."""

    format: Literal[1] = 1
    """Raised when a field changes its meaning."""
    at: AwareDatetime
    """When the champion had answered, in UTC."""
    image: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """`image_digest` of the file."""
    champion: PairedAnswer
    challenger: PairedAnswer | None
    """None where it failed."""
    error: str | None = None
    """How the challenger failed: the name of the error's class, which carries no words of anybody's."""

    @model_validator(mode="after")
    def _check_outcome(self) -> Self:
        if (self.challenger is None) == (self.error is None):
            raise ValueError("a pair has either the challenger's answer or its error")
        return self

    def to_line(self) -> bytes:
        """Return the record as one line of JSON."""
        return self.model_dump_json().encode() + b"\n"


def image_digest(key: bytes, image: bytes) -> str:
    """Return HMAC-SHA256 of an image file's content under the installation's key, 64 hexadecimal digits."""
    return hmac.digest(key, image, "sha256").hex()


def read_pairs(path: Path) -> tuple[list[Pair], int]:
    """Return the records of a file in their order, and the number of lines that are none.

    A client that was killed, or that ran out of disk, leaves a torn line; it must not take the rest with it.
    One that found no challenger leaves an empty file. Blank lines count for nothing.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    pairs, torn = [], 0
    for line in filter(bytes.strip, lines):
        try:
            pairs.append(Pair.model_validate_json(line))
        except ValidationError:
            torn += 1
    return pairs, torn


def in_time_order(pairs: list[Pair]) -> list[Pair]:
    """Return pairs by the time of the champion's answer: several clients may have written at once."""

    def when(pair: Pair) -> datetime:
        return pair.at

    return sorted(pairs, key=when)
