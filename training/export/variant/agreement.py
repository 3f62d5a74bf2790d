"""Compares what two ONNX files of one network answer: values, rejected rows, and above all decisions."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hilum.contract import FILTER, FINDINGS, LABELS
from hilum.operating_point import OperatingPoint
from training.errors import ParityError
from training.evaluate.decisions import OPERATING_POINT_TAG, THRESHOLD_TAG
from training.evaluate.intervals import wilson_bounds
from training.export.parity import BATCHES
from training.export.passport import DecisionParity, Disagreement, ValueParity
from training.export.variant.policy import VariantPolicy
from training.export.variant.sample import ImageSample

BATCH_SIZE = 8
"""Images per call while decisions are compared."""

Outputs = dict[str, NDArray[Any]]
Answer = Callable[[NDArray[np.uint8], NDArray[np.bool_]], Outputs]
"""Outputs by name, of (N, 1, 256, 256) uint8 radiographs and (N, 1) bool."""


def onnx_answers(path: Path) -> Answer:
    """Return a function that asks an ONNX file on the CPU, on one thread.

    It raises ParityError where ONNX Runtime cannot run the file on the inputs that it is given.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    wanted = [value.name for value in session.get_inputs()]

    def answer(radiographs: NDArray[np.uint8], accepted: NDArray[np.bool_]) -> Outputs:
        inputs = {"radiograph": radiographs, "accepted": accepted}
        try:
            return dict(zip(names, session.run(names, {name: inputs[name] for name in wanted}), strict=True))
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise ParityError(
                f"{path.name}: ONNX Runtime {onnxruntime.__version__} cannot answer a batch of "
                f"{len(radiographs)} with {int(accepted.sum())} accepted rows: {str(error).splitlines()[0]} "
                "The file is refused."
            ) from error

    return answer


def check_rows(answer: Answer, sample: ImageSample) -> None:
    """Refuse a classifier whose rejected rows are not NaN, or change the others, at batch 1, 2 and 5.

    Raises:
        ParityError: saying at which batch and output.
    """
    for mask in BATCHES:
        accepted = np.array(mask)[:, None]
        radiographs = np.resize(sample.radiographs, (len(mask), *sample.radiographs.shape[1:]))
        check_blank_rows(answer(radiographs, accepted), accepted)


def check_blank_rows(outputs: Outputs, accepted: NDArray[np.bool_]) -> None:
    """Refuse outputs of a batch of which other rows are NaN than those that were not accepted, (N, 1) bool.

    Raises:
        ParityError: naming the output.
    """
    for name, value in outputs.items():
        blank = np.isnan(value).reshape(len(accepted), -1)
        if not np.array_equal(blank.all(axis=1), ~accepted[:, 0]) or blank[accepted[:, 0]].any():
            raise ParityError(
                f"Output `{name}` of a batch with accepted rows {accepted[:, 0].tolist()} is NaN in other "
                "rows than the rejected ones. The file is refused."
            )


