"""NIH ChestX-ray14, X. Wang and others.

Images: 112,120 frontal chest radiographs of 30,805 patients, PNG, 1024 px, 45 GB in twelve archives.

Labels: 14 diseases and No Finding, mined from the reports' text (some are wrong: the publisher expects
more than 90 % right), joined by "|".

Licence: free use without restrictions; the NIH asks to name the NIH Clinical Center as the provider, to
link to the download page and to cite the paper.

Citation: Wang, Peng, Lu, Lu, Bagheri, Summers: ChestX-ray8: Hospital-Scale Chest X-Ray Database and
Benchmarks on Weakly-Supervised Classification and Localization of Common Thorax Diseases. CVPR 2017,
2097-2106.

Download: https://nihcc.app.box.com/v/ChestXray-NIHCC

Becomes: No Finding -> no_finding. Pneumonia, Consolidation, Infiltration or Edema, alone or with others
-> lung_opacity. Atelectasis, Cardiomegaly, Effusion, Emphysema, Fibrosis, Hernia, Mass, Nodule,
Pleural_Thickening and Pneumothorax without one of those: for the filter only. The publisher's split by
patient is kept (86,524 images train_val, 25,596 test); validation is a tenth of the train_val patients.
"""

from pathlib import PurePosixPath

from training.data.importers.records import Found, Picture, Publisher
from training.data.importers.tree import PICTURES, Tree
from training.data.importers.values import age_of, sex_of, view_of

TRAIN_LIST = "train_val_list.txt"
TEST_LIST = "test_list.txt"

PUBLISHER = Publisher(
    name="nih",
    title="NIH ChestX-ray14",
    licence="free use with attribution to the NIH Clinical Center",
    page="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    layout=f"Data_Entry_2017*.csv, {TRAIN_LIST}, {TEST_LIST} and the images in images_001/images/ to "
    "images_012/images/, or all in images/",
    marks=("Data_Entry_2017*.csv", TRAIN_LIST, TEST_LIST, "images*"),
)

COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")

OPACITIES = frozenset({"Pneumonia", "Consolidation", "Infiltration", "Edema"})

OTHERS = frozenset(
    {"Atelectasis", "Cardiomegaly", "Effusion", "Emphysema", "Fibrosis", "Hernia", "Mass", "Nodule"}
    | {"Pleural_Thickening", "Pneumothorax"}
)


def read(tree: Tree) -> Found:
    """Read the table, both lists, and every PNG below folders whose names begin with `images`."""
    found = Found()
    table = min(path.name for path in tree.root.glob("Data_Entry_2017*.csv"))
    splits = dict.fromkeys(tree.lines(TRAIN_LIST), "train") | dict.fromkeys(tree.lines(TEST_LIST), "test")
    by_name = {
        PurePosixPath(origin).name: origin
        for origin in tree.files
        if origin.startswith("images") and origin.lower().endswith(PICTURES)
    }
    for row in tree.rows(table, COLUMNS):
        name = row["Image Index"]
        if name not in splits:
            found.leave_out(f"neither in {TRAIN_LIST} nor in {TEST_LIST}", by_name.get(name, name))
        elif name not in by_name:
            found.missing.append(name)
        else:
            finding = finding_of(row["Finding Labels"])
            if finding is None:
                found.unknown_labels[row["Finding Labels"]] += 1
            origin = by_name[name]
            found.add(
                Picture(
                    origin=origin,
                    file=tree.files[origin],
                    patient=row["Patient ID"].lstrip("0"),
                    finding=finding or "",
                    split=splits[name],
                    view=view_of(row["View Position"]),
                    label=row["Finding Labels"],
                    # The table of 2020 says Sex where that of 2017 says Gender.
                    sex=sex_of(row.get("Patient Gender") or row.get("Patient Sex", "")),
                    age=age_of(row["Patient Age"]),
                )
            )
    found.leave_out_unlisted(by_name.values(), table)
    return found


def finding_of(text: str) -> str | None:
    """Return the finding for labels joined by "|"; None where one of them is not known."""
    labels = set(text.split("|"))
    if labels == {"No Finding"}:
        return "no_finding"
    if not labels <= OPACITIES | OTHERS:
        return None
    return "lung_opacity" if labels & OPACITIES else ""
