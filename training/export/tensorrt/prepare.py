"""From a registered network to a folder in which TensorRT can build and be checked, without this machine."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from hilum.contract import FILTER
from hilum.errors import UsageError
from hilum.files import sha256_file, write_atomic
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.errors import ParityError
from training.evaluate.decisions import OPERATING_POINT_TAG, THRESHOLD_TAG
from training.export.parity import BATCHES
from training.export.passport import Precision
from training.export.precision import opset_of
from training.export.row_mask import mask_rows
from training.export.tensorrt.job import JOB_FILE, render_job
from training.export.tensorrt.plan import (
    CASES_FOLDER,
    ONNX_FILE,
    PLAN_FILE,
    BuildPlan,
    Profile,
    TensorrtMajor,
    check_compute_capability,
    check_image,
    input_names,
)
from training.export.tensorrt.script import SCRIPT_FILE, build_script
from training.export.variant.agreement import Answer, Outputs, onnx_answers
from training.export.variant.build import PRECISION_TAG, SEED, VARIANT_OF_TAG
from training.export.variant.half import to_fp16
from training.export.variant.sample import ImageSample, draw_sample
from training.registry import RegisteredVersion, Registry

CASES = 64
"""Images of the validation split that the engine is asked."""

REJECT_EVERY = 8
"""Every eighth image is marked rejected: its row must come back as NaN."""

EXPECTED_FILE = "expected.npz"
ACCEPTED_KEY = "accepted_rows"
"""The key that holds which images were accepted; the other keys are outputs."""
DIGESTS_KEY = "digests"

SAME = 1e-5
"""Largest difference, as a share of the largest magnitude, between the gated and the masked graph."""


def prepare_build(
    registry: Registry,
    data: DataSet,
    cache: RadiographCache,
    folder: Path,
    *,
    model: str,
    number: int | None,
    precision: Literal["fp16"] | None,
    tensorrt: TensorrtMajor,
    image: str,
    compute_capability: str | None,
    max_batch: int,
) -> BuildPlan:
    """Write the graph, the plan, the script, the Kubernetes Job and the cases into a new folder.

    Args:
        registry: holds the network.
        data: its validation split gives the cases.
        cache: of decoded radiographs.
        folder: must not exist, or be empty; it appears at once and whole.
        model: `xray_filter` or `xray_classifier`.
        number: registry version; None for the newest.
        precision: `fp16` writes an FP32 network's core in FP16 first; None takes the graph as it is typed.
        tensorrt: major version of the TensorRT in the container.
        image: Triton's container.
        compute_capability: of the GPU, as `9.0`; None for whichever builds.
        max_batch: images in one request at most.

    Raises:
        UsageError: the folder is not empty, a variant is to be rounded again, or the container's or the
            GPU's name is none.
        HilumError: the graph cannot become an engine.
        ParityError: the masked graph answers otherwise than the registered one.
    """
    check_image(image)  # now, not when the plan is written: the work before it takes minutes
    if compute_capability is not None:
        check_compute_capability(compute_capability)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Give a new folder by --output.")
    version = registry.version(model, number)
    typed: Precision = version.tags.get(PRECISION_TAG, "fp32")  # type: ignore[assignment]  # written from Precision
    if precision and typed != "fp32":
        raise UsageError(
            f"{model} version {version.number} is typed {typed} already. Leave --precision out, or give the "
            f"FP32 version {version.tags[VARIANT_OF_TAG]}."
        )
    sample = draw_sample(data, cache, model, "val", count=CASES, seed=SEED)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        draft, scratch = Path(temporary) / folder.name, Path(temporary) / "scratch"
        source = registry.download_onnx(version, scratch)
        reference = registry.download_onnx(_reference(registry, version), scratch)
        masked = mask_rows(onnx.load(source))
        write_atomic(draft / ONNX_FILE, masked.SerializeToString())
        check_same_answers(onnx_answers(source), onnx_answers(draft / ONNX_FILE), sample)
        if precision == "fp16":
            masked = to_fp16(masked)
            write_atomic(draft / ONNX_FILE, masked.SerializeToString())
        plan = BuildPlan(
            model=model,
            version=version.number,
            precision=precision or typed,
            onnx_sha256=sha256_file(draft / ONNX_FILE),
            reference_sha256=sha256_file(reference),
            opset=opset_of(masked),
            ir_version=masked.ir_version,
            tensorrt=tensorrt,
            image=image,
            compute_capability=compute_capability,
            profile=Profile(opt=min(8, max_batch), max=max_batch),
            decision={
                tag: version.tags[tag] for tag in (THRESHOLD_TAG, OPERATING_POINT_TAG) if tag in version.tags
            },
        )
        batches = write_cases(draft / CASES_FOLDER, model, onnx_answers(reference), sample, max_batch)
        write_atomic(draft / PLAN_FILE, plan.model_dump_json(indent=1).encode())
        write_atomic(draft / SCRIPT_FILE, build_script(plan, batches).encode(), mode=0o755)
        write_atomic(draft / JOB_FILE, render_job(plan).encode())
        draft.replace(folder)
    return plan


def check_same_answers(gated: Answer, masked: Answer, sample: ImageSample) -> None:
    """Refuse a masked graph that answers otherwise than the gated one, at batch 1, 2 and 5.

    Raises:
        ParityError: naming the batch and the output.
    """
    for mask in BATCHES:
        accepted = np.array(mask)[:, None]
        radiographs = np.resize(sample.radiographs, (len(mask), *sample.radiographs.shape[1:]))
        expected, found = gated(radiographs, accepted), masked(radiographs, accepted)
        for name, value in expected.items():
            scale = float(np.nanmax(np.abs(value), initial=0)) if value.dtype != np.bool_ else 0.0
            if not np.allclose(value, found[name], rtol=0, atol=SAME * scale, equal_nan=True):
                raise ParityError(
                    f"Masking rejected rows changed output `{name}` at accepted rows {list(mask)}: no engine "
                    "can be built of this graph. Serve it by ONNX Runtime, and report this."
                )


def write_cases(
    folder: Path, model: str, reference: Answer, sample: ImageSample, max_batch: int
) -> list[int]:
    """Write each batch's inputs as `trtexec` reads them, and the answers expected; return the sizes."""
    count = len(sample.radiographs)
    accepted = np.ones((count, 1), dtype=np.bool_)
    if model != FILTER:
        accepted[REJECT_EVERY - 1 :: REJECT_EVERY] = False
    answers: list[Outputs] = []
    sizes = []
    for number, start in enumerate(range(0, count, max_batch)):
        rows = slice(start, start + max_batch)
        images, mask = np.ascontiguousarray(sample.radiographs[rows]), accepted[rows]
        content = {"radiograph": images.tobytes(), "accepted": mask.tobytes()}
        for name in input_names(model):
            write_atomic(folder / str(number) / f"{name}.bin", content[name])
        answers.append(reference(images, mask))
        sizes.append(len(images))
    _write_expected(folder / EXPECTED_FILE, answers, accepted, sample.digests)
    return sizes


def _write_expected(
    path: Path, answers: Sequence[Outputs], accepted: NDArray[np.bool_], digests: Sequence[str]
) -> None:
    outputs = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
    with path.open("wb") as stream:
        np.savez(stream, **outputs, **{ACCEPTED_KEY: accepted, DIGESTS_KEY: np.array(digests)})


def _reference(registry: Registry, version: RegisteredVersion) -> RegisteredVersion:
    """Return the FP32 version that a variant was made of; of another version, itself."""
    if VARIANT_OF_TAG not in version.tags:
        return version
    return registry.version(version.name, int(version.tags[VARIANT_OF_TAG]))
