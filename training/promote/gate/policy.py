"""What a release must reach: a validated YAML file, every key with a default that is documented here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from training.config import Section
from training.errors import PolicyError

POLICIES = Path(__file__).parents[1] / "policies"
"""The policies that ship with Hilum."""

Share = Annotated[float, Field(gt=0, lt=1)]
Margin = Annotated[float, Field(gt=0, le=0.5)]


class Floor(Section):
    """The least that a share of right decisions must surely reach."""

    value: Share
    """The floor itself."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """One-sided confidence with which the share must lie above it; null takes the policy's."""


def _floor(value: Any) -> Any:
    """Take a bare number for a floor's value."""
    return {"value": value} if isinstance(value, int | float) else value


FloorOrNone = Annotated[Floor, BeforeValidator(_floor)] | None
"""A bare number stands for a floor of that value; null demands nothing."""


class ClassFloors(Section):
    """The floors of one class, decided against the rest."""

    sensitivity: FloorOrNone = Floor(value=0.7)
    """Of the images of the class."""
    specificity: FloorOrNone = Floor(value=0.8)
    """Of the images of other classes."""


class ValidFloors(ClassFloors):
    """The floors of the filter."""

    sensitivity: FloorOrNone = Floor(value=0.95)
    specificity: FloorOrNone = Floor(value=0.95)


class Covid19Floors(ClassFloors):
    """The floors of COVID-19, which is to be missed less often than other opacities."""

    sensitivity: FloorOrNone = Floor(value=0.8)
    specificity: FloorOrNone = Floor(value=0.85)


class FilterFloors(Section):
    """What the filter must surely reach; `valid` is an upright frontal chest radiograph."""

    valid: ValidFloors = ValidFloors()


class ClassifierFloors(Section):
    """What the classifier behind the filter must surely reach, by label."""

    no_finding: ClassFloors = ClassFloors()
    lung_opacity: ClassFloors = ClassFloors()
    covid19: Covid19Floors = Covid19Floors()


class Floors(Section):
    """What a release must reach, whatever the champion does."""

    filter: FilterFloors = FilterFloors()
    classifier: ClassifierFloors = ClassifierFloors()


class Margins(Section):
    """How far below the champion a release may lie and still count as no worse. Null compares nothing."""

    sensitivity: Margin | None = 0.05
    specificity: Margin | None = 0.05
    auroc: Margin | None = 0.03


class FilterMargins(Margins):
    """The same of the filter, of whose cases there are more."""

    sensitivity: Margin | None = 0.02
    specificity: Margin | None = 0.03
    auroc: Margin | None = 0.01


class NonInferiority(Section):
    """The paired comparison with the champion on the same cases."""

    filter: FilterMargins = FilterMargins()
    """Of the decision that an image is valid."""
    classifier: Margins = Margins()
    """Of each label behind the filter."""
    sources: Literal["all", "none"] | tuple[str, ...] = "all"
    """Sources within which the comparison is made again, by name."""
    source_margin_factor: float = Field(default=2.0, ge=1)
    """By how much margins are wider within a source, where there are fewer cases."""


class ParityRules(Section):
    """The comparison of what is served with what ONNX Runtime answers to the same images here."""

    images: int = Field(default=16, ge=1)
    """Images compared, spread over the test split."""
    tolerance: float = Field(default=1e-3, gt=0, le=0.1)
    """Largest absolute difference of a probability; decisions must be equal."""


class LatencyRules(Section):
    """The comparison of answering times with the champion's, in short blocks that take turns."""

    ratio: float = Field(default=1.25, gt=0)
    """Most that the release's time may be of the champion's."""
    rounds: int = Field(default=12, ge=5)
    """Pairs of blocks, one of each release."""
    requests: int = Field(default=8, ge=1)
    """Requests in a block, one after the other; its median counts."""


class Policy(Section):
    """Everything that a gate demands of a release."""

    name: str
    """Of the file, unless it says another."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """One-sided confidence of every bound: 0.95 takes the bounds of a two-sided 90 % interval, 0.975 those
    of a 95 % interval."""
    minimum_cases: int = Field(default=30, ge=2)
    """Cases that a share or an AUROC must be about: fewer cannot tell, and are skipped within a source."""
    on_cannot_tell: Literal["refuse", "allow"] = "refuse"
    """Whether a check that cannot tell holds the release back."""
    approvals: int = Field(default=0, ge=0)
    """Persons who must approve the release before it may become champion."""
    bootstrap: int = Field(default=1000, ge=200)
    """Resamplings of patients, where patients have several images."""
    floors: Floors = Floors()
    non_inferiority: NonInferiority = NonInferiority()
    parity: ParityRules = ParityRules()
    latency: LatencyRules = LatencyRules()


def load_policy(name_or_path: str) -> Policy:
    """Load a policy by its name, or from a YAML file.

    Raises:
        PolicyError: there is no such policy, or a key or value in it is wrong; the message names each.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = POLICIES / f"{name_or_path}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in POLICIES.glob("*.yaml")))
        raise PolicyError(f"No policy {name_or_path!r}. There are {names}; or pass a .yaml file.")
    try:
        content = yaml.safe_load(path.read_text())
        if content is not None and not isinstance(content, Mapping):
            raise TypeError("the file holds no keys")
        return Policy.model_validate({"name": path.stem, **(content or {})})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PolicyError(f"{path.name}: {wrong}. The keys are described in docs/gate.md.") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise PolicyError(f"{path.name} is not a YAML mapping: {error}.") from error
