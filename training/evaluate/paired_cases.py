"""What two networks said about the same cases: their predictions matched, or refused."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hilum.errors import UsageError
from training.evaluate.metrics import Booleans, Floats, Integers
from training.evaluate.predictions import Predictions

KEY = ("path", "kind")
"""What names a case: the image, and by its kind whether it is the stored one or the filter's turned copy."""


@dataclass(frozen=True, slots=True)
class PairedCases:
    """N labelled cases with the answers of networks A and B, in that order."""

    labels: tuple[str, ...]
    """Names of the K classes, 2 or more."""
    truth: Integers
    """(N,) true class, in [0, K)."""
    patients: Integers
    """(N,) number of the patient that each case comes from."""
    sources: NDArray[np.str_]
    """(N,) source of each case."""
    probabilities: tuple[Floats, Floats]
    """(N, K) of A and of B."""
    decided: tuple[Integers, Integers]
    """(N,) class decided by A and by B, in [0, K)."""

    @property
    def reported(self) -> tuple[int, ...]:
        """The classes that are compared: the second of two, else all."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def n_patients(self, rows: Booleans) -> int:
        """Return the number of patients of the cases where the (N,) `rows` is true."""
        return len(np.unique(self.patients[rows]))

    def take(self, rows: Booleans) -> "PairedCases":
        """Return the cases where the (N,) `rows` is true."""
        return PairedCases(
            self.labels,
            self.truth[rows],
            self.patients[rows],
            self.sources[rows],
            (self.probabilities[0][rows], self.probabilities[1][rows]),
            (self.decided[0][rows], self.decided[1][rows]),
        )


def pair(a: Predictions, b: Predictions) -> PairedCases:
    """Match two networks' predictions by image and turn, in the order of A.

    Raises:
        UsageError: they are not of the same cases, classes, labels, patients and sources; the sentence says
            how many differ.
    """
    if a.labels != b.labels:
        raise UsageError(
            f"A tells {', '.join(a.labels)} apart and B {', '.join(b.labels)}: only networks with the same "
            "classes in the same order can be compared."
        )
    place_in_b = _match(_keys(a, "A"), _keys(b, "B"))
    names_a, names_b = np.array(a.labels)[a.truth], np.array(b.labels)[b.truth[place_in_b]]
    _check_same("label", names_a, names_b, a)
    patients, sources = (a.frame[column].astype(str).to_numpy() for column in ("patient_id", "source"))
    _check_same("patient_id", patients, b.frame["patient_id"].astype(str).to_numpy()[place_in_b], a)
    _check_same("source", sources, b.frame["source"].astype(str).to_numpy()[place_in_b], a)
    return PairedCases(
        a.labels,
        a.truth,
        np.unique(patients, return_inverse=True)[1],
        sources,
        (a.probabilities, b.probabilities[place_in_b]),
        (a.decided, b.decided[place_in_b]),
    )


def _keys(predictions: Predictions, name: str) -> pd.MultiIndex:
    """Return the key of each case; refuse predictions that hold one twice."""
    keys = pd.MultiIndex.from_frame(predictions.frame[list(KEY)].astype(str))
    repeated = keys.duplicated()
    if repeated.any():
        path, kind = keys[repeated][0]
        raise UsageError(
            f"{name} holds {int(repeated.sum())} of its {len(keys)} cases twice, first {path} ({kind}): "
            "evaluate that network again, then compare."
        )
    return keys


def _match(of_a: pd.MultiIndex, of_b: pd.MultiIndex) -> NDArray[np.intp]:
    """Return the place in B of each case of A."""
    only_a, only_b = of_a.difference(of_b), of_b.difference(of_a)
    if len(only_a) or len(only_b):
        path, kind = (only_a if len(only_a) else only_b)[0]
        raise UsageError(
            f"The cases differ: {len(only_a)} of the {len(of_a)} of A are not among B's, and {len(only_b)} "
            f"of the {len(of_b)} of B not among A's, such as {path} ({kind}). Evaluate both networks on the "
            "same split of the same data set, then compare again."
        )
    return of_b.get_indexer(of_a)


def _check_same(column: str, of_a: NDArray[np.str_], of_b: NDArray[np.str_], a: Predictions) -> None:
    """Refuse cases whose label, patient or source differs between the two predictions."""
    differing = np.flatnonzero(of_a != of_b)
    if len(differing):
        first = differing[0]
        raise UsageError(
            f"{len(differing)} of {len(of_a)} cases have another {column} in A than in B, first "
            f"{a.frame['path'].iloc[first]}: {of_a[first]} and {of_b[first]}. Evaluate both networks on the "
            "same data set, then compare again."
        )
