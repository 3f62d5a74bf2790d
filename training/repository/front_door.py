"""The ensemble that callers ask: its steps, and how to read back which release it serves."""

from collections.abc import Mapping

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelEnsembling

from hilum import contract
from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, MONITOR
from hilum.operating_point import OperatingPoint
from training.errors import RepositoryError
from training.repository.base_config import base_config
from training.repository.served_release import ServedRelease

RELEASE_DIGEST_PARAMETER = "release_digest"
"""The front door's parameter that carries the digest of the release it serves."""

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

# Whatever tensor is connected: its presence alone tells the model that the image is a copy of one
# that the champion answers, so that it is not counted twice.
_MIRRORED: Mapping[str, Mapping[str, str]] = {
    DECODE: {contract.MIRRORED_IMAGE.name: "image_bytes"},
    MONITOR: {contract.MIRRORED.name: "filter_accepted"},
}
"""What the challenger's ensemble connects besides, by model."""


def build_front_door(name: str, release: ServedRelease) -> ModelConfig:
    """Return the configuration of the ensemble `name`, which serves `release`."""
    config = base_config(name, [release])
    config.platform = "ensemble"
    for model, inputs, outputs in _STEPS:
        step = ModelEnsembling.Step(model_name=model, model_version=release.version_of(model))
        step.input_map.update(inputs)
        if name == CHALLENGER_SCREENING:
            step.input_map.update(_MIRRORED.get(model, {}))
        step.output_map.update(outputs)
        config.ensemble_scheduling.step.append(step)
    for parameter, value in release.operating_point.as_parameters().items():
        config.parameters[parameter].string_value = value
    config.parameters[RELEASE_DIGEST_PARAMETER].string_value = release.digest
    return config


def read_served_release(config: ModelConfig) -> ServedRelease:
    """Return the release that a front door's configuration serves.

    Raises:
        RepositoryError: it is none that `build_configs` makes.
    """
    try:
        return _read_served_release(config)
    except (KeyError, IndexError, ValueError) as error:
        raise RepositoryError(
            f"The configuration of {config.name!r} was not written by Hilum: {error!r} is missing or wrong. "
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
