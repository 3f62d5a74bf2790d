"""The two networks of a release, asked one image at a time on one thread: so they always answer the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from training.errors import RepositoryError


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAnswer:
    """What both networks say to one radiograph; all NaN from the classifier where it was rejected."""

    valid_probability: float
    """The filter's answer, in [0, 1]."""
    accepted: bool
    """Whether the filter let it pass."""
    probabilities: npt.NDArray[np.float32]
    """(3,) the classifier's answer in the order of `LABELS`."""
    embedding: npt.NDArray[np.float32]
    """(D,) the classifier's pooled features."""


class NetworkPair:
    """A filter and a classifier in ONNX Runtime on the CPU. Threads may share it."""

    def __init__(self, *, filter_onnx: Path, classifier_onnx: Path) -> None:
        """Load both networks.

        Raises:
            RepositoryError: ONNX Runtime cannot load one.
        """
        self._filter = _session(filter_onnx)
        self._classifier = _session(classifier_onnx)

    def ask(self, radiograph: npt.NDArray[np.uint8]) -> PairAnswer:
        """Return what both say to a canonical radiograph, (1, 256, 256) uint8."""
        image = {"radiograph": radiograph[np.newaxis]}
        valid_probability, accepted = self._filter.run(["valid_probability", "accepted"], image)
        probabilities, embedding = self._classifier.run(
            ["probabilities", "embedding"], {**image, "accepted": accepted}
        )
        return PairAnswer(
            valid_probability=float(valid_probability[0, 0]),
            accepted=bool(accepted[0, 0]),
            probabilities=probabilities[0],
            embedding=embedding[0],
        )


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise RepositoryError(
            f"ONNX Runtime cannot load {path.name}: {error} Export the network again with `hilum export`."
        ) from error
