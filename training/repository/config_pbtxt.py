"""Writes every `config.pbtxt` from Triton's own protobuf types, so that a misspelt key cannot exist.

What depends on the release comes in as a `ServedRelease`; everything else comes from
`hilum.contract`. While one release replaces another, the configurations list the versions
of both (`beside`), except the ensemble's: the front door always belongs to one release.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import (
    DataType,
    ModelConfig,
    ModelEnsembling,
    ModelInput,
    ModelInstanceGroup,
    ModelOutput,
)

from hilum import contract
from hilum.contract import CLASSIFIER, DECODE, FILTER, MODELS, MONITOR, SCREENING, Dtype, Tensor
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from training.errors import RepositoryError

MAX_BATCH_SIZE = 16
"""Images in one request at most."""

DECODE_INSTANCES = 2
"""Decoding holds no network: two processes keep two requests in flight apart."""

LABELS_FILE = "labels.txt"
"""One label per line, in the order of `probabilities`."""

LABELLED = (CLASSIFIER, SCREENING)
"""Models whose `probabilities` carry the labels file."""

RELEASE_DIGEST_PARAMETER = "release_digest"
"""The front door's parameter that carries the digest of the release it serves."""

OPERATING_POINT_PARAMETER = "operating_point."
"""`operating_point.7` in the monitor's configuration holds the thresholds of release 7, as JSON."""

HEADER = "# Written by training/repository/config_pbtxt.py: change it there, not here.\n"

_DTYPES: Mapping[Dtype, DataType] = {
    "BYTES": DataType.TYPE_STRING,
    "UINT8": DataType.TYPE_UINT8,
    "FP32": DataType.TYPE_FP32,
    "BOOL": DataType.TYPE_BOOL,
}

# A tensor that is both an output of the ensemble and the input of another step deadlocks requests
# that ask for a subset of the outputs, so tensors between steps have names of their own and the
# monitor passes them on under the front door's. The activation map goes through no other step.
_STEPS: tuple[tuple[str, Mapping[str, str], Mapping[str, str]], ...] = (
    (DECODE, {"image_bytes": "image_bytes"}, {"radiograph": "decoded_radiograph"}),
    (
        FILTER,
        {"radiograph": "decoded_radiograph"},
        {"valid_probability": "filter_valid_probability", "accepted": "filter_accepted"},
    ),
    (
        CLASSIFIER,
        {"radiograph": "decoded_radiograph", "accepted": "filter_accepted"},
        {
            "probabilities": "classifier_probabilities",
            "activation_map": "activation_map",
            "embedding": "classifier_embedding",
        },
    ),
    (
        MONITOR,
        {
            "valid_probability": "filter_valid_probability",
            "accepted": "filter_accepted",
            "probabilities": "classifier_probabilities",
            "embedding": "classifier_embedding",
        },
        {
            "valid_probability": "valid_probability",
            "accepted": "accepted",
            "probabilities": "probabilities",
            "embedding": "embedding",
        },
    ),
)
"""The ensemble: model, its inputs and its outputs, each by the ensemble's own tensor names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedRelease:
    """What the model repository has to know of a release."""

    number: int
    """Release number: the version of the front door and of the monitor."""
    digest: str
    """The release's content digest, 64 hexadecimal digits."""
    filter_version: int
    """Registry version of the filter, and its version folder."""
    classifier_version: int
    """Registry version of the classifier, and its version folder."""
    operating_point: OperatingPoint
    """Thresholds from which findings are reported."""
    map_size: tuple[int, int]
    """Height and width of the activation map, in cells."""
    embedding_size: int
    """Length of the embedding."""
    decode_version: int = 1
    """Version of the decoder: its behaviour belongs to the code, not to a release."""

    def __post_init__(self) -> None:
        versions = (self.number, self.filter_version, self.classifier_version, self.decode_version)
        if min(versions) < 1:
            raise UsageError(f"Release and model versions count from 1; got {versions}.")
        if min(*self.map_size, self.embedding_size) < 1:
            raise UsageError(
                f"Sizes must be 1 or more: map {self.map_size}, embedding {self.embedding_size}."
            )

    def version_of(self, model: str) -> int:
        """Return the version of a served model that belongs to this release."""
        return {
            DECODE: self.decode_version,
            FILTER: self.filter_version,
            CLASSIFIER: self.classifier_version,
            MONITOR: self.number,
            SCREENING: self.number,
        }[model]


def build_configs(
    release: ServedRelease, *, beside: ServedRelease | None = None, instances: int = 2
) -> dict[str, ModelConfig]:
    """Return the configuration of each served model, by name.

    Args:
        release: the release that the front door serves.
        beside: another release whose versions stay, or are already, loaded next to it.
        instances: copies of each network that run side by side, one thread each.
    """
    releases = [release] if beside is None else [release, beside]
    return {
        DECODE: _python_config(DECODE, releases, instances=DECODE_INSTANCES),
        FILTER: _onnx_config(FILTER, releases, instances=instances),
        CLASSIFIER: _onnx_config(CLASSIFIER, releases, instances=instances),
        MONITOR: _monitor_config(releases),
        SCREENING: _screening_config(release),
    }


