"""Writes every `config.pbtxt` from Triton's own protobuf types, so that a misspelt key cannot exist.

What depends on the release comes in as a `ServedRelease`; everything else comes from
`hilum.contract`. The steps' configurations list the versions of all releases that are loaded at
once: the champion's, the challenger's, and those of releases on their way in or out (`beside`).
Each front door belongs to one release.
"""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from hilum.contract import CLASSIFIER, DECODE, FILTER, MONITOR
from hilum.settings import Accelerator
from training.errors import RepositoryError
from training.repository.accelerator import place_instances
from training.repository.base_config import base_config
from training.repository.front_door import build_front_door
from training.repository.served_release import Lineup, ServedRelease

DECODE_INSTANCES = 2
"""Decoding holds no network: two processes keep two requests in flight apart."""

OPERATING_POINT_PARAMETER = "operating_point."
"""`operating_point.7` in the monitor's configuration holds the thresholds of release 7, as JSON."""

HEADER = "# Written by training/repository/config_pbtxt.py: change it there, not here.\n"


def build_configs(
    lineup: Lineup,
    *,
    beside: Sequence[ServedRelease] = (),
    instances: int = 2,
    accelerator: Accelerator = "cpu",
) -> dict[str, ModelConfig]:
    """Return the configuration of each served model, by name.

    Args:
        lineup: the releases that the front doors serve.
        beside: other releases whose versions stay, or are already, loaded next to them.
        instances: copies of each network that run side by side.
        accelerator: what they run on.
    """
    releases = tuple({release.number: release for release in (*lineup.releases, *beside)}.values())
    steps = {
        DECODE: _python_config(DECODE, releases, instances=DECODE_INSTANCES),
        FILTER: _onnx_config(FILTER, releases, accelerator, instances=instances),
        CLASSIFIER: _onnx_config(CLASSIFIER, releases, accelerator, instances=instances),
        MONITOR: _monitor_config(releases),
    }
    return steps | {door: build_front_door(door, release) for door, release in lineup.doors.items()}


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


def is_within(wanted: Message, found: Message) -> bool:
    """Whether a server runs a model as a configuration says.

    What the server adds by itself is passed over, and so is the list of versions: Triton does not renew
    it for a version that stays loaded.
    """
    return all(
        _agree(field, value, getattr(found, field.name))
        for field, value in wanted.ListFields()
        if field.name != "version_policy"
    )


def _agree(field: FieldDescriptor, wanted: Any, found: Any) -> bool:
    """Compare one field: messages by what is wanted of them, everything else as it is."""
    if field.message_type is None:
        return bool(wanted == found)
    if field.message_type.GetOptions().map_entry:
        return {key: str(value) for key, value in wanted.items()} == {
            key: str(value) for key, value in found.items()
        }
    if field.is_repeated:
        return len(wanted) == len(found) and all(map(is_within, wanted, found))
    return is_within(wanted, found)


def _python_config(name: str, releases: Sequence[ServedRelease], *, instances: int) -> ModelConfig:
    config = base_config(name, releases)
    config.backend = "python"
    config.default_model_filename = "model.py"
    config.instance_group.add(kind=ModelInstanceGroup.KIND_CPU, count=instances)
    return config


def _onnx_config(
    name: str, releases: Sequence[ServedRelease], accelerator: Accelerator, *, instances: int
) -> ModelConfig:
    config = base_config(name, releases)
    config.backend = "onnxruntime"
    config.default_model_filename = "model.onnx"
    place_instances(config, accelerator, instances=instances)
    return config


def _monitor_config(releases: Sequence[ServedRelease]) -> ModelConfig:
    config = _python_config(MONITOR, releases, instances=1)  # one process counts: its metrics add up
    for release in releases:
        thresholds = json.dumps(dict(release.operating_point.thresholds), sort_keys=True)
        config.parameters[f"{OPERATING_POINT_PARAMETER}{release.number}"].string_value = thresholds
    return config
