"""Answers as a served release gives them, without one."""

import numpy as np

from clients.results import Screening
from dashboard.examine.examination import Examination
from hilum.contract import LABELS
from hilum.operating_point import OperatingPoint

POINT = OperatingPoint({"lung_opacity": 0.4, "covid19": 0.3})


def screened(finding: str | None) -> Screening:
    """Return the answer of release 7 with a finding; None for an image that the filter rejected."""
    return Screening(
        release=7,
        accepted=finding is not None,
        valid_probability=0.95 if finding else 0.02,
        probabilities={label: 0.8 if label == finding else 0.1 for label in LABELS} if finding else None,
        finding=finding,
        activation_map=np.ones((3, 7, 7), np.float32) if finding else None,
    )


def examined(finding: str | None, file: str = "film.png") -> Examination:
    """Return an examination with that answer, of a black picture."""
    return Examination(
        key="1",
        file=file,
        radiograph=np.zeros((256, 256), np.uint8),
        screening=screened(finding),
        operating_point=POINT,
    )
