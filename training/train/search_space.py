"""What a search for better settings may try: the `tune` section of a recipe."""

from typing import TypeAlias

from pydantic import Field, model_validator

from training.config import Section

Setting: TypeAlias = bool | int | float | str | None


class NumberRange(Section):
    """Any number between two."""

    low: float
    """The least."""
    high: float
    """The most."""
    log: bool = False
    """Draw the logarithm evenly, for numbers whose size matters more than their value."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "NumberRange":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 where log is true")
        return self

    def examples(self) -> tuple[Setting, ...]:
        """Return values that must be possible for all to be: the ends, and no whole number between them."""
        return self.low, self.low + (5**0.5 - 1) / 2 * (self.high - self.low), self.high


class Choices(Section):
    """One of several values."""

    choices: tuple[Setting, ...] = Field(min_length=2)
    """The values."""

    def examples(self) -> tuple[Setting, ...]:
        """Return values that must be possible for all to be."""
        return self.choices


SearchSpace: TypeAlias = dict[str, NumberRange | Choices]
"""By dotted key within a network's section of a recipe."""
