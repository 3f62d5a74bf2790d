"""CheXpert, J. Irvin, P. Rajpurkar and others, Stanford.

Images: 224,316 chest radiographs of 65,240 patients, JPEG: train.csv lists 223,414 (191,027 of them
frontal), valid.csv 234 of 200 patients. CheXpert-v1.0 (439 GB) and CheXpert-v1.0-small (11 GB) have the
same layout.

Labels: 14 observations, 1 positive, 0 negative, -1 uncertain, empty not mentioned; mined from report text
in train.csv, the majority of three radiologists in valid.csv.

Licence: Stanford University Dataset Research Use Agreement: non-commercial research, no redistribution.

Citation: Irvin, Rajpurkar, Ko and others: CheXpert: A Large Chest Radiograph Dataset with Uncertainty
Labels and Expert Comparison. AAAI 2019.

Download: https://stanfordmlgroup.github.io/competitions/chexpert/

Becomes: No Finding 1 -> no_finding. Lung Opacity, Edema, Consolidation or Pneumonia 1 -> lung_opacity;
Atelectasis, Lung Lesion, Enlarged Cardiomediastinum, Cardiomegaly, Pneumothorax, Pleural Effusion,
Pleural Other, Fracture and Support Devices decide nothing. Neither of both, or an opacity that is only
uncertain (-1): for the filter only, and the label says which. Lateral views are non-valid pictures for
the filter. The publisher's own test set is not public, so valid.csv, which radiologists have read, becomes
the test split, and validation is a tenth of train.csv's patients.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from training.data.importers.records import FRONTAL, LATERAL, Found, Picture, Publisher
from training.data.importers.tree import Tree
from training.data.importers.values import age_of, sex_of, view_of

PUBLISHER = Publisher(
    name="chexpert",
    title="CheXpert v1.0",
    licence="Stanford University Dataset Research Use Agreement",
    page="https://stanfordmlgroup.github.io/competitions/chexpert/",
    layout="train.csv, valid.csv and the folders train/ and valid/ with patientNNNNN/studyN/viewN_*.jpg",
    marks=("train.csv", "valid.csv", "train", "valid"),
)

OPACITIES = ("Lung Opacity", "Edema", "Consolidation", "Pneumonia")

OBSERVATIONS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
)

COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)

_STATES = {"1": "positive", "0": "negative", "-1": "uncertain", "": "not mentioned"}


def read(tree: Tree) -> Found:
    """Read train.csv and valid.csv; paths in them begin with the name of the archive."""
    found = Found()
    for table, split in (("train.csv", "train"), ("valid.csv", "test")):
        for row in tree.rows(table, COLUMNS):
            origin = "/".join(PurePosixPath(row["Path"]).parts[1:])
            if origin not in tree.files:
                found.missing.append(origin or row["Path"])
            elif len(PurePosixPath(origin).parts) != 4:
                found.leave_out("no patient and study in the path", origin)
            else:
                _add(found, row, tree, origin, split)
        found.leave_out_unlisted(tree.pictures(table.removesuffix(".csv")), table)
    return found


def _add(found: Found, row: Mapping[str, str], tree: Tree, origin: str, split: str) -> None:
    """Take one image of a row."""
    states = {name: _state(row[name]) for name in OBSERVATIONS}
    found.unknown_labels.update(f"{name}={row[name]}" for name, state in states.items() if state is None)
    lateral = row["Frontal/Lateral"].lower() == "lateral"
    found.add(
        Picture(
            origin=origin,
            file=tree.files[origin],
            patient=PurePosixPath(origin).parts[1],
            finding=finding_of(states),
            kind=LATERAL if lateral else FRONTAL,
            view="lateral" if lateral else view_of(row["AP/PA"]),
            split=split,
            label=_describe(states),
            sex=sex_of(row["Sex"]),
            age=age_of(row["Age"]),
        )
    )


def finding_of(states: Mapping[str, str | None]) -> str:
    """Return the finding for the states of the 14 observations; empty where they do not decide it."""
    if any(states[name] == "positive" for name in OPACITIES):
        return "lung_opacity"
    return "no_finding" if states["No Finding"] == "positive" else ""


def _state(text: str) -> str | None:
    """Return the state that a cell stands for; None where it is not known. The tables write 1.0 or 1."""
    return _STATES.get(text.removesuffix(".0"))


def _describe(states: Mapping[str, str | None]) -> str:
    """Return what is positive, and with a question mark what is uncertain."""
    signs = {"positive": "", "uncertain": "?"}
    return "|".join(name + signs[state] for name, state in states.items() if state in signs)
