"""Miniature data sets in their publishers' layouts, with pictures of noise."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import JPEGBaseline8Bit

from hilum.decoding.quiet import quiet
from tests.support.image_files import compressed_dicom, encoded
from training.data.check import check_data_set
from training.data.importers.registry import load_importer
from training.data.importers.run import Imported, import_data_set

Row = dict[str, str]

CHEXPERT_OBSERVATIONS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
)


def import_clean(name: str, source: Path, folder: Path, **options: Any) -> Imported:
    """Import, and require what every import promises: clean, whole, and no patient in two splits."""
    importer = load_importer(name)
    done = import_data_set(importer.publisher, importer.read, source, folder, **options)
    assert check_data_set(folder).problems == ()
    frame = done.data.frame
    assert frame.groupby("patient_id")["split"].nunique().max() == 1
    assert frame["patient_id"].str.startswith(f"{name}:").all()
    assert (frame["source"] == name).all()
    assert done.linked + done.copied == len(frame)
    return done


def rows_by_origin(done: Imported) -> dict[str, dict[str, str]]:
    """Return an import's rows by the image's path in the publisher's tree."""
    rows = [dict(zip(done.data.frame.columns, row, strict=True)) for row in done.data.frame.to_numpy()]
    return {row["origin_path"]: row for row in rows}


def picture(path: Path, number: int) -> None:
    """Write a small gray picture that no other number gives, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (40, 36), np.uint8)
    path.write_bytes(encoded(pixels, {".png": "PNG"}.get(path.suffix, "JPEG")))


def table(path: Path, rows: Sequence[Mapping[str, str]], columns: Iterable[str] = ()) -> None:
    """Write a CSV table; columns are those of the first row unless given."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns) or list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def cohen_row(patient: str, finding: str, filename: str, **changes: str) -> Row:
    """Return a row of covid-chestxray-dataset with the columns of its last version that matter here."""
    return {
        "patientid": patient,
        "offset": "0",
        "sex": "M",
        "age": "65",
        "finding": finding,
        "survival": "Y",
        "view": "PA",
        "modality": "X-ray",
        "location": "Hospital, City",
        "folder": "images",
        "filename": filename,
        "license": "CC BY-NC-SA",
        "clinical_notes": 'He had travelled, and "coughed",\nfor two days.',
        "other_notes": "",
        "": "",
    } | changes


def cohen_tree(root: Path) -> Path:
    """Write 39 rows: 20 patients with COVID-19 (two films each of 4), 5 other pneumonias, and the rest."""
    rows = [cohen_row(str(n), "Pneumonia/Viral/COVID-19", f"covid-{n}.jpeg") for n in range(20)]
    rows += [cohen_row(str(n), "Pneumonia/Viral/COVID-19", f"covid-{n}-b.png", view="AP") for n in range(4)]
    rows += [
        cohen_row("100", "Pneumonia/Viral/SARS", "sars.jpg", view="AP Supine", license=""),
        cohen_row(
            "101", "Pneumonia/Bacterial/Klebsiella", "klebsiella.jpg", sex="F", age="", view="AP Erect"
        ),
        cohen_row("102", "Pneumonia/Fungal/Pneumocystis", "pneumocystis.jpg"),
        cohen_row("103", "Pneumonia", "pneumonia.jpg"),
        cohen_row("104", "Pneumonia/Lipoid", "lipoid.jpg"),
        cohen_row("105", "No Finding", "clear.jpg"),
        cohen_row("106", "Tuberculosis", "tuberculosis.jpg"),
        cohen_row("107", "todo", "todo.jpg"),
        cohen_row("108", "Sarcoidosis", "sarcoidosis.jpg"),
        cohen_row("0", "Pneumonia/Viral/COVID-19", "side.jpg", view="L"),
        cohen_row("1", "Pneumonia/Viral/COVID-19", "slice.jpg", view="Axial", modality="CT"),
        cohen_row("2", "Pneumonia/Viral/COVID-19", "volume.nii.gz", modality="CT", folder="volumes"),
        cohen_row("3", "Pneumonia/Viral/COVID-19", "oblique.jpg", view="Oblique"),
        cohen_row("4", "No Finding", "covid-4.jpeg"),
    ]
    names = dict.fromkeys(row["filename"] for row in rows if row["folder"] == "images")
    for number, name in enumerate(names):
        picture(root / "images" / name, number)
    picture(root / "images" / "unlisted.png", 1000)
    table(root / "metadata.csv", rows)
    return root


