"""The build plan: everything that decides what TensorRT engine comes out, as one record in a file.

A plan is tied to one container, because an engine loads only on the TensorRT that built it, and to the GPU's
compute capability, for the same reason.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationError

from hilum.contract import ACCEPTED, FILTER, RADIOGRAPH
from hilum.errors import UsageError
from training.config import Section
from training.errors import IntegrityError
from training.export.passport import Precision

PLAN_FILE = "plan.json"
ONNX_FILE = "model.onnx"
ENGINE_FILE = "model.plan"
"""As Triton's TensorRT backend names it."""
TIMING_CACHE = "timing.cache"
"""What TensorRT measured: kept, a second build takes the same kernels and a fraction of the time."""
LAYERS_FILE = "layers.json"
"""What the engine's inspector says of each layer."""
FACTS_FILE = "engine.json"
"""TensorRT's version and the GPU, as the script found them."""
CASES_FOLDER = "cases"
"""Inputs that the engine is asked after the build, a folder per batch, and the answers expected."""
OUTPUTS_FILE = "outputs.json"
"""In the folder of each batch: what the engine answered."""

TensorrtMajor = Literal[10, 11]
"""Major versions whose `trtexec` is spelt here."""


def check_image(image: str) -> str:
    """Return the name of a container image, which goes into a script.

    Raises:
        UsageError: it has a character that no such name has.
    """
    if not re.fullmatch(r"[\w./:@-]+", image, re.ASCII):
        raise UsageError(
            f"{image!r} is no name of a container image: letters, digits and . _ / : @ - are expected. Give "
            "one like nvcr.io/nvidia/tritonserver:24.10-py3 by --image."
        )
    return image


def check_compute_capability(capability: str) -> str:
    """Return a compute capability, which goes into a script and a Job.

    Raises:
        UsageError: it is not two numbers.
    """
    if not re.fullmatch(r"\d+\.\d+", capability, re.ASCII):
        raise UsageError(
            f"{capability!r} is no compute capability: two numbers are expected. Give one like 9.0 by "
            "--compute-capability; `nvidia-smi --query-gpu=compute_cap --format=csv` prints the GPU's."
        )
    return capability


class Profile(Section):
    """The batch sizes that the engine takes; it is fastest at `opt`."""

    min: int = 1
    opt: int = 8
    max: int


class BuildPlan(Section):
    """What to build, where, and what the engine must then answer."""

    format: Literal[1] = 1
    """Raised when a field changes its meaning."""
    model: str
    """`xray_filter` or `xray_classifier`."""
    version: int
    """Registry version that the engine is built from."""
    precision: Precision
    """What the graph's layers are typed as: the engine takes it from there, no flag changes it."""
    onnx_sha256: str
    """Of `model.onnx` beside the plan: the served graph with its rejected rows masked."""
    reference_sha256: str
    """Of the registered FP32 network that the expected answers come from."""
    opset: int
    """Of the graph."""
    ir_version: int
    """Of the graph."""
    tensorrt: TensorrtMajor
    """Major version of the TensorRT in the container."""
    image: Annotated[str, AfterValidator(check_image)]
    """Triton's own container: the engine loads in this tag only."""
    compute_capability: Annotated[str, AfterValidator(check_compute_capability)] | None
    """The GPU's, as `9.0`; None for whichever the build finds."""
    profile: Profile
    """Batch sizes."""
    decision: Mapping[str, str]
    """The threshold or operating point, by tag: the engine must decide alike."""

    @property
    def build_arguments(self) -> list[str]:
        """The arguments of `trtexec` that build the engine.

        TensorRT 10 obeys the graph's types where it is told to; TensorRT 11 knows nothing else, and has no
        `--fp16` or `--int8`. TF32, which would round FP32 layers to 11 bits, is off.
        """
        typing = ["--stronglyTyped"] if self.tensorrt == 10 else []
        return [
            f"--onnx={ONNX_FILE}",
            f"--saveEngine={ENGINE_FILE}",
            *typing,
            "--noTF32",
            f"--minShapes={self.shapes(self.profile.min)}",
            f"--optShapes={self.shapes(self.profile.opt)}",
            f"--maxShapes={self.shapes(self.profile.max)}",
            f"--timingCacheFile={TIMING_CACHE}",
            "--profilingVerbosity=detailed",
            "--skipInference",
        ]

    def ask_arguments(self, batch: int, size: int) -> list[str]:
        """Return the arguments of `trtexec` that ask the engine a batch by its number, of `size` images."""
        folder = f"{CASES_FOLDER}/{batch}"
        inputs = ",".join(f"{name}:{folder}/{name}.bin" for name in input_names(self.model))
        return [
            f"--loadEngine={ENGINE_FILE}",
            f"--shapes={self.shapes(size)}",
            f"--loadInputs={inputs}",
            f"--exportOutput={folder}/{OUTPUTS_FILE}",
            f"--exportLayerInfo={LAYERS_FILE}",
            "--iterations=1",
            "--warmUp=0",
            "--duration=0",
        ]

    def shapes(self, batch: int) -> str:
        """Return the shapes of the inputs at a batch size, as `trtexec` spells them."""
        tensors = {RADIOGRAPH.name: RADIOGRAPH.shape, ACCEPTED.name: ACCEPTED.shape}
        return ",".join(
            f"{name}:{'x'.join(map(str, (batch, *tensors[name])))}" for name in input_names(self.model)
        )


class BuildFacts(Section):
    """Where an engine was built, as the script found it."""

    tensorrt: str
    """Version of TensorRT."""
    compute_capability: str
    """The GPU's, as `9.0`."""
    device: str
    """Name of the GPU."""


def input_names(model: str) -> tuple[str, ...]:
    """Return the inputs of a network by name."""
    return (RADIOGRAPH.name,) if model == FILTER else (RADIOGRAPH.name, ACCEPTED.name)


def read_plan(folder: Path) -> BuildPlan:
    """Return the plan in a build's folder.

    Raises:
        UsageError: there is none, or it names no container or GPU.
        IntegrityError: what lies there is no plan of this format.
    """
    path = folder / PLAN_FILE
    if not path.is_file():
        raise UsageError(f"{folder} holds no {PLAN_FILE}. Make the folder with `hilum export tensorrt`.")
    try:
        return BuildPlan.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _damaged(path, "build plan", error, "Make the folder again.") from error


def read_facts(folder: Path) -> BuildFacts:
    """Return where the engine in a build's folder was built.

    Raises:
        IntegrityError: what lies there is not what the script writes.
    """
    path = folder / FACTS_FILE
    try:
        return BuildFacts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _damaged(path, "record of a build", error, "Run the build again, to its end.") from error


def _damaged(path: Path, what: str, error: ValidationError, remedy: str) -> IntegrityError:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the whole file"
    return IntegrityError(f"{path} is no {what} that Hilum reads: {first['msg']} ({where}). {remedy}")
