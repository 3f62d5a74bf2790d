"""The numbers that a paper prints, as data beside its recipe, so that ours can stand next to them.

Fractions, not per cent. `variant` names the recipe's variant that is the paper's network, or `""` where the
family has none.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.config import Section

Share = Annotated[float, Field(ge=0, le=1)]

METRICS = (
    "accuracy",
    "accuracy_2_class",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auroc",
    "macro_precision",
    "macro_sensitivity",
    "macro_specificity",
    "macro_f1",
)
"""What a published number may be of: of one class (`covid19.sensitivity`), or of all (`accuracy`)."""


class _Printed(Section):
    """What all published tables say of themselves."""

    table: str
    """The paper's own number of the table or figure, for example `Table 2`, or `section 4.1`."""
    title: str
    """What it shows."""
    model: Literal["xray_filter", "xray_classifier"] = "xray_classifier"
    """Which of the two networks it is of."""
    images: dict[str, int] = Field(default_factory=dict)
    """Images of each class that the numbers are of, which intervals follow from; empty where the paper does
    not say, and for confusion matrices, which count them."""
    interval: Literal["wilson", "normal"] = "wilson"
    """How their 95 % intervals are made: as the paper makes them where it does, else Wilson's."""


class PublishedMetrics(_Printed):
    """One of a paper's tables of metrics."""

    kind: Literal["metrics"] = "metrics"
    rows: dict[str, dict[str, Share | tuple[Share, Share]]]
    """By variant: metric (`accuracy`, `covid19.sensitivity`) to its value, or mean and standard deviation."""

    @model_validator(mode="after")
    def _metrics_are_known(self) -> "PublishedMetrics":
        for name in {metric for row in self.rows.values() for metric in row}:
            if name.rpartition(".")[2] not in METRICS:
                raise ValueError(
                    f"{self.table}: unknown metric {name!r}; expected one of {', '.join(METRICS)}"
                )
        return self


class PublishedConfusion(_Printed):
    """A paper's confusion matrix."""

    kind: Literal["confusion"] = "confusion"
    variant: str = ""
    """The network it is of."""
    labels: tuple[str, ...]
    """Our names of the K classes, in the order of rows and columns; `other` is all that are not named."""
    counts: tuple[tuple[int, ...], ...]
    """(K, K) images by true class (row) and decided class (column)."""

    @model_validator(mode="after")
    def _is_square(self) -> "PublishedConfusion":
        k = len(self.labels)
        if [len(row) for row in self.counts] != [k] * k:
            raise ValueError(f"{self.table}: {k} labels need {k} rows of {k} counts")
        return self


class PublishedThresholds(_Printed):
    """A paper's table of thresholds with the sensitivity and specificity at each."""

    kind: Literal["thresholds"] = "thresholds"
    variant: str = ""
    """The network it is of."""
    label: str
    """Our name of the class whose probability is compared with the threshold."""
    points: tuple[tuple[Share, Share, Share], ...]
    """Threshold, sensitivity, specificity."""


Published = Annotated[
    PublishedMetrics | PublishedConfusion | PublishedThresholds, Field(discriminator="kind")
]
"""Any published table."""
