"""Paired answers from live traffic against the truth, where somebody has found it out since.

The records name an image by a digest under the installation's key; the labels name files. So the files are
digested here again, with that key, and only the images that occur in both are compared, by the statistics
that compare two networks on a test split.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.contract import LABELS
from hilum.paired_answers import Pair, PairedAnswer, image_digest
from training.errors import DataSetError
from training.evaluate.comparison import Comparison, compare
from training.evaluate.mcnemar import mcnemar_test
from training.evaluate.metrics import Floats, Integers
from training.evaluate.predictions import Predictions
from training.promote.challenge import first_answers

LABEL_COLUMNS = ("label", "finding")
"""The column of a labels file that holds the label; `finding` is its name in a data set's metadata.csv."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """One image whose truth is known."""

    path: str
    """Its file, as the labels name it."""
    label: str
    """One of `LABELS`."""
    patient_id: str
    """The patient; the image's digest where the labels do not say."""
    source: str
    """Where it comes from; `live` where the labels do not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledComparison:
    """Champion (A) and challenger (B) against the truth."""

    n: int
    """Images that both answered and that are labelled."""
    rejected_by_champion: int
    """Of these, those that only the champion's filter rejects."""
    rejected_by_challenger: int
    """Of these, those that only the challenger's filter rejects."""
    rejected_by_both: int
    """Of these, those that both reject."""
    only_champion_right: int
    """Images that only the champion decides rightly, a rejected image counting as decided wrongly."""
    only_challenger_right: int
    """Images that only the challenger decides rightly."""
    difference: float
    """The challenger's share of images decided rightly, less the champion's."""
    lower: float | None
    """Lower bound of the difference's 95 % interval (Tango's)."""
    upper: float | None
    """Upper bound of it."""
    p_value: float | None
    """McNemar's exact p value, for one look."""
    comparison: Comparison | None
    """The classifiers on the images that both accept; None where there is none."""

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as objects that JSON can carry."""
        record = asdict(self)
        return record | {"comparison": self.comparison.as_dict() if self.comparison else None}


def read_labels(path: Path, key: bytes) -> dict[str, Labelled]:
    """Return the labelled images of a CSV file by their digest under the installation's key.

    Columns: `path`, beside the file or absolute; `label`, or `finding`; and, where they are known,
    `patient_id` and `source`. A row without a label is left out.

    Raises:
        DataSetError: a column or an image is missing, a label is unknown, or one image has two labels.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path} cannot be read as a table of labels: {error}.") from error
    column = next((name for name in LABEL_COLUMNS if name in frame), None)
    if column is None or "path" not in frame:
        raise DataSetError(
            f"{path} is no table of labels: expected the columns path and label (or finding), found "
            f"{', '.join(map(str, frame.columns)) or 'none'}."
        )
    found: dict[str, Labelled] = {}
    for row in frame[frame[column] != ""].to_dict("records"):
        digest, labelled = _read_row(
            path, {str(name): str(value) for name, value in row.items()}, column, key
        )
        other = found.setdefault(digest, labelled)
        if other.label != labelled.label:
            raise DataSetError(
                f"{path} gives one image two labels: {other.path} is {other.label}, and {labelled.path}, "
                f"which has the same content, is {labelled.label}. Keep the right one."
            )
    return found


def compare_with_labels(
    pairs: list[Pair], labels: Mapping[str, Labelled], *, n_bootstrap: int = 1000, seed: int = 0
) -> LabelledComparison | None:
    """Compare champion and challenger on the images of a group that are labelled; None where none is.

    Args:
        pairs: one group of `training.promote.challenge.by_releases`.
        labels: what `read_labels` found.
        n_bootstrap: resamplings of the patients, 100 or more.
        seed: of the resamplings.
    """
    answers = first_answers(pairs)
    cases = [(labels[image], *both) for image, both in answers.items() if image in labels]
    if not cases:
        return None
    right = [
        (champion.finding == case.label, challenger.finding == case.label)
        for case, champion, challenger in cases
    ]
    only_a, only_b = sum(a and not b for a, b in right), sum(b and not a for a, b in right)
    test = mcnemar_test(len(cases), only_a=only_a, only_b=only_b)
    accepted = [(a, b) for _, a, b in cases if a.accepted or b.accepted]
    in_both = [case for case in cases if case[1].accepted and case[2].accepted]
    return LabelledComparison(
        n=len(cases),
        rejected_by_champion=sum(not champion.accepted for champion, _ in accepted),
        rejected_by_challenger=sum(not challenger.accepted for _, challenger in accepted),
        rejected_by_both=len(cases) - len(accepted),
        only_champion_right=only_a,
        only_challenger_right=only_b,
        difference=(only_b - only_a) / len(cases),
        lower=test.lower,
        upper=test.upper,
        p_value=test.p_value,
        comparison=_compare_classifiers(in_both, n_bootstrap=n_bootstrap, seed=seed) if in_both else None,
    )


def _read_row(table: Path, row: Mapping[str, str], column: str, key: bytes) -> tuple[str, Labelled]:
    """Return one row's image and its digest."""
    if row[column] not in LABELS:
        raise DataSetError(f"{table} labels {row['path']} as {row[column]!r}; expected {', '.join(LABELS)}.")
    try:
        digest = image_digest(key, (table.parent / row["path"]).read_bytes())
    except OSError as error:
        raise DataSetError(
            f"{table} names {row['path']}, which cannot be read: {error.strerror or error}. Paths are taken "
            f"from the folder {table.parent}."
        ) from error
    labelled = Labelled(
        path=row["path"],
        label=row[column],
        patient_id=row.get("patient_id") or digest,
        source=row.get("source") or "live",
    )
    return digest, labelled


def _compare_classifiers(
    cases: list[tuple[Labelled, PairedAnswer, PairedAnswer]], *, n_bootstrap: int, seed: int
) -> Comparison:
    truth = np.array([LABELS.index(labelled.label) for labelled, _, _ in cases], dtype=np.int64)
    frame = pd.DataFrame([asdict(labelled) | {"kind": "live"} for labelled, _, _ in cases])
    champion, challenger = (
        Predictions(LABELS, truth, *_answers([case[side] for case in cases]), frame)  # type: ignore[misc]
        for side in (1, 2)
    )
    return compare(champion, challenger, n_bootstrap=n_bootstrap, seed=seed)


def _answers(answers: list[PairedAnswer]) -> tuple[Floats, Integers]:
    """Return (N, 3) the probabilities and (N,) the classes decided, of accepted images."""
    probabilities = np.array([list((answer.probabilities or {}).values()) for answer in answers])
    decided = [LABELS.index(answer.finding or "") for answer in answers]
    return probabilities, np.array(decided, dtype=np.int64)
