"""How much of an image's source a network's embedding holds: a probe that tries to name it.

A network that separates the sources can use the source as a shortcut to the label. The probe is linear and
small, so what it finds lies open in the embedding (Alain and Bengio 2016, arXiv 1610.01644). Since the
source often goes with the label, it is also asked within one class, where the label cannot give it away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hilum.errors import UsageError
from training.evaluate.intervals import (
    Estimate,
    bootstrap_estimate,
    bootstrap_replicates,
    wilson_estimate,
)
from training.evaluate.metrics import Floats, Weights, divide

FOLDS = 5
"""Folds of the cross-validation; all images of a patient lie in one."""

MIN_PATIENTS = 2 * FOLDS
"""A source of fewer patients is left out: some fold could hold none of it, or nearly all."""

HIGH_FROM = 0.5
"""Share of the way from chance to certainty from which the embedding is said to hold the source. Our choice:
collections differ in machines and people too, so a probe that beats chance a little is no alarm."""

N_BOOTSTRAP = 1000
"""Resamplings of the patients."""

_REGULARISATION = 0.001
"""Inverse strength of the L2 penalty: strong, for there are about as many features as images."""

_TOLERANCE = 0.01
"""Slope of the loss at which the fit ends: closer ones take longer and recognise no more."""


@dataclass(frozen=True, slots=True)
class SourceProbe:
    """How well the source is predicted from the embedding of images of unseen patients."""

    balanced_accuracy: Estimate
    """Mean over the sources of the share of their images that are recognised, with a bootstrap of patients;
    not defined where fewer than two sources have enough patients."""
    chance: float | None
    """Balanced accuracy of guessing: 1 / number of sources."""
    recall: Mapping[str, Estimate]
    """Share of each source's images that are recognised, with Wilson's interval."""
    left_out: Mapping[str, int]
    """Patients of the sources that have fewer than `MIN_PATIENTS`."""
    within_class: Mapping[str, "SourceProbe"]
    """The same among the images of one class only, by class."""

    @property
    def is_high(self) -> bool:
        """Whether the probe is `HIGH_FROM` of the way from chance to certainty, and surely above chance."""
        found = self.balanced_accuracy
        if found.value is None or self.chance is None:
            return False
        sure = found.value if found.lower is None else found.lower
        return sure > self.chance and found.value - self.chance >= HIGH_FROM * (1 - self.chance)

    def verdict(self) -> str:
        """Return what it means in a sentence or two, the gravest first."""
        if self.chance is None:
            return (
                f"Whether the embedding holds the source cannot be told: fewer than two sources have "
                f"{MIN_PATIENTS} patients."
            )
        high = {label: probe for label, probe in self.within_class.items() if probe.is_high}
        if high:
            places = "; ".join(f"{probe._result()} among {label}" for label, probe in high.items())
            return (
                "The network's embedding gives the source away even among images of one class, where the "
                f"label cannot: a linear probe recognises the sources of {places}. Its answers may rest on "
                "the source: trust results per source and on other data only."
            )
        seen = f"a linear probe recognises the sources of {self._result()} of all images"
        if not self.is_high:
            return f"The network's embedding does not give the source away: {seen}."
        if any(probe.chance is not None for probe in self.within_class.values()):
            why = "Within one class it does not, so the label may explain it."
        else:
            why = (
                f"No class was probed by itself with two sources of {MIN_PATIENTS} patients, so it cannot be "
                "told whether the network uses the source or only the label that goes with it."
            )
        return f"The network's embedding gives the source away: {seen}. {why}"

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, and the verdict, as objects that JSON can carry."""
        return asdict(self) | {"is_high": self.is_high, "verdict": self.verdict()}

    def _result(self) -> str:
        """Return the balanced accuracy with interval and chance, in percent."""
        found, chance = self.balanced_accuracy, self.chance
        assert found.value is not None
        assert chance is not None
        interval = "" if found.lower is None else f"{found.lower:.0%} to {found.upper:.0%}, "
        return f"{found.value:.0%} ({interval}chance {chance:.0%})"


