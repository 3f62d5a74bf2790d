"""What a reader must know of a network before reading its numbers (Mitchell et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.contract import FILTER, NOTICE
from training import tracking
from training.evaluate.decisions import (
    ARGMAX_TAG,
    OPERATING_POINT_TAG,
    TEMPERATURE_TAG,
    THRESHOLD_TAG,
)

PURPOSE = {
    True: "Tells upright frontal chest radiographs from every other picture, so that no other reaches the "
    "classifier.",
    False: "Ranks frontal chest radiographs of adults by what they may show, and marks where it looked.",
}
"""What a network is for: the filter (true) or the classifier."""

INTENDED_USE = (
    "Research, and the order in which films are read, with a qualified reader who confirms every answer.",
    "Frontal (AP or PA) chest radiographs of adults, of machines and hospitals like those it was trained on.",
)

NOT_FOR = (
    "A diagnosis, or a decision about treatment: it is not a medical device.",
    "Ruling out a disease: what is not among its classes is never reported, however plain it is.",
    "Children, lateral or supine films, CT, and pictures of films, unless an evaluation of these is shown.",
    "Patients unlike those of the evaluation below; where a group is small or missing, little is known.",
)

LIMITS = (
    "Public collections of COVID-19 are other collections than those of other findings: a network can learn "
    "the collection instead of the disease. Read the rows per source, and evaluate on other data.",
    "Intervals show the noise of this sample of patients. They do not show what other hospitals would give.",
)

_KINDS = {
    tracking.RECIPE_TAG: "recipe",
    tracking.DATA_DIGEST_TAG: "training data (SHA-256)",
    tracking.DECODER_DIGEST_TAG: "decoder (SHA-256)",
    tracking.GIT_REVISION_TAG: "code revision",
    TEMPERATURE_TAG: "temperature",
    THRESHOLD_TAG: "threshold",
    OPERATING_POINT_TAG: "operating point",
    ARGMAX_TAG: "decides the most probable class",
}
"""Tags of a training run that the card shows, and their names there."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A network in words."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    run_id: str
    """The MLflow run that trained it."""
    purpose: str
    intended_use: tuple[str, ...]
    not_for: tuple[str, ...]
    limits: tuple[str, ...]
    origin: Mapping[str, str]
    """How it was made: recipe, digests, revision, and how it decides."""
    trained_on: Mapping[str, Mapping[str, int]]
    """By split: images of each class."""
    notice: str = NOTICE
    """The notice of intended use."""


def model_card(run_id: str, tags: Mapping[str, str], parameters: Mapping[str, str]) -> ModelCard:
    """Return the card of a training run from its tags and parameters."""
    counts: dict[str, dict[str, int]] = {"train": {}, "val": {}}
    for split, classes in counts.items():
        for name, value in parameters.items():
            prefix, _, label = name.partition(".")
            if prefix == f"n_{split}":
                classes[label] = int(value)
    model = tags[tracking.MODEL_TAG]
    overruled = (THRESHOLD_TAG, OPERATING_POINT_TAG) if ARGMAX_TAG in tags else ()
    return ModelCard(
        model=model,
        run_id=run_id,
        purpose=PURPOSE[model == FILTER],
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
        limits=LIMITS,
        origin={name: tags[tag] for tag, name in _KINDS.items() if tag in tags and tag not in overruled},
        trained_on={split: classes for split, classes in counts.items() if classes},
    )
