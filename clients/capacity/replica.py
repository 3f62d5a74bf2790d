"""What one replica of the server is made of, in numbers that can be measured.

`replicas.toml` holds the ones that Hilum knows, each with where its numbers come from.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.errors import UsageError

KNOWN = Path(__file__).with_name("replicas.toml")


class Replica(BaseModel):
    """One server: its processors, what an image costs on each, and its price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    """Where these numbers come from: measured, by what; or assumed, on what grounds."""
    cores: int = Field(gt=0)
    """CPU cores."""
    gpus: int = Field(default=0, ge=0)
    """GPUs; without any the networks run on the cores."""
    decode_s: float = Field(gt=0)
    """CPU time to make a radiograph from one file, in seconds."""
    decoders: int = Field(gt=0)
    """Decoding processes."""
    transport_s: float = Field(ge=0)
    """CPU time for receiving, scheduling, counting and answering one image, in seconds."""
    networks_batch_s: float = Field(ge=0)
    """Time of filter and classifier for a batch of whatever size, in seconds."""
    networks_image_s: float = Field(gt=0)
    """Time of filter and classifier for each image of a batch, in seconds."""
    instances: int = Field(gt=0)
    """Copies of each network; those on one GPU take turns."""
    max_batch: int = Field(default=1, gt=0)
    """Images that are answered together, at most."""
    accepted_share: float = Field(default=1.0, gt=0, le=1)
    """Share of images that the filter lets through; the others cost `rejected_cost` of the networks' time."""
    rejected_cost: float = Field(default=0.1, ge=0, le=1)
    """Time of the networks for a rejected image, relative to an accepted one."""
    image_bytes: int = Field(gt=0)
    """Mean size of a file."""
    bandwidth_bits_per_s: float = Field(gt=0)
    """What the replica's network interface takes in."""
    price_per_hour: float = Field(ge=0)
    """Of the machine that carries it; an assumption to be replaced by the reader's own."""

    @property
    def device(self) -> Literal["cpu", "gpu"]:
        """What the networks run on."""
        return "gpu" if self.gpus else "cpu"

    @property
    def networks_mean_image_s(self) -> float:
        """Mean time of the networks per image in a full batch, in seconds, rejected ones included."""
        share = self.accepted_share + (1 - self.accepted_share) * self.rejected_cost
        return self.networks_image_s * share + self.networks_batch_s / self.max_batch

    @property
    def limits(self) -> Mapping[str, float]:
        """Images per second that each part could do alone; the smallest is the replica's own."""
        cpu_s = self.decode_s + self.transport_s + (0 if self.gpus else self.networks_mean_image_s)
        limits = {
            "cpu": self.cores / cpu_s,
            "decoders": self.decoders / self.decode_s,
            "network interface": self.bandwidth_bits_per_s / (8 * self.image_bytes),
        }
        if self.gpus:
            limits["gpu"] = self.gpus / self.networks_mean_image_s
        else:
            limits["network instances"] = self.instances / self.networks_mean_image_s
        return limits

    @property
    def bottleneck(self) -> str:
        """The part that gives way first."""
        return min(self.limits, key=lambda part: self.limits[part])

    @property
    def capacity(self) -> float:
        """Images per second at which the bottleneck is busy all the time."""
        return self.limits[self.bottleneck]


@cache
def known_replicas() -> Mapping[str, Replica]:
    """Return the replicas of `replicas.toml` by name."""
    return read_replicas(KNOWN)


def read_replicas(path: Path) -> Mapping[str, Replica]:
    """Return the replicas described in a TOML file, one table each.

    Raises:
        UsageError: the file is missing, is no TOML, or describes a replica wrongly; each mistake is named.
    """
    try:
        tables = tomllib.loads(path.read_text())
        return {name: Replica(**table) for name, table in tables.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise UsageError(f"{path}: expected one TOML table per replica ({error}).") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"{path} describes a replica wrongly: {wrong}. See {KNOWN.name}.") from error
