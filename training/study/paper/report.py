"""A paper's tables beside ours, with what a reader must know of how ours came about."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hilum.contract import CLASSIFIER
from training.study.paper.compare import Comparison, compare
from training.study.paper.contradictions import contradictions
from training.study.paper.plan import Network
from training.study.pooled import IMAGE
from training.study.run import FinishedStudy
from training.study.study import described
from training.train.family import Family

WARNING = (
    "Numbers of other images, of other weights or after fewer epochs cannot be expected to match the "
    "paper's: they show what its recipe gives here."
)
"""Stands above the tables."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """How one network of a paper was trained and tested here."""

    variant: str
    model: str
    run_id: str
    """MLflow run of its study."""
    reused: bool
    """Whether the study was complete before."""
    protocol: str
    """In words."""
    decision: str
    """`argmax` or `operating_point`."""
    epochs: int
    """At most."""
    max_minutes: float | None
    """Of training; None where they were not limited."""
    weights: str
    """At the start."""
    frozen_through: str | None
    """Last layer whose weights stayed as they started, or `all` but the head; None where all were trained."""
    images: Mapping[str, int]
    """Distinct tested images of each class."""
    n_patients: int
    """Patients they come from."""
    n_networks: int
    """Networks trained."""

    @property
    def name(self) -> str:
        """What the banner calls it: the variant, or which network it is."""
        network = self.model.removeprefix("xray_")
        if self.model == CLASSIFIER:
            return self.variant or network
        return f"{self.variant} {network}".strip()

    def __str__(self) -> str:
        """Return the facts as one sentence."""
        counts = ", ".join(f"{n} {label}" for label, n in self.images.items())
        decision = self.decision.replace("_", " ")
        frozen = f", frozen through {self.frozen_through}" if self.frozen_through else ", every layer trained"
        minutes = f" and {self.max_minutes:g} minutes" if self.max_minutes else ""
        return (
            f"{self.name}: {self.protocol}, {self.n_networks} network(s) of at most {self.epochs} epoch(s)"
            f"{minutes} from weights `{self.weights}`{frozen}, tested on {sum(self.images.values())} images "
            f"({counts}) of {self.n_patients} patients; class decided by {decision}; run {self.run_id}"
            f"{', complete before' if self.reused else ''}."
        )


@dataclass(frozen=True, slots=True)
class PaperReport:
    """Everything that is printed and stored."""

    name: str
    """Of the recipe family."""
    source: str
    """The paper."""
    command: str
    """The command that made it."""
    data: str
    """Name of the data set's folder."""
    data_digest: str
    networks: tuple[NetworkFacts, ...]
    comparisons: tuple[Comparison, ...]
    """In the paper's order."""
    warnings: tuple[str, ...]
    """What the evaluations warn of, and where the paper contradicts itself."""

    @property
    def banner(self) -> tuple[str, ...]:
        """Sentences that stand above the tables."""
        return (
            f"Trained and tested on {self.data} (digest {self.data_digest[:12]}), not on the paper's images. "
            f"{WARNING}",
            *map(str, self.networks),
            *self.warnings,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, and the banner, as objects that JSON can carry."""
        return asdict(self) | {"banner": self.banner}


def build_report(
    family: Family, studies: Mapping[Network, FinishedStudy], *, command: str, data: str, data_digest: str
) -> PaperReport:
    """Return the published tables that the studies' networks stand in, beside their results."""
    results = {network: finished.summary for network, finished in studies.items()}
    pairs = [(table, compare(table, results)) for table in family.published]
    facts = [_facts(network, finished) for network, finished in studies.items()]
    warnings = [
        f"{each.name}: {warning}"
        for each, summary in zip(facts, results.values(), strict=True)
        for warning in summary.evaluation.warnings
    ]
    shown = [table for table, comparison in pairs if comparison is not None]
    return PaperReport(
        name=family.name,
        source=family.source,
        command=command,
        data=data,
        data_digest=data_digest,
        networks=tuple(facts),
        comparisons=tuple(comparison for _, comparison in pairs if comparison is not None),
        warnings=(*warnings, *contradictions(shown)),
    )


def _facts(network: Network, finished: FinishedStudy) -> NetworkFacts:
    study, predictions = finished.study, finished.summary.predictions
    variant, model = network
    distinct = ~predictions.frame[IMAGE].duplicated().to_numpy()
    return NetworkFacts(
        variant=variant,
        model=model,
        run_id=finished.run_id,
        reused=finished.reused,
        protocol=described(study.protocol),
        decision=study.protocol.decision,
        epochs=study.recipe.budget.epochs,
        max_minutes=study.max_minutes,
        weights=study.recipe.weights,
        frozen_through=study.recipe.backbone.frozen_through,
        images=_counts(predictions.labels, [int(k) for k in predictions.truth[distinct]]),
        n_patients=finished.summary.evaluation.n_patients,
        n_networks=len(finished.parts),
    )


def _counts(labels: tuple[str, ...], truth: Sequence[int]) -> dict[str, int]:
    return {label: truth.count(k) for k, label in enumerate(labels)}
