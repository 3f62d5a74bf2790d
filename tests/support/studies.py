"""Studies of imagined networks, for tests of what is made of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from hilum.contract import CLASSIFIER, LABELS
from tests.support.data import REPOSITORY
from tests.support.predictions import CLASSES, synthetic_predictions
from training.data.metadata import DataSet
from training.evaluate.predictions import Predictions
from training.study.record import Part
from training.study.study import Division, Study
from training.train.family import Family, load_family
from training.train.protocol import ProtocolConfig

TINY_FAMILY = REPOSITORY / "tests/support/tiny_family.yaml"


def tiny_family() -> Family:
    """Return the paper that was never written."""
    return load_family(str(TINY_FAMILY))


def fold_parts(predictions: Predictions, folds: int) -> tuple[Part, ...]:
    """Return predictions as those of a cross-validation: each image tested once, patients kept together."""
    patients = predictions.frame["patient_id"]
    fold_of_patient = {patient: index % folds for index, patient in enumerate(patients.unique())}
    fold = patients.map(fold_of_patient)
    return tuple(
        Part(Division(1, index + 1), f"run{index + 1}", predictions.take(fold == index))
        for index in range(folds)
    )


def repeated_parts(repeats: int, labels: tuple[str, ...] = CLASSES, n_images: int = 60) -> tuple[Part, ...]:
    """Return what so many networks said of the same images: each right on other ones."""
    base = synthetic_predictions(labels, n_images=n_images)
    parts = []
    for repeat in range(1, repeats + 1):
        decided = np.where(np.random.default_rng(repeat).random(n_images) < 0.7, base.truth, base.decided)
        said = Predictions(labels, base.truth, base.probabilities, decided, base.frame)
        parts.append(Part(Division(repeat, 1), f"run{repeat}", said))
    return tuple(parts)


def divisible_data(folder: Path, patients_per_finding: int = 6) -> DataSet:
    """Return a data set with enough patients to divide; its files have contents but are no pictures."""
    rows = []
    for finding in LABELS:
        for patient in range(patients_per_finding):
            name = f"{finding}-{patient}"
            (folder / name).write_text(name)
            rows.append(
                {
                    "path": name,
                    "source": "drawn",
                    "patient_id": name,
                    "view": "PA",
                    "finding": finding,
                    "filter_label": "valid",
                    "kind": "frontal_cxr",
                    "split": ("train", "val", "test")[patient % 3],
                }
            )
    return DataSet(folder, pd.DataFrame(rows))


def tiny_study(data: DataSet, variant: str = "plain", protocol: ProtocolConfig | None = None) -> Study:
    """Return a study of a variant of the tiny family."""
    family = tiny_family()
    recipe = family.recipe(variant)
    return Study(
        model=CLASSIFIER,
        recipe_name=recipe.name,
        recipe=recipe.network(CLASSIFIER),
        protocol=protocol or family.protocol,
        data=data,
        seed=0,
        max_minutes=None,
        device="cpu",
    )