def render(config: ModelConfig) -> bytes:
    """Return the content of a `config.pbtxt`; the same configuration always gives the same bytes."""
    return (HEADER + text_format.MessageToString(config)).encode()


def parse(text: str) -> ModelConfig:
    """Return the configuration that a `config.pbtxt` holds.

    Raises:
        RepositoryError: the text is no model configuration.
    """
    try:
        return text_format.Parse(text, ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(f"This is no model configuration: {error}.") from error


def read_served_release(config: ModelConfig) -> ServedRelease:
    """Return the release that a front door's configuration serves.

    Raises:
        RepositoryError: it is none that `build_configs` makes.
    """
    try:
        return _read_served_release(config)
    except (KeyError, IndexError, ValueError) as error:
        raise RepositoryError(
            f"The configuration of {SCREENING} was not written by Hilum: {error!r} is missing or wrong. "
            "Stop this Triton and start one with `hilum up`."
        ) from error


def _read_served_release(config: ModelConfig) -> ServedRelease:
    versions = {step.model_name: step.model_version for step in config.ensemble_scheduling.step}
    dims = {output.name: tuple(output.dims) for output in config.output}
    parameters = {name: value.string_value for name, value in config.parameters.items()}
    _, height, width = dims[contract.ACTIVATION_MAP.name]
    return ServedRelease(
        number=config.version_policy.specific.versions[0],
        digest=parameters[RELEASE_DIGEST_PARAMETER],
        filter_version=versions[FILTER],
        classifier_version=versions[CLASSIFIER],
        decode_version=versions[DECODE],
        operating_point=OperatingPoint.from_parameters(parameters),
        map_size=(height, width),
        embedding_size=dims[contract.EMBEDDING.name][0],
    )


def _python_config(name: str, releases: list[ServedRelease], *, instances: int) -> ModelConfig:
    config = _base_config(name, releases)
    config.backend = "python"
    config.default_model_filename = "model.py"
    config.instance_group.add(kind=ModelInstanceGroup.KIND_CPU, count=instances)
    return config


def _onnx_config(name: str, releases: list[ServedRelease], *, instances: int) -> ModelConfig:
    config = _base_config(name, releases)
    config.backend = "onnxruntime"
    config.default_model_filename = "model.onnx"
    config.instance_group.add(kind=ModelInstanceGroup.KIND_CPU, count=instances)
    # One thread per instance and one instance per core: threads of one image wait for each other.
    for parameter in ("intra_op_thread_count", "inter_op_thread_count"):
        config.parameters[parameter].string_value = "1"
    return config


def _monitor_config(releases: list[ServedRelease]) -> ModelConfig:
    config = _python_config(MONITOR, releases, instances=1)  # one process counts: its metrics add up
    for release in releases:
        thresholds = json.dumps(dict(release.operating_point.thresholds), sort_keys=True)
        config.parameters[f"{OPERATING_POINT_PARAMETER}{release.number}"].string_value = thresholds
    return config


def _screening_config(release: ServedRelease) -> ModelConfig:
    config = _base_config(SCREENING, [release])
    config.platform = "ensemble"
    for model, inputs, outputs in _STEPS:
        step = ModelEnsembling.Step(model_name=model, model_version=release.version_of(model))
        step.input_map.update(inputs)
        step.output_map.update(outputs)
        config.ensemble_scheduling.step.append(step)
    for name, value in release.operating_point.as_parameters().items():
        config.parameters[name].string_value = value
    config.parameters[RELEASE_DIGEST_PARAMETER].string_value = release.digest
    return config


def _base_config(name: str, releases: list[ServedRelease]) -> ModelConfig:
    """Return what all configurations have: name, batch size, exact versions and tensors."""
    model = MODELS[name]
    config = ModelConfig(name=name, max_batch_size=MAX_BATCH_SIZE)
    config.version_policy.specific.versions.extend(sorted({release.version_of(name) for release in releases}))
    config.input.extend(
        ModelInput(name=tensor.name, data_type=_DTYPES[tensor.dtype], dims=_dims(tensor, releases))
        for tensor in model.inputs
    )
    config.output.extend(
        ModelOutput(
            name=tensor.name,
            data_type=_DTYPES[tensor.dtype],
            dims=_dims(tensor, releases),
            label_filename=LABELS_FILE if name in LABELLED and tensor == contract.PROBABILITIES else "",
        )
        for tensor in model.outputs
    )
    return config


def _dims(tensor: Tensor, releases: Iterable[ServedRelease]) -> list[int]:
    """Return a tensor's dims: what the network decides comes from the releases, -1 where they differ.

    NOTE: NVIDIA's own ONNX Runtime backend refuses -1 for an output whose size the network fixes, so
    there two releases of different sizes cannot be loaded side by side; the embedded server's can.
    """
    per_release = {_release_dims(tensor, release) for release in releases}
    return [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*per_release, strict=True)]


def _release_dims(tensor: Tensor, release: ServedRelease) -> tuple[int, ...]:
    if tensor == contract.ACTIVATION_MAP:
        return (tensor.shape[0], *release.map_size)
    if tensor == contract.EMBEDDING:
        return (release.embedding_size,)
    return tensor.shape