def covid_net_row(patient: str, finding: str, **changes: str) -> Row:
    """Return a row of the Figure 1 collection, or with `imagename` of Actualmed's."""
    return {
        "patientid": patient,
        "offset": "",
        "sex": "",
        "age": "",
        "finding": finding,
        "survival": "",
        "temperature": "",
        "pO2 saturation": "",
        "view": "",
        "modality": "X-ray",
        "artifacts/distortion": "",
        "notes": "",
    } | changes


def figure1_tree(root: Path) -> Path:
    """Write 16 films of 15 patients; the notes are in Windows' encoding, as the publisher's are."""
    rows = [covid_net_row(f"COVID-{n:05}", "COVID-19") for n in range(1, 11)]
    rows += [
        covid_net_row("COVID-00011a", "", sex="M", age="28", view="AP erect", notes="low 90\u2019s, 38°"),
        covid_net_row("COVID-00011b", "", sex="M", age="28", view="AP erect"),
        covid_net_row("COVID-00012", "No finding", age="50+", view="PA"),
        covid_net_row("COVID-00013", "Pneumonia"),
        covid_net_row("COVID-00014", "Pneumonia"),
        covid_net_row("COVID-00015", "Pneumothorax"),
    ]
    for number, row in enumerate(rows):
        picture(root / "images" / f"{row['patientid']}.{'png' if number % 2 else 'jpg'}", number)
    table(root / "metadata.csv", rows)
    text = (root / "metadata.csv").read_text(encoding="utf-8")
    (root / "metadata.csv").write_bytes(text.encode("cp1252"))
    return root


def actualmed_tree(root: Path) -> Path:
    """Write 26 films of 24 patients: one goes from negative to COVID-19, one has two films of a day."""
    excluded = "Negative (covid-19 viral infection is excluded), date taken (YYYYMMDD): 20200323"
    rows = [covid_net_row(f"ANON{n}", "COVID-19", view="AP") for n in range(10)]
    rows += [covid_net_row(f"ANON{n}", "No finding", view="PA", notes=excluded) for n in range(10, 20)]
    rows += [covid_net_row(f"ANON{n}", "", view="PA", notes="Inconclusive") for n in range(20, 24)]
    rows += [covid_net_row("ANON0", "No finding", view="PA"), covid_net_row("ANON1", "COVID-19", view="AP")]
    for number, row in enumerate(rows):
        row["imagename"] = f"CR.1.2.840.113564.1722810170.2020031309{number:04}.1003000225002.png"
        picture(root / "images" / row["imagename"], number)
    table(root / "metadata.csv", rows)
    return root


def rsna_tree(root: Path, *, mapping: bool = True) -> Path:
    """Write 26 DICOM images: 12 normal, 8 opacities with two boxes each, 6 not normal; 2 test images."""
    classes = ["Normal"] * 12 + ["Lung Opacity"] * 8 + ["No Lung Opacity / Not Normal"] * 6
    ids = [f"{n:08x}-4c2d-4b3c-9a3d-1b5a6f2e7d{n:02}" for n in range(len(classes))]
    info, targets = [], []
    for number, (image, name) in enumerate(zip(ids, classes, strict=True)):
        boxes = [("10.0", "20.0"), ("30.0", "40.0")] if name == "Lung Opacity" else [("", "")]
        for x, y in boxes:
            info.append({"patientId": image, "class": name})
            size = {"width": "5.0", "height": "6.0"} if x else {"width": "", "height": ""}
            targets.append({"patientId": image, "x": x, "y": y, **size, "Target": "1" if x else "0"})
        dicom(root / "stage_2_train_images" / f"{image}.dcm", number)
    for number in (100, 101):
        dicom(root / "stage_2_test_images" / f"test-{number}.dcm", number)
    table(root / "stage_2_detailed_class_info.csv", info)
    table(root / "stage_2_train_labels.csv", targets)
    if mapping:
        records = [
            {"img_id": f"{n // 2:08}_{n % 2:03}.png", "subset_img_id": image, "orig_labels": ["Mass"]}
            for n, image in enumerate(ids)
        ]
        (root / "pneumonia-challenge-dataset-mappings_2018.json").write_text(json.dumps(records))
    return root


