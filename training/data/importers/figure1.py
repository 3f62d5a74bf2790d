"""Figure 1 COVID-19 Chest X-ray Dataset Initiative, A. Chung for the COVID-Net team.

Images: 55 chest radiographs of 48 patients (35 COVID-19, 3 no finding, 2 pneumonia, 15 without a label),
many of them photographed from a monitor.

Labels: COVID-19, No finding, Pneumonia, or none.

Licence: offered for research purposes only, as its README says.

Citation: A. Chung: Figure 1 COVID-19 Chest X-ray Dataset Initiative (2020). Wang, Lin, Wong: COVID-Net.
Scientific Reports 10, 19549 (2020).

Download: https://github.com/agchung/Figure1-COVID-chestxray-dataset (git clone)

Becomes: COVID-19 -> covid19, Pneumonia -> lung_opacity, No finding -> no_finding; without a label: for
the filter only. All are frontal films, most of an unstated view. COVID-00003a and COVID-00003b are two
films of patient COVID-00003. There is no publisher's split.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from training.data.importers.records import Found, Picture, Publisher
from training.data.importers.tree import Tree
from training.data.importers.values import age_of, sex_of, view_of

PUBLISHER = Publisher(
    name="figure1",
    title="the Figure 1 COVID-19 Chest X-ray Dataset Initiative",
    licence="research purposes only",
    page="https://github.com/agchung/Figure1-COVID-chestxray-dataset",
    layout="metadata.csv beside the folder images/",
    marks=("metadata.csv", "images"),
)

COLUMNS = ("patientid", "sex", "age", "finding", "view", "modality")

FINDINGS: Mapping[str, str] = {
    "COVID-19": "covid19",
    "Pneumonia": "lung_opacity",
    "No finding": "no_finding",
    "": "",
}
"""Findings of this publisher's two collections (see `actualmed`)."""


def read(tree: Tree) -> Found:
    """Read metadata.csv and the folder images/, whose files bear the rows' patientid."""
    found = Found()
    present = tree.pictures("images")
    by_stem = {PurePosixPath(origin).stem: origin for origin in present}
    for row in tree.rows("metadata.csv", COLUMNS):
        name = row["patientid"]
        if name not in by_stem:
            found.missing.append(f"images/{name}")
            continue
        add_row(found, row, tree, by_stem[name], patient=re.sub(r"(?<=\d)[a-z]$", "", name))
    found.leave_out_unlisted(present, "metadata.csv")
    return found


def add_row(found: Found, row: Mapping[str, str], tree: Tree, origin: str, *, patient: str) -> None:
    """Take one frontal radiograph of a row; a label that is not known is counted, without a finding."""
    if row["finding"] not in FINDINGS:
        found.unknown_labels[row["finding"]] += 1
    found.add(
        Picture(
            origin=origin,
            file=tree.files[origin],
            patient=patient,
            finding=FINDINGS.get(row["finding"], ""),
            view=view_of(row["view"]),
            label=row["finding"],
            sex=sex_of(row["sex"]),
            age=age_of(row["age"]),
        )
    )
