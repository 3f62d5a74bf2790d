"""A trained network in a folder: its weights, and everything needed to build it again."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from typing_extensions import override

from hilum.files import write_atomic
from training.errors import WeightsError
from training.models.backbones import BackboneConfig
from training.models.head import HeadConfig
from training.models.network import RadiographNetwork

WEIGHTS = "network.pt"
DESCRIPTION = "network.json"


def serialized(state: Any) -> bytes:
    """Return what `torch.save` would write to a file."""
    stream = BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


JOB = "hilum_job"
"""Where a checkpoint of Lightning's says which job it belongs to."""


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoint files, each whole or absent: a full disk leaves the one before."""

    def __init__(self, job: str) -> None:
        """Write `job` into each checkpoint, for `check_resumable`."""
        self._job = job

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint by one rename."""
        write_atomic(Path(path), serialized({**checkpoint, JOB: self._job}))


def check_resumable(path: Path, job: str) -> None:
    """Refuse a checkpoint that cannot be read, or that another job wrote.

    Raises:
        WeightsError: says so, and how to train from the start.
    """
    remedy = f"Put the right file back, or delete the folder {path.parent} to train from the start."
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True).get(JOB)
    except Exception as error:  # cut short, or no checkpoint at all: the advice is the same
        raise WeightsError(f"{path} is no readable checkpoint ({type(error).__name__}). {remedy}") from error
    if found != job:
        raise WeightsError(
            f"{path} is a checkpoint of another training (network, recipe, data or seed). {remedy}"
        )


def save_network(network: RadiographNetwork, folder: Path) -> None:
    """Write the weights (CPU tensors) and the description of a network into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(folder / WEIGHTS, serialized(state))
    description = {
        "backbone": network.config.model_dump(),
        "head": network.head_config.model_dump(),
        "labels": list(network.labels),
    }
    write_atomic(folder / DESCRIPTION, json.dumps(description, indent=2).encode())


def load_network(folder: Path) -> RadiographNetwork:
    """Build the network that `save_network` wrote, on the CPU, in evaluation mode.

    Raises:
        WeightsError: a file is missing or unreadable, or the weights belong to another architecture.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        config = BackboneConfig.model_validate(description["backbone"])
        head = HeadConfig.model_validate(description["head"])
        labels = tuple(description["labels"])
        state = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    except Exception as error:  # missing, cut short, or not ours: the advice is the same
        raise WeightsError(
            f"{folder} holds no network that Hilum saved ({type(error).__name__}: {error}). Train it again."
        ) from error
    network = RadiographNetwork(config, labels, head)
    network.load_weights(state, str(folder / WEIGHTS))
    return network.eval()