def dicom(path: Path, number: int) -> None:
    """Write a DICOM as the challenge has them: JPEG inside, age a bare number, sex and view."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (40, 36), np.uint8)
    with quiet():  # an age without its unit breaks the standard
        content = compressed_dicom(
            pixels,
            JPEGBaseline8Bit,
            PatientSex="F" if number % 2 else "M",
            PatientAge=str(30 + number),
            ViewPosition="PA" if number % 3 else "AP",
        )
    path.write_bytes(content)


def kermany_tree(root: Path, *, val: bool = True) -> Path:
    """Write chest_xray/ below `root`: 15 + 15 films in train, 2 + 2 in val, 5 + 5 in test."""
    tree = root / "chest_xray"
    names = [("train", "NORMAL", f"IM-{n:04}-0001") for n in range(115, 128)]
    names += [("train", "NORMAL", "IM-0429-0001"), ("train", "NORMAL", "IM-0429-0001-0002")]
    names += [("train", "PNEUMONIA", f"person{n}_bacteria_{n + 30}") for n in range(1, 11)]
    names += [("train", "PNEUMONIA", f"person{n}_virus_{n + 80}") for n in (101, 102, 103)]
    names += [("train", "PNEUMONIA", "person104_virus_190"), ("train", "PNEUMONIA", "person104_virus_191")]
    names += [("test", "NORMAL", f"NORMAL2-IM-{n:04}-0001") for n in range(329, 334)]
    names += [("test", "PNEUMONIA", f"person{n}_virus_{n + 5}") for n in range(1, 6)]
    if val:
        names += [("val", "NORMAL", f"NORMAL2-IM-{n}-0001") for n in (1427, 1430)]
        names += [("val", "PNEUMONIA", f"person{n}_bacteria_{n + 2928}") for n in (1946, 1947)]
    for number, (split, folder, name) in enumerate(names):
        picture(tree / split / folder / f"{name}.jpeg", number)
    return root


def nih_tree(root: Path) -> Path:
    """Write 30 films of 22 patients in two archives' folders, and the lists of 16 and 6 patients."""
    labels = ["No Finding", "Infiltration", "Effusion|Pneumonia", "Cardiomegaly|Emphysema", "Edema", "Hernia"]
    rows: list[Row] = []
    lists: dict[str, list[str]] = {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, 23):
        for film in range(2 if patient % 3 == 0 else 1):
            rows.append(
                {
                    "Image Index": f"{patient:08}_{film:03}.png",
                    "Finding Labels": labels[patient % len(labels)],
                    "Follow-up #": str(film),
                    "Patient ID": str(patient),
                    "Patient Age": "058Y" if patient == 1 else "414" if patient == 2 else str(20 + patient),
                    "Patient Gender": "MF"[patient % 2],
                    "View Position": ("PA", "AP")[film],
                }
            )
    rows.append(rows[0] | {"Image Index": "00000023_000.png", "Patient ID": "23", "Finding Labels": "Flu"})
    for number, row in enumerate(rows):
        picture(root / f"images_{1 + number % 2:03}" / "images" / row["Image Index"], number)
        lists["test_list.txt" if 16 < int(row["Patient ID"]) < 23 else "train_val_list.txt"].append(
            row["Image Index"]
        )
    for name, lines in lists.items():
        (root / name).write_text("\n".join(lines) + "\n")
    table(root / "Data_Entry_2017.csv", rows)
    return root


def chexpert_row(path: str, positive: str = "", uncertain: str = "", **changes: str) -> Row:
    """Return a row of train.csv or valid.csv; observations are named by "|"."""
    states = dict.fromkeys(CHEXPERT_OBSERVATIONS, "")
    states |= dict.fromkeys(filter(None, positive.split("|")), "1.0")
    states |= dict.fromkeys(filter(None, uncertain.split("|")), "-1.0")
    return {
        "Path": f"CheXpert-v1.0-small/{path}",
        "Sex": "Female",
        "Age": "68",
        "Frontal/Lateral": "Frontal",
        "AP/PA": "AP",
    } | (states | changes)


def chexpert_tree(root: Path) -> Path:
    """Write 15 patients in train.csv, two with a lateral view, and 3 in valid.csv."""
    names = ["No Finding", "Lung Opacity", "Edema|Pleural Effusion", "Fracture", "Consolidation|Pneumonia"]
    train = []
    for n in range(15):
        path = f"train/patient{n:05}/study1/view1_frontal.jpg"
        train.append(chexpert_row(path, positive=names[n % 5]))
    lateral = {"Frontal/Lateral": "Lateral", "AP/PA": ""}
    train += [
        chexpert_row("train/patient00000/study1/view2_lateral.jpg", positive="No Finding", **lateral),
        chexpert_row("train/patient00001/study2/view1_lateral.jpg", positive="Lung Opacity", **lateral),
        chexpert_row("train/patient00002/study2/view1_frontal.jpg", uncertain="Pneumonia"),
        chexpert_row("train/patient00003/study2/view1_frontal.jpg", Age="0", Sex="Unknown", Edema="0.0"),
    ]
    valid = [
        chexpert_row(f"valid/patient6454{n}/study1/view1_frontal.jpg", positive="No Finding|Support Devices")
        for n in range(3)
    ]
    for number, row in enumerate(train + valid):
        picture(root / row["Path"].partition("/")[2], number)
    table(root / "train.csv", train)
    table(root / "valid.csv", valid)
    return root
