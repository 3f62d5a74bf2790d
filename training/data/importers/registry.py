"""The importers by name; listing them imports none."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from training.data.importers.records import Found, Publisher

IMPORTERS = {
    "cohen": "covid-chestxray-dataset: COVID-19 and other pneumonias, with lateral views and CT slices.",
    "figure1": "Figure 1 COVID-19 Chest X-ray Dataset Initiative: 55 films.",
    "actualmed": "Actualmed COVID-19 Chest X-ray Dataset Initiative: 238 films.",
    "rsna": "RSNA Pneumonia Detection Challenge 2018: 26,684 DICOM films.",
    "kermany": "Chest X-Ray Images (Pneumonia): 5,856 films of children.",
    "nih": "NIH ChestX-ray14: 112,120 films.",
    "chexpert": "CheXpert, full or small: 223,648 films, with lateral views.",
    "folder": "Your own pictures, one folder per class.",
}
"""Each importer's line in the command's help; its module has the same name."""


@dataclass(frozen=True)
class Importer:
    """One publisher's module."""

    publisher: Publisher
    """What it imports."""
    read: Callable[..., Found]
    """Reads a `tree.Tree`; `folder` takes options."""
    about: str
    """Images, labels, licence, citation, download page, and what becomes of the labels."""


def load_importer(name: str) -> Importer:
    """Import the module of one of `IMPORTERS`."""
    module = import_module(f"training.data.importers.{name}")
    return Importer(module.PUBLISHER, module.read, module.__doc__ or "")
