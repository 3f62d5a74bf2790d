"""What the configuration of every served model has: name, batch size, exact versions and tensors."""

from collections.abc import Iterable, Mapping, Sequence

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput

from hilum import contract
from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, MODELS, SCREENING, Dtype, Tensor
from training.repository.served_release import ServedRelease

MAX_BATCH_SIZE = 16
"""Images in one request at most."""

LABELS_FILE = "labels.txt"
"""One label per line, in the order of `probabilities`."""

LABELLED = (CLASSIFIER, SCREENING, CHALLENGER_SCREENING)
"""Models whose `probabilities` carry the labels file."""

_DTYPES: Mapping[Dtype, DataType] = {
    "BYTES": DataType.TYPE_STRING,
    "UINT8": DataType.TYPE_UINT8,
    "FP32": DataType.TYPE_FP32,
    "BOOL": DataType.TYPE_BOOL,
}


def base_config(name: str, releases: Sequence[ServedRelease]) -> ModelConfig:
    """Return a configuration that lists the versions of `releases` and has no backend yet."""
    model = MODELS[SCREENING if name == CHALLENGER_SCREENING else name]
    config = ModelConfig(name=name, max_batch_size=MAX_BATCH_SIZE)
    config.version_policy.specific.versions.extend(sorted({release.version_of(name) for release in releases}))
    config.input.extend(
        ModelInput(name=tensor.name, data_type=_DTYPES[tensor.dtype], dims=_dims(tensor, releases))
        for tensor in model.inputs
    )
    config.input.extend(
        ModelInput(name=tensor.name, data_type=_DTYPES[tensor.dtype], dims=tensor.shape, optional=True)
        for tensor in model.optional_inputs
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
