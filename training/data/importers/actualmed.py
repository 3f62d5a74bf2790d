"""Actualmed COVID-19 Chest X-ray Dataset Initiative, A. Chung for the COVID-Net team.

Images: 238 frontal chest radiographs of some 215 patients in Spain, spring 2020 (58 COVID-19).

Labels: COVID-19 (compatible with it: the radiologist's level 3), No finding (COVID-19 is excluded: level
1, reports without findings), or none (level 2, inconclusive).

Licence: offered for research purposes only, as its README says.

Citation: A. Chung: Actualmed COVID-19 Chest X-ray Dataset Initiative (2020), with Actualmed, J. A.
Heredia Alvaro and P. Agusti Ballester (Universitat Jaume I). Wang, Lin, Wong: COVID-Net. Scientific
Reports 10, 19549 (2020).

Download: https://github.com/agchung/Actualmed-COVID-chestxray-dataset (git clone)

Becomes: COVID-19 -> covid19, No finding -> no_finding (it says that a viral infection is excluded, not
that a patient is healthy); inconclusive: for the filter only. A patient may have films of both. There is
no publisher's split.
"""

from training.data.importers.figure1 import add_row
from training.data.importers.records import Found, Publisher
from training.data.importers.tree import Tree

PUBLISHER = Publisher(
    name="actualmed",
    title="the Actualmed COVID-19 Chest X-ray Dataset Initiative",
    licence="research purposes only",
    page="https://github.com/agchung/Actualmed-COVID-chestxray-dataset",
    layout="metadata.csv beside the folder images/",
    marks=("metadata.csv", "images"),
)

COLUMNS = ("patientid", "sex", "age", "finding", "view", "modality", "imagename")


def read(tree: Tree) -> Found:
    """Read metadata.csv and the folder images/."""
    found = Found()
    present = tree.pictures("images")
    for row in tree.rows("metadata.csv", COLUMNS):
        origin = f"images/{row['imagename']}"
        if origin in present:
            add_row(found, row, tree, origin, patient=row["patientid"])
        else:
            found.missing.append(origin)
    found.leave_out_unlisted(present, "metadata.csv")
    return found
