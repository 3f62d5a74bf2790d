"""A folder of pictures by class: your own films, or a set that has no importer.

Layout: SRC/<class>/<picture>, or SRC/{train,val,test}/<class>/<picture>, which keeps that split as long as
no patient stands in two parts. A folder below the class is a patient: SRC/<class>/<patient>/<picture>.

Becomes: folders no_finding (or normal), lung_opacity (or pneumonia, opacity) and covid19 (or covid,
covid-19) -> that finding; frontal_cxr (or valid): frontal films for the filter only; lateral_cxr, ct,
natural, document, non_chest_xray and object_xray: non-valid pictures for the filter. Capitals, spaces,
hyphens and underscores do not matter. --class NAME=ONE_OF_THESE says what another folder holds;
--class NAME=skip leaves it out.

Patients: the folder below the class, or what --patient REGEX matches in the path below the class (its
first group, or all of it). Else every picture is a patient of its own: say who is who if you know it, or
films of one person may stand in two splits.

Licence and citation: yours to know; the column license stays "not stated".
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from hilum.contract import LABELS
from training.data.importers.records import CT, FRONTAL, LATERAL, Found, Picture, Publisher
from training.data.importers.tree import PICTURES, Tree
from training.data.metadata import SPLITS

PUBLISHER = Publisher(
    name="folder",
    title="a folder of pictures by class",
    licence="not stated",
    page="any place: make one folder per class",
    layout="one folder per class with pictures in it, or train/, val/ and test/ with such folders",
    marks=("*/*",),
)

KINDS = (FRONTAL, LATERAL, CT, "natural", "document", "non_chest_xray", "object_xray")

SKIP = "skip"

MEANINGS = (*LABELS, *KINDS, SKIP)
"""What a class's folder may hold."""

_SYNONYMS = {
    "normal": "no_finding",
    "pneumonia": "lung_opacity",
    "opacity": "lung_opacity",
    "covid": "covid19",
    "valid": FRONTAL,
}


def read(
    tree: Tree, classes: Mapping[str, str] | None = None, patient: re.Pattern[str] | None = None
) -> Found:
    """Read every picture below a class's folder.

    Args:
        tree: the folder.
        classes: what a folder holds (a label, a kind or `skip`), by the folder's name.
        patient: what it matches in the path below the class names the patient.

    Raises:
        DataSetError: a folder's name stands for no class.
    """
    found = Found()
    meanings = _SYNONYMS | {_key(name): name for name in (*LABELS, *KINDS)}
    meanings |= {_key(name): meaning for name, meaning in (classes or {}).items()}
    for origin, path in tree.files.items():
        split, folder, below = _locate(origin)
        meaning = meanings.get(_key(folder))
        if not folder:
            found.leave_out("in no class's folder", origin)
        elif meaning is None:
            raise tree.wrong(
                f"its folder {folder} stands for no class (known: {', '.join(MEANINGS[:-1])}). Say what "
                f"it holds: --class '{folder}=lung_opacity', or --class '{folder}={SKIP}'"
            )
        elif meaning == SKIP:
            found.leave_out(f"in the skipped folder {folder}", origin)
        elif path.suffix.lower() not in PICTURES:
            found.leave_out("no picture that Hilum decodes", origin)
        else:
            found.add(
                Picture(
                    origin=origin,
                    file=path,
                    patient=_patient(f"{folder}/{below.with_suffix('')}", below, patient),
                    finding=meaning if meaning in LABELS else "",
                    kind=FRONTAL if meaning in LABELS else meaning,
                    view="lateral" if meaning == LATERAL else "unknown",
                    split=split,
                    label=folder,
                )
            )
    return found


def _locate(origin: str) -> tuple[str, str, PurePosixPath]:
    """Return a picture's split and class folder, empty where it lies in none, and its path below them."""
    parts = PurePosixPath(origin).parts
    split = parts[0] if parts[0] in SPLITS else ""
    parts = parts[1:] if split else parts
    return split, parts[0] if len(parts) > 1 else "", PurePosixPath(*parts[1:])


def _patient(alone: str, below: PurePosixPath, pattern: re.Pattern[str] | None) -> str:
    """Return who is in a picture: what the pattern finds, or the folder it lies in; else it is `alone`."""
    if pattern is not None:
        match = pattern.search(str(below))
        return (match[1] if match.re.groups else match[0]) if match else alone
    return below.parts[0] if len(below.parts) > 1 else alone


def _key(name: str) -> str:
    """Return a folder's name without what people write differently."""
    return re.sub(r"[\s_-]", "", name).lower()
