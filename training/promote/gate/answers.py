"""What a release answered to every case, as served, and the decisions of its two networks in it.

The classifier is judged behind the filter, as it works: an image that the filter rejects gets no finding.
That is an answer of its own, `rejected`, with no probability left for any label: a missed case of its class,
and no false report of any other.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hilum.console import track
from hilum.contract import LABELS
from hilum.errors import HilumError
from hilum.operating_point import OperatingPoint
from training.data.sample_table import FILTER_LABELS
from training.errors import GateError
from training.evaluate.metrics import Booleans, Floats, Integers
from training.evaluate.predictions import Predictions
from training.promote.asking import FrontDoorAnswer
from training.promote.gate.cases import GateCases
from training.promote.gate.front_door import FrontDoor

REJECTED = "rejected"
"""What an image is that the filter did not let pass."""

CLASSIFIER_ANSWERS = (*LABELS, REJECTED)
"""What the pipeline can say to a radiograph."""


@dataclass(frozen=True, slots=True)
class ServedAnswers:
    """What one release answered to N cases."""

    valid_probability: Floats
    """(N,) in [0, 1]."""
    accepted: Booleans
    """(N,) whether the filter let each image pass."""
    probabilities: Floats
    """(N, 3) in the order of `LABELS`; NaN where rejected."""
    decided: Integers
    """(N,) place of the reported answer in `CLASSIFIER_ANSWERS`."""

    def filter_predictions(self, cases: GateCases) -> Predictions:
        """Return the filter's decisions on all N cases."""
        p = self.valid_probability
        decided = self.accepted.astype(np.int64)
        frame = cases.table.frame
        return Predictions(FILTER_LABELS, cases.table.targets, np.column_stack([1 - p, p]), decided, frame)

    def classifier_predictions(self, cases: GateCases) -> Predictions:
        """Return the pipeline's decisions on the radiographs with a finding."""
        rows = cases.is_classified
        frame = cases.table.frame.loc[rows]
        truth = np.array([LABELS.index(finding) for finding in frame["finding"]], dtype=np.int64)
        gone = ~self.accepted[rows]
        probabilities = np.column_stack([self.probabilities[rows], gone])
        probabilities[gone, : len(LABELS)] = 0
        return Predictions(CLASSIFIER_ANSWERS, truth, probabilities, self.decided[rows], frame)


def ask_all(
    door: FrontDoor, cases: GateCases, release: int, operating_point: OperatingPoint, *, in_flight: int
) -> ServedAnswers:
    """Send every case through a front door, several at a time, and return the answers in their order.

    Raises:
        GateError: an image was refused or not answered, or by another release.
    """

    def ask(index: int) -> FrontDoorAnswer:
        try:
            return door.ask(cases.file(index))
        except HilumError as error:
            raise GateError(
                f"The temporary Triton of release {release} did not answer {cases.name(index)}: {error} "
                f"Its log is logs/gate-release-{release}.log in HILUM_HOME."
            ) from error

    with _pool(in_flight) as pool:
        answers = list(track(pool.map(ask, range(len(cases))), f"Asking release {release}", total=len(cases)))
    others = {answer.release for answer in answers} - {release}
    if others:
        raise GateError(f"Release {others.pop()} answered in place of release {release}: report this defect.")
    probabilities = np.array([answer.probabilities for answer in answers], dtype=np.float64)
    findings = [operating_point.finding(answer.probabilities) or REJECTED for answer in answers]
    return ServedAnswers(
        np.array([answer.valid_probability for answer in answers]),
        np.array([answer.accepted for answer in answers], dtype=np.bool_),
        probabilities,
        np.array([CLASSIFIER_ANSWERS.index(finding) for finding in findings], dtype=np.int64),
    )


@contextmanager
def _pool(in_flight: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool that drops what it has not begun when the block ends early."""
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="gate")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