def ask(answer: Answer, sample: ImageSample) -> Outputs:
    """Return the outputs of all images of the sample, each of them accepted."""
    parts = [
        answer(rows, np.ones((len(rows), 1), dtype=np.bool_))
        for rows in np.split(sample.radiographs, range(BATCH_SIZE, len(sample.radiographs), BATCH_SIZE))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare_values(reference: Outputs, found: Outputs, policy: VariantPolicy) -> tuple[ValueParity, ...]:
    """Return how far each float output lies from the reference's, probabilities as they are."""
    rows = []
    for name, expected in reference.items():
        if expected.dtype == np.bool_:
            continue
        is_probability = name in ("valid_probability", "probabilities")
        difference = float(np.max(np.abs(expected - found[name])))
        scale = 1.0 if is_probability else float(np.max(np.abs(expected))) or 1.0
        rows.append(
            ValueParity(
                output=name,
                max_difference=difference / scale,
                allowed=policy.probability if is_probability else policy.of_largest,
                scale="absolute" if is_probability else "of_largest",
            )
        )
    return tuple(rows)


def compare_decisions(
    model: str,
    tags: Mapping[str, str],
    reference: Outputs,
    found: Outputs,
    digests: Iterable[str],
    policy: VariantPolicy,
) -> DecisionParity:
    """Return how often two files decide alike, and every image on which they do not.

    Args:
        model: `xray_filter`, which accepts or rejects, or `xray_classifier`, which reports a finding.
        tags: of the registered version: its threshold or operating point.
        reference: outputs of the original.
        found: outputs of the variant, for the same images.
        digests: of the images, in order.
        policy: says what is borderline.
    """
    decide = _filter_decisions(float(tags[THRESHOLD_TAG])) if model == FILTER else _findings(tags)
    disagreements = []
    pairs = list(zip(digests, decide(reference), decide(found), strict=True))
    for digest, (expected, margin), (decided, _) in pairs:
        if expected != decided:
            disagreements.append(
                Disagreement(
                    digest=digest,
                    reference=expected,
                    found=decided,
                    margin=margin,
                    borderline=margin <= policy.borderline,
                )
            )
    agreed = len(pairs) - len(disagreements)
    lower, upper = wilson_bounds(agreed, len(pairs))
    return DecisionParity(
        images=len(pairs),
        agreed=agreed,
        rate=agreed / len(pairs),
        lower=lower,
        upper=upper,
        disagreements=tuple(disagreements),
    )


def check_policy(
    what: str, values: Iterable[ValueParity], decisions: DecisionParity, policy: VariantPolicy
) -> None:
    """Refuse a file that strays further from its reference than the policy allows; `what` names it.

    Raises:
        ParityError: with the numbers.
    """
    for value in values:
        if not value.max_difference <= value.allowed:  # NaN fails too
            raise ParityError(
                f"{what}: `{value.output}` differs by up to {value.max_difference:.3g} from the original's "
                f"({value.scale.replace('_', ' ')}; allowed {value.allowed:.3g}). It is refused."
            )
    excused = sum(disagreement.borderline for disagreement in decisions.disagreements)
    if (decisions.agreed + excused) / decisions.images < policy.agreement:
        raise ParityError(
            f"{what}: {decisions.agreed} of {decisions.images} images are decided as by the original "
            f"({decisions.rate:.3f}, 95 % interval {decisions.lower:.3f} to {decisions.upper:.3f}), "
            f"{excused} more are borderline; the policy asks for {policy.agreement:.3f}. It is refused."
        )


Decisions = Callable[[Outputs], list[tuple[str, float]]]
"""Each image's decision, and how far its probabilities lie from deciding otherwise."""


def _filter_decisions(threshold: float) -> Decisions:
    def decide(outputs: Outputs) -> list[tuple[str, float]]:
        accepted, probability = outputs["accepted"][:, 0], outputs["valid_probability"][:, 0]
        return [
            ("accepted" if a else "rejected", abs(float(p) - threshold))
            for a, p in zip(accepted, probability, strict=True)
        ]

    return decide


def _findings(tags: Mapping[str, str]) -> Decisions:
    point = OperatingPoint(json.loads(tags[OPERATING_POINT_TAG]))

    def decide(outputs: Outputs) -> list[tuple[str, float]]:
        rows = [[float(p) for p in row] for row in outputs["probabilities"]]
        return [(str(point.finding(row)), decision_margin(point, row)) for row in rows]

    return decide


def decision_margin(point: OperatingPoint, probabilities: list[float]) -> float:
    """Return by how much each probability must move, at least, to change the finding.

    Either one reaches, or no longer reaches, its threshold; or, where two exceed theirs, the other one
    exceeds its own by the larger factor: p_a / t_a - p_b / t_b = e (1 / t_a + 1 / t_b).
    """
    values = {finding: probabilities[LABELS.index(finding)] for finding in FINDINGS}
    margins = [abs(value - point.thresholds[finding]) for finding, value in values.items()]
    excess = {finding: value / point.thresholds[finding] for finding, value in values.items()}
    first, second = sorted(FINDINGS, key=excess.__getitem__, reverse=True)[:2]
    if excess[second] >= 1:
        slope = 1 / point.thresholds[first] + 1 / point.thresholds[second]
        margins.append((excess[first] - excess[second]) / slope)
    return min(margins)