def probe_source(
    embeddings: NDArray[np.floating[Any]],
    sources: ArrayLike,
    patients: ArrayLike,
    *,
    seed: int,
    labels: ArrayLike | None = None,
) -> SourceProbe:
    """Predict the source of images from their embeddings, of patients that the probe has not seen.

    Standardised features, multinomial logistic regression with sources weighted equally, five-fold
    cross-validation that keeps patients together and sources in proportion.

    Args:
        embeddings: (N, D) finite numbers.
        sources: (N,) source of each image.
        patients: (N,) patient of each image.
        seed: of the folds and of the bootstrap.
        labels: (N,) class of each image; where given, each class is also probed by itself.

    Raises:
        UsageError: the lengths differ, or an embedding is no finite number.
    """
    features, names, people = np.asarray(embeddings), np.asarray(sources, str), np.asarray(patients, str)
    classes = None if labels is None else np.asarray(labels, str)
    lengths = {len(values) for values in (features, names, people, classes) if values is not None}
    if features.ndim != 2 or len(lengths) != 1:
        raise UsageError(
            f"A probe needs embeddings (N, D) and N sources, patients and labels; got {features.shape}, "
            f"{len(names)}, {len(people)} and {'none' if classes is None else len(classes)}."
        )
    if not np.isfinite(features).all():
        raise UsageError("The embeddings hold NaN or infinity: evaluate a network that has not diverged.")
    within = {
        str(label): _probe(features[rows], names[rows], people[rows], seed)
        for label, rows in (() if classes is None else _by_class(classes))
    }
    whole = _probe(features, names, people, seed)
    return SourceProbe(whole.balanced_accuracy, whole.chance, whole.recall, whole.left_out, within)


def _by_class(classes: NDArray[np.str_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each class with the images that belong to it."""
    for label in np.unique(classes):
        yield str(label), classes == label


def _probe(
    features: NDArray[Any], sources: NDArray[np.str_], patients: NDArray[np.str_], seed: int
) -> SourceProbe:
    """Probe one set of images, classes together."""
    counts = {str(name): len(np.unique(patients[sources == name])) for name in np.unique(sources)}
    left_out = {name: n for name, n in counts.items() if n < MIN_PATIENTS}
    names = [name for name in counts if name not in left_out]
    if len(names) < 2:
        return SourceProbe(Estimate(None, None, None, 0, "none"), None, {}, left_out, {})
    rows = np.isin(sources, names)
    truth, people = sources[rows], patients[rows]
    right = _guess(features[rows], truth, people, seed) == truth
    members = np.stack([truth == name for name in names], axis=1).astype(np.float64)

    def balanced(weights: Weights) -> Floats:
        recalls = divide(weights @ (members * right[:, None]), weights @ members)
        means: Floats = np.nanmean(recalls, axis=1, keepdims=True)
        return means

    value = float(balanced(np.ones((1, len(truth)), np.int32))[0, 0])
    replicates = bootstrap_replicates(balanced, people, n_bootstrap=N_BOOTSTRAP, seed=seed)[:, 0]
    recall = {
        name: wilson_estimate(int(right[truth == name].sum()), int((truth == name).sum())) for name in names
    }
    estimate = bootstrap_estimate(
        value, replicates, len(truth), n_patients=min(counts[name] for name in names)
    )
    return SourceProbe(estimate, 1 / len(names), recall, left_out, {})


def _guess(
    features: NDArray[Any], sources: NDArray[np.str_], patients: NDArray[np.str_], seed: int
) -> NDArray[np.str_]:
    """Return the source that the probe names for each image, having learnt from other patients."""
    probe = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=_REGULARISATION, class_weight="balanced", max_iter=1000, tol=_TOLERANCE),
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    guessed: NDArray[np.str_] = cross_val_predict(
        probe, features.astype(np.float64), sources, groups=patients, cv=folds
    )
    return guessed
