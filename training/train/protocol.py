"""How a paper divides its data, and how often it trains."""

from typing import Literal

from pydantic import Field, model_validator

from training.config import Section


class ProtocolConfig(Section):
    """Which images train, choose and test a network."""

    name: Literal["holdout", "crossval"] = "holdout"
    """`holdout` tests on one split; in `crossval` each part of the data is the test split once."""
    shares: tuple[float, float, float] | None = None
    """Shares of the images for train, val and test, whole patients each (holdout); null keeps the data set's
    own split."""
    folds: int = Field(default=10, ge=2)
    """Parts that take turns as the test split (crossval)."""
    validation_share: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the training images, whole patients, that chooses epoch and thresholds (crossval)."""
    repeats: int = Field(default=1, ge=1)
    """How often the whole is done again, with another seed for division, weights and order."""
    decision: Literal["argmax", "operating_point"] = "operating_point"
    """How a class is decided: the most probable, or by the thresholds chosen on validation."""

    @model_validator(mode="after")
    def _shares_make_a_whole(self) -> "ProtocolConfig":
        if self.shares is not None and (min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-9):
            raise ValueError(f"shares must each be above 0 and sum to 1, got {self.shares}")
        return self
