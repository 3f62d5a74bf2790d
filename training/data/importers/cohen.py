"""COVID-19 Image Data Collection (covid-chestxray-dataset), J. P. Cohen and others.

Images: 950 rows in the last version (November 2020): chest radiographs, among them 84 lateral views, 84
CT slices, and a few CT volumes, from publications and case sites. 679 frontal radiographs of 412 people
in 26 countries in the paper's version.

Labels: a path of the diagnosis, such as Pneumonia/Viral/COVID-19, Pneumonia/Bacterial/Klebsiella,
No Finding, Tuberculosis, Unknown, todo. Earlier versions wrote the last step alone: COVID-19, SARS.

Licence: stated per image in its table (Apache 2.0, CC BY, CC BY-NC-SA and others, often not stated);
the table itself is CC BY-NC-SA 4.0.

Citation: Cohen, Morrison, Dao, Roth, Duong, Ghassemi: COVID-19 Image Data Collection: Prospective
Predictions Are the Future. arXiv 2006.11988 (2020). The first version: arXiv 2003.11597.

Download: https://github.com/ieee8023/covid-chestxray-dataset (git clone, 2 GB)

Becomes: COVID-19 -> covid19. Every other pneumonia (viral, bacterial, fungal, lipoid, aspiration,
unspecified), SARS, MERS and ARDS -> lung_opacity. No Finding -> no_finding. Tuberculosis, Unknown and
todo have no finding: they are kept for the filter. Lateral views and CT slices are non-valid pictures
for the filter; CT volumes and pictures whose view is not stated are left out. The patients are the
table's patientid; there is no publisher's split.
"""

from training.data.importers.records import CT, FRONTAL, LATERAL, Found, Picture, Publisher
from training.data.importers.tree import PICTURES, Tree
from training.data.importers.values import age_of, sex_of, view_of

PUBLISHER = Publisher(
    name="cohen",
    title="the COVID-19 Image Data Collection (covid-chestxray-dataset)",
    licence="not stated",
    page="https://github.com/ieee8023/covid-chestxray-dataset",
    layout="metadata.csv beside the folder images/",
    marks=("metadata.csv", "images"),
)

COLUMNS = ("patientid", "sex", "age", "finding", "view", "modality", "filename", "license")

PATHOGENS = {"Viral": "virus", "Bacterial": "bacteria", "Fungal": "fungus"}

_EARLIER_NAMES = {
    "COVID-19": "Pneumonia/Viral/COVID-19",
    "COVID-19, ARDS": "Pneumonia/Viral/COVID-19",
    "ARDS": "Pneumonia",
    **{name: f"Pneumonia/Viral/{name}" for name in ("SARS", "MERS", "Influenza", "Varicella")},
    **{name: f"Pneumonia/Bacterial/{name}" for name in ("Streptococcus", "Klebsiella", "Legionella")},
    **{name: f"Pneumonia/Bacterial/{name}" for name in ("Chlamydophila", "Mycoplasma", "E.Coli")},
    "Pneumocystis": "Pneumonia/Fungal/Pneumocystis",
}
"""What the versions before May 2020 wrote, as the later ones write it."""

_NO_LABEL = ("Tuberculosis", "Unknown", "todo", "")


def read(tree: Tree) -> Found:
    """Read metadata.csv and the folder images/."""
    found = Found()
    present = tree.pictures("images")
    for row in tree.rows("metadata.csv", COLUMNS):
        name = row["filename"]
        origin = f"images/{name}"
        if not name.lower().endswith(PICTURES):
            found.leave_out("a volume or a file of another kind, not a picture", origin)
        elif origin not in present:
            found.missing.append(origin)
        else:
            _add(found, row, tree, origin)
    found.leave_out_unlisted(present, "metadata.csv")
    return found


def _add(found: Found, row: dict[str, str], tree: Tree, origin: str) -> None:
    """Take one picture, unless nobody says what it shows."""
    view = view_of(row["view"])
    is_ct = "CT" in row["modality"].upper() or row["view"] in ("Axial", "Coronal", "Sagittal")
    if view == "unknown" and not is_ct:
        found.leave_out(f"view {row['view'] or 'not stated'}", origin)
        return
    finding, pathogen = diagnosis(row["finding"])
    if finding is None:
        found.unknown_labels[row["finding"]] += 1
    found.add(
        Picture(
            origin=origin,
            file=tree.files[origin],
            patient=row["patientid"] or f"image-{row['filename']}",
            finding=finding or "",
            kind=CT if is_ct else LATERAL if view == "lateral" else FRONTAL,
            view="unknown" if is_ct else view,
            label=row["finding"],
            sex=sex_of(row["sex"]),
            age=age_of(row["age"]),
            pathogen=pathogen,
            license=row["license"],
        )
    )


def diagnosis(label: str) -> tuple[str | None, str]:
    """Return finding and pathogen for a diagnosis; the finding is None where the label is not known."""
    steps = _EARLIER_NAMES.get(label, label).split("/")
    pathogen = PATHOGENS.get(steps[1], "") if len(steps) > 1 else ""
    if steps[-1] == "COVID-19":
        return "covid19", pathogen
    if steps[0] == "Pneumonia":
        return "lung_opacity", pathogen
    if label.lower() == "no finding":
        return "no_finding", pathogen
    return ("" if label in _NO_LABEL else None), pathogen
