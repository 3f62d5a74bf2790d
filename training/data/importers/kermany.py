"""Chest X-Ray Images (Pneumonia), D. Kermany, K. Zhang, M. Goldbaum: children of one to five years.

Images: 5,856 anterior-posterior chest radiographs, JPEG, from the Guangzhou Women and Children's Medical
Center: 1,583 normal and 4,273 pneumonia. The publisher ships train (5,232) and test (624); Kaggle's copy
cut 16 images out of train as val.

Labels: NORMAL or PNEUMONIA by folder; bacteria or virus in the file name.

Licence: CC BY 4.0.

Citation: Kermany, Goldbaum, Cai and others: Identifying Medical Diagnoses and Treatable Diseases by
Image-Based Deep Learning. Cell 172(5), 1122-1131 (2018). Data: doi 10.17632/rscbjbr9sj.

Download: https://data.mendeley.com/datasets/rscbjbr9sj (ChestXRay2017.zip) or
https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia

Becomes: NORMAL -> no_finding, PNEUMONIA -> lung_opacity, with `pathogen` bacteria or virus. Patients:
person1_virus_6 is patient virus-1 (numbers run apart for each pathogen: person1000_bacteria and
person1000_virus are two children), IM-0115-0001 is IM-0115, NORMAL2-IM-0329-0001 is NORMAL2-IM-0329,
BACTERIA-1008087-0001 is BACTERIA-1008087. The publisher's split is kept as long as no patient stands in
two parts. These are children: a classifier that also sees adults' COVID-19 can tell them apart by age.
"""

import re
from pathlib import PurePosixPath

from training.data.importers.records import Found, Picture, Publisher
from training.data.importers.tree import Tree

PUBLISHER = Publisher(
    name="kermany",
    title="Chest X-Ray Images (Pneumonia) by Kermany and others",
    licence="CC BY 4.0",
    page="https://data.mendeley.com/datasets/rscbjbr9sj",
    layout="chest_xray/ with train/ and test/ (Kaggle: also val/), each with NORMAL/ and PNEUMONIA/",
    marks=("train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA"),
)

FINDINGS = {"NORMAL": "no_finding", "PNEUMONIA": "lung_opacity"}

PERSON = re.compile(r"person(?P<person>\d+)_(?P<pathogen>bacteria|virus)_\d+")
NUMBERED = re.compile(r"(?P<patient>(?:NORMAL2-)?IM-\d+|(?:NORMAL|BACTERIA|VIRUS)-\d+)-[\d-]+")


def read(tree: Tree) -> Found:
    """Read the folders of each class in train, val and test."""
    found = Found()
    for split in ("train", "val", "test"):
        for origin, path in tree.pictures(split).items():
            folder = PurePosixPath(origin).parent.name
            if origin.count("/") != 2 or folder not in FINDINGS:
                found.leave_out("in a folder that is neither NORMAL nor PNEUMONIA", origin)
                continue
            patient, pathogen = identify(path.stem)
            if not patient:
                found.leave_out("no patient in the file name", origin)
                continue
            found.add(
                Picture(
                    origin=origin,
                    file=path,
                    patient=patient,
                    finding=FINDINGS[folder],
                    split=split,
                    view="AP",
                    label=folder,
                    pathogen=pathogen,
                )
            )
    return found


def identify(stem: str) -> tuple[str, str]:
    """Return patient and pathogen from a file name without its suffix; two empty texts if it has none."""
    if match := PERSON.fullmatch(stem):
        return f"{match['pathogen']}-{match['person']}", match["pathogen"]
    if match := NUMBERED.fullmatch(stem):
        disease = match["patient"].split("-")[0].lower()
        return match["patient"], disease if disease in ("bacteria", "virus") else ""
    return "", ""
