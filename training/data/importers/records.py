"""What an importer hands over: the pictures that it found, and what it left out and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FRONTAL = "frontal_cxr"
"""The only kind that the filter accepts: an upright frontal chest radiograph."""

LATERAL = "lateral_cxr"
CT = "ct"
"""Kinds that publishers mix with their frontal films: negatives for the filter."""

LISTED_TWICE = "listed a second time"
ABSENT = "listed, but the tree lacks the file"


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """What a data set is, where it comes from and what its folder must hold."""

    name: str
    """The importer's name, and the `source` of its images; prefix of its patients."""
    title: str
    """How its publisher calls it."""
    licence: str
    """Terms for all of its images; a picture's own licence goes before it."""
    page: str
    """Where to download it."""
    layout: str
    """What its folder holds, in words, for an error."""
    marks: tuple[str, ...]
    """Glob patterns that each must match something in that folder."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image of a publisher's tree, and what the publisher says of it."""

    origin: str
    """Path below the tree's root, with forward slashes."""
    file: Path
    """Where it lies."""
    patient: str
    """The publisher's own identifier; what has none is its own patient."""
    finding: str = ""
    """A label of the classifier, or empty: then only the filter sees it."""
    kind: str = FRONTAL
    """What is shown; whatever is not `FRONTAL` is not valid for the filter."""
    view: str = "unknown"
    """PA, AP, lateral or unknown."""
    split: str = ""
    """The publisher's split; empty where it has none."""
    label: str = ""
    """What the publisher calls the finding, in its own words."""
    sex: str = ""
    """M or F; empty where unknown."""
    age: str = ""
    """Whole years; empty where unknown."""
    pathogen: str = ""
    """bacteria, virus or fungus, where the publisher says so."""
    license: str = ""
    """Terms of this image, where they are not those of the whole set."""


@dataclass
class Found:
    """What reading a tree gave; an importer fills it."""

    pictures: list[Picture] = field(default_factory=list)
    """The images to import, in a stable order."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Images (or rows) that are not imported, by the reason."""
    missing: list[str] = field(default_factory=list)
    """Files that the publisher's table lists and the tree lacks."""
    unknown_labels: Counter[str] = field(default_factory=Counter)
    """Labels that the importer does not know: their images have no finding."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what a user of this data should know."""
    _origins: set[str] = field(default_factory=set, init=False, repr=False)

    def add(self, picture: Picture) -> None:
        """Take an image, unless the publisher's table has listed it before."""
        if picture.origin in self._origins:
            self.leave_out(LISTED_TWICE, picture.origin)
            return
        self._origins.add(picture.origin)
        self.pictures.append(picture)

    def leave_out(self, reason: str, origin: str) -> None:
        """Count an image that is not imported."""
        self.left_out.setdefault(reason, []).append(origin)

    def leave_out_unlisted(self, files: Iterable[str], table: str) -> None:
        """Count the image files of the tree that no row of the publisher's table has named."""
        listed = self._origins.union(*self.left_out.values())
        for origin in files:
            if origin not in listed:
                self.leave_out(f"not listed in {table}", origin)
