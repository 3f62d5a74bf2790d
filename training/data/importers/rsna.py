"""RSNA Pneumonia Detection Challenge (2018), stage 2.

Images: 26,684 frontal chest radiographs with labels, DICOM, 1024 px, and 3,000 without. All come from NIH
ChestX-ray14: never train on the one and test on the other.

Labels, read by radiologists: Normal (8,851), No Lung Opacity / Not Normal (11,821), Lung Opacity (6,012).

Licence: Kaggle's rules of the competition: academic research and education, and other non-commercial
purposes; credit to the NIH Clinical Center.

Citation: Shih, Wu, Halabi and others: Augmenting the National Institutes of Health Chest Radiograph
Dataset with Expert Annotations of Possible Pneumonia. Radiology: Artificial Intelligence 1(1), e180041
(2019). Wang and others, CVPR 2017 (see `nih`).

Download: https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data and, for the patients,
pneumonia-challenge-dataset-mappings_2018.json from
https://www.rsna.org/rsnai/ai-image-challenge/rsna-pneumonia-detection-challenge-2018

Becomes: Normal -> no_finding, Lung Opacity -> lung_opacity, No Lung Opacity / Not Normal: for the filter
only. The challenge's patientId names an image: a patient of the NIH may have several. With the mapping
beside the tables, patients are the NIH's; without it every image counts as a patient of its own, and
the same person can stand in two splits. The 3,000 test images have no labels and are left out; splits
are drawn.
"""

import json
from pathlib import Path

from hilum.decoding.quiet import quiet
from training.data.importers.records import Found, Picture, Publisher
from training.data.importers.tree import Tree
from training.data.importers.values import age_of, sex_of, view_of
from training.data.parallel import map_in_processes

IMAGES = "stage_2_train_images"
CLASSES = "stage_2_detailed_class_info.csv"
TARGETS = "stage_2_train_labels.csv"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"

PUBLISHER = Publisher(
    name="rsna",
    title="the RSNA Pneumonia Detection Challenge, stage 2",
    licence="non-commercial research and education (Kaggle competition rules)",
    page="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data",
    layout=f"{CLASSES}, {TARGETS} and the folder {IMAGES}/ with one .dcm per patientId",
    marks=(IMAGES, CLASSES, TARGETS),
)

FINDINGS = {
    "Normal": "no_finding",
    "Lung Opacity": "lung_opacity",
    "No Lung Opacity / Not Normal": "",
}

WITHOUT_MAPPING = (
    f"{MAPPING} is not beside the tables, so each image counts as a patient of its own: films of one person "
    "can stand in two splits. Download it from RSNA's page and import again."
)


def read(tree: Tree) -> Found:
    """Read both tables (a row per box: several for one image), the mapping, and the DICOM headers."""
    found = Found()
    present = tree.pictures(IMAGES)
    positive = {row["patientId"]: row["Target"] == "1" for row in tree.rows(TARGETS, ("patientId", "Target"))}
    labels = {row["patientId"]: row["class"] for row in tree.rows(CLASSES, ("patientId", "class"))}
    patients = _nih_patients(tree, found)
    origins = {image: f"{IMAGES}/{image}.dcm" for image in labels}
    here = [image for image in labels if origins[image] in present]
    files = [present[origins[image]] for image in here]
    headers = dict(zip(here, map_in_processes(_read_header, files, "Reading DICOM"), strict=True))
    for image, label in labels.items():
        origin = origins[image]
        if image not in headers:
            found.missing.append(origin)
        elif positive.get(image) is not (label == "Lung Opacity"):
            found.leave_out(f"{CLASSES} and {TARGETS} disagree", origin)
        elif headers[image] is None:
            found.leave_out("not a readable DICOM file", origin)
        else:
            if label not in FINDINGS:
                found.unknown_labels[label] += 1
            found.add(
                Picture(
                    origin=origin,
                    file=present[origin],
                    patient=patients.get(image, image),
                    finding=FINDINGS.get(label, ""),
                    label=label,
                    **(headers[image] or {}),
                )
            )
    found.leave_out_unlisted(present, CLASSES)
    return found


def _nih_patients(tree: Tree, found: Found) -> dict[str, str]:
    """Return the NIH's patient for each image, empty without RSNA's mapping, which is noted."""
    path = tree.root / MAPPING
    if not path.is_file():
        found.notes.append(WITHOUT_MAPPING)
        return {}
    try:
        records = json.loads(path.read_bytes())
        # img_id is the NIH's file name: patient, underscore, number of the film.
        return {item["subset_img_id"]: f"nih-{item['img_id'].split('_')[0]}" for item in records}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise tree.wrong(
            f"its {MAPPING} is no list of records with subset_img_id and img_id ({error!r})"
        ) from error


def _read_header(path: Path) -> dict[str, str] | None:
    """Return view, sex and age of a DICOM; None if it cannot be read. Runs in worker processes."""
    from pydicom import dcmread

    keywords = ("ViewPosition", "PatientSex", "PatientAge")
    try:
        with quiet():  # the challenge writes ages without their unit
            header = dcmread(path, specific_tags=list(keywords))
            view, sex, age = (str(header.get(keyword, "")) for keyword in keywords)
    except Exception:  # pydicom lets through whatever a broken file causes
        return None
    return {"view": view_of(view), "sex": sex_of(sex), "age": age_of(age)}
